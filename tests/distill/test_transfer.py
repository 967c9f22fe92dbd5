"""Texts beyond the training texts: unlabelled ones and variants, answered by the teacher and learned from, after kills too.
Arguments: llmc-distill, llmc, print_logits (for test_distill.py, whose tiny BERT and texts serve here too)."""
import gzip
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
import test_distill  # noqa: E402
from test_distill import CONFIG, World, bytes_of, expect, make_rows, metrics_of  # noqa: E402

KILLS = 6
# One text's logits in batches of different sizes: FP16 operands, sums in another order.
BATCH_TOLERANCE = 2e-3
COSINE_TOLERANCE = 1e-6  # FP32 sums of 96 products

HEAD = CONFIG[:CONFIG.index("stages:")]
STAGES = """stages:
  - {stage: teacher, epochs: 1, learning_rate: 1.0e-3}
  - {stage: augment, variants: 15, frequent: 4}
  - {stage: logits}
  - {stage: distill, epochs: 0.1, learning_rate: 1.0e-3, cross_entropy_weight: 0.2}
  - {stage: prune, epochs: 0.02}
  - {stage: qat, epochs: 0.02, calibration_batches: 4}
  - {stage: export}
"""
TRAIN, VARIANTS = 600, 15


def logits_of(folder):
    found = [path for path in folder.glob("store/*/logits.h5")]
    expect(len(found) == 1, f"{len(found)} file of logits")
    with h5py.File(found[0]) as file:
        return file["logits"][...]


def check_texts(world):
    """Rows of the logits are those of their texts."""
    texts = [line.split("\t")[0] for line in (world.root / "data/texts/train.tsv").read_text().splitlines()[1:]]
    with gzip.open(world.root / "data/texts/more.txt.gz", "wt") as file:
        file.write("\n".join(texts[200:300]) + "\n")
    (world.root / "data/texts/more.tsv").write_text("id\tsentence\n" + "".join(f"{i}\t{t}\n" for i, t in enumerate(texts[:50])))
    (world.root / "transfer.yaml").write_text(HEAD.replace("tokens_max: 24", "tokens_max: 24, unlabeled: [more.txt.gz, more.tsv]")
                                              + STAGES)
    result = world.run(config="transfer.yaml")
    expect(result.returncode == 0, f"a run with unlabelled texts and variants {result.stderr[-300:] if result.returncode else ''}")
    expect("150 without labels" in result.stderr, "the log says how many texts have no labels")
    expect("600 training texts and 9150 more" in result.stderr, "and what an epoch is")
    logits = logits_of(world.root / "runs")
    expect(logits.shape == (TRAIN + 150 + VARIANTS * TRAIN, 2), f"logits of all texts: {logits.shape}")
    same = np.abs(logits[TRAIN:TRAIN + 150] - logits[list(range(200, 300)) + list(range(50))]).max()
    expect(same <= BATCH_TOLERANCE, f"an unlabelled text has the logits of the same training text: within {same:.1e}")
    metrics = metrics_of(world.root / "runs/tiny")
    steps = {name[3:-14]: len(lines) for name, lines in metrics.items()}
    expect(steps == {"teacher": 19, "distill": 31, "prune": 7, "qat": 7}, f"steps of the stages: {steps}")
    return result


def check_neighbours(world):
    """Against numpy: the words that are nearest in the teacher's word embedding."""
    words = (world.root / "data/bert/vocab.txt").read_text().split()
    counts = {}
    for line in (world.root / "data/texts/train.tsv").read_text().splitlines()[1:]:
        for word in line.split("\t")[0].split():
            counts[word] = counts.get(word, 0) + 1
    with h5py.File(world.root / "runs/tiny/01-teacher.h5") as file:
        table = file["parameters/bert.embeddings.word_embeddings.weight"][...].astype(np.float64)
    with h5py.File(next((world.root / "runs/store").glob("*/augment.h5"))) as file:
        ours, neighbours = file["words"][...], file["neighbours"][...]
    order = sorted((w for w in counts if len(w) > 1), key=lambda w: (-counts[w], words.index(w)))
    expect(sorted(words.index(w) for w in order[4:]) == list(ours), "all words but single characters and the 4 most frequent have some")
    whole = [i for i, word in enumerate(words) if word.isalpha() and len(word) > 1]
    unit = table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-12)
    worst = 0.0
    for word, row in zip(ours, neighbours):
        others = [i for i in whole if i != word]
        cosines = unit[others] @ unit[word]
        best = np.sort(cosines)[::-1][:15]
        worst = max(worst, np.abs(unit[row] @ unit[word] - best).max())
        if word in row or len(set(row)) != 15 or not set(row) <= set(whole):
            expect(False, f"neighbours of {words[word]}: {[words[i] for i in row]}")
    expect(worst <= COSINE_TOLERANCE, f"their neighbours are those with the highest cosines: within {worst:.1e}")


def wait_for_answers(process, store, count):
    """Until so many texts are answered in a file under way, as it says where its seal will be."""
    while process.poll() is None:
        for part in store.glob("*/part.h5"):
            head = part.read_bytes()[:32] if part.exists() else b""
            if len(head) == 32 and not head.startswith(b"LLM") and int.from_bytes(head[24:], "little") >= count:
                return
        time.sleep(0.005)


def check_kills(world):
    rng = random.Random(5)
    wanted, wanted_metrics = bytes_of(world.root / "runs/tiny"), metrics_of(world.root / "runs/tiny")
    logits = next((world.root / "runs/store").glob("*/logits.h5"))
    going_on = 0
    for i in range(KILLS):
        process = subprocess.Popen(world.command(runs="killed", config="transfer.yaml"), cwd=world.root, env=world.env,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        in_logits = i < KILLS // 2  # these end where the teacher answers
        for line in process.stderr:
            if ("logits: starts" if in_logits else "starts") in line:
                break
        if in_logits:
            wait_for_answers(process, world.root / "killed/store", (i + 1) * 1500)
        else:
            time.sleep(rng.uniform(0.0, 0.8))
        process.send_signal(signal.SIGINT if i == 1 else signal.SIGKILL)
        going_on += "going on at text" in process.communicate()[1]
    result = world.run(runs="killed", config="transfer.yaml")
    going_on += "going on at text" in result.stderr
    expect(result.returncode == 0 and going_on >= KILLS // 2, f"a run that was killed {KILLS} times goes on to its end, {going_on} times within the logits")
    got = bytes_of(world.root / "killed/tiny")
    expect(got == wanted, "with the same bits")
    expect(metrics_of(world.root / "killed/tiny") == wanted_metrics, "and the same metrics, step by step")
    expect(logits.read_bytes() == (world.root / "killed/store" / logits.parent.name / "logits.h5").read_bytes(), "and the same logits")


def check_sharing(world):
    """What depends on the texts is made anew, and nothing else."""
    other = world.run("--set", "stages.augment.variants=3", "--stop-after", "distill", config="transfer.yaml")
    expect("01-teacher: finished before" in other.stderr and "03-logits: starts" in other.stderr and
           "04-distill: starts" in other.stderr, "with other variants the teacher stays, logits and student do not")
    plain = world.run("--set", "data.unlabeled=[]", "--stop-after", "logits", config="transfer.yaml")
    expect("01-teacher: finished before" in plain.stderr and "03-logits: starts" in plain.stderr, "and so without unlabelled texts")


def check_refusals(world):
    def refused(what, words, status, *sets, stages=STAGES, unlabeled="more.tsv", content=None):
        if content is not None:
            (world.root / "data/texts" / unlabeled).write_bytes(content)
        (world.root / "bad.yaml").write_text(HEAD + stages)
        result = world.run("--set", f"data.unlabeled=[{unlabeled}]", *sets, runs="refused", config="bad.yaml")
        message = result.stderr.strip().splitlines()[-1]
        expect(result.returncode == status and all(word in message for word in words) and "logits: starts" not in result.stderr,
               f"{what}: exit {result.returncode}: {message[:200]}")

    refused("another encoding", ["latin.txt:2", "UTF-8"], 6, unlabeled="latin.txt", content=b"a film\nna\xefve\n")
    refused("an empty file", ["none.txt", "no texts"], 6, unlabeled="none.txt", content=b"")
    refused("a missing file", ["nowhere.txt"], 3, unlabeled="nowhere.txt")
    refused("a missing column", ["cols.tsv:1", "sentence", "text"], 6, unlabeled="cols.tsv", content=b"text\tid\na\t1\n")
    refused("shares above 1", ["02-augment", "masked", "replaced", "at most 1"], 5, "--set", "stages.augment.masked=0.9")
    refused("a negative share", ["masked", "0 to 1"], 5, "--set", "stages.augment.masked=-0.1")
    refused("no variants", ["variants", "1 to 10000"], 5, "--set", "stages.augment.variants=0")
    lines = STAGES.splitlines(keepends=True)
    refused("augment behind a student", ["augment", "before"], 5, stages="".join(lines[:2] + lines[3:5] + lines[2:3] + lines[5:]))
    refused("augment between logits and student", ["distill", "logits"], 5, stages="".join(lines[:2] + [lines[3], lines[2]] + lines[4:]))
    refused("augment before the teacher", ["augment", "teacher"], 5, stages="".join([lines[0], lines[2], lines[1]] + lines[3:]))


def main():
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        check_texts(world)
        check_neighbours(world)
        check_kills(world)
        check_sharing(world)
        check_refusals(world)
    sys.exit(test_distill.failures > 0)


main()
