"""Several teachers: each as if alone, their logits averaged, their mean answers what agreement is measured against.
Arguments: llmc-distill, llmc, print_logits (for test_distill.py, whose tiny BERT and texts serve here too)."""
import json
import re
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
from test_distill import CONFIG, World, expect, write_bert  # noqa: E402

SHORT = re.sub(r"epochs: \d", "epochs: 0.5", CONFIG[:CONFIG.index("  - {stage: prune")])
SEEDS = (3, 1, 2)


def logits_of(runs):
    with h5py.File(next(runs.glob("store/*/logits.h5"))) as file:
        return file["logits"][...]


def check_seeds(world):
    config = SHORT.replace("{folder: bert}", f"{{folder: bert, seeds: {list(SEEDS)}}}")
    (world.root / "several.yaml").write_text(config)
    (world.root / "single.yaml").write_text(SHORT)
    result = world.run(config="several.yaml")
    expect(result.returncode == 0, f"three teachers and a student {result.stderr[-300:] if result.returncode else ''}")
    folder = world.root / "runs/tiny"
    rows = {row["name"]: row for row in json.loads((folder / "report.json").read_text())["stages"]}
    expect(list(rows) == ["01-teacher", "01-teacher-2", "01-teacher-3", "02-logits", "03-distill"], f"rows: {list(rows)}")
    alone = []
    for i, seed in enumerate(SEEDS):
        single = world.run("--set", f"seed={seed}", "--set", "student.layers=2", config="single.yaml", runs=f"alone{seed}")
        expect(single.returncode == 0, f"seed {seed} alone")
        name = "01-teacher.h5" if i == 0 else f"01-teacher-{i + 1}.h5"
        expect((folder / name).read_bytes() == (world.root / f"alone{seed}/tiny/01-teacher.h5").read_bytes(),
               f"{name} is the teacher of a run with seed {seed}, bit by bit")
        alone.append(logits_of(world.root / f"alone{seed}").astype(np.float64))
    mean = ((alone[0] + alone[1] + alone[2]) / 3).astype(np.float32)
    expect(np.array_equal(mean, logits_of(world.root / "runs")), "the logits are the mean of those that each gives alone")

    shared = world.run("--set", "name=other", "--set", "seed=2", "--stop-after", "teacher", config="single.yaml")
    expect("01-teacher: finished before" in shared.stderr, "a run with one of the seeds takes its teacher from the store")
    fewer = world.run("--set", "teacher.seeds=[3, 1]", config="several.yaml")
    expect(fewer.stderr.count("finished before") == 2 and not (folder / "01-teacher-3.h5").exists(),
           "with fewer seeds nothing is trained again but the student, and what is too much leaves the folder")
    again = world.run("--set", "teacher.seeds=[3, 1]", config="several.yaml")
    expect(again.stderr.count("finished before") == 4, "a second start repeats nothing")


def check_mean(world):
    """What a student's agreement is measured against: the mean of the teachers."""
    folder = world.root / "runs/tiny"
    def logits(name):
        measured = subprocess.run([test_distill.DISTILL, "--measure", folder / name, folder / "config.yaml"], cwd=world.root,
                                  env=world.env, capture_output=True, check=True).stdout
        return np.array(json.loads(measured)["logits"]).reshape(-1, 2)
    mean = (logits("01-teacher.h5") + logits("01-teacher-2.h5")) / 2
    agreement = (logits("03-distill.h5").argmax(1) == mean.argmax(1)).mean()
    row = json.loads((folder / "03-distill.json").read_text())["row"]
    expect(abs(row["teacher_agreement"] - agreement) < 1e-12, f"agreement with the mean of the teachers: {agreement:.4f}")


def check_kill(world):
    wanted = {p.name: p.read_bytes() for p in sorted((world.root / "runs/tiny").glob("*.h5"))}
    for i in range(4):
        process = subprocess.Popen(world.command("--set", "teacher.seeds=[3, 1]", runs="killed", config="several.yaml"),
                                   cwd=world.root, env=world.env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for line in process.stderr:
            if f"{'01-teacher-2' if i < 2 else '03-distill'}: starts" in line:
                break
        time.sleep(0.2)
        process.send_signal(signal.SIGKILL if i % 2 else signal.SIGINT)
        process.communicate()
    result = world.run("--set", "teacher.seeds=[3, 1]", runs="killed", config="several.yaml")
    got = {p.name: p.read_bytes() for p in sorted((world.root / "killed/tiny").glob("*.h5"))}
    expect(result.returncode == 0 and got == wanted, "after kills within the second teacher: the same bits")


def check_folders(world):
    """Several folders: two that answer, and some that do not fit together."""
    write_bert(world.root / "data/one", head=True)
    write_bert(world.root / "data/two", head=True, layers=2)
    config = SHORT.replace("  - {stage: teacher, epochs: 0.5, learning_rate: 1.0e-3}\n", "").replace("name: tiny", "name: folders")
    (world.root / "folders.yaml").write_text(config.replace("{folder: bert}", "{folder: [one, two]}"))
    result = world.run(config="folders.yaml", runs="both")
    expect(result.returncode == 0, f"two folders with classifiers {result.stderr[-300:] if result.returncode else ''}")
    each = []
    for name in ("one", "two"):
        (world.root / "each.yaml").write_text(config.replace("{folder: bert}", f"{{folder: {name}}}").replace("[1, 3]", "[0, 1]"))
        result = world.run(config="each.yaml", runs=name)
        expect(result.returncode == 0, f"{name} alone")
        each.append(logits_of(world.root / name).astype(np.float64))
    expect(np.array_equal(((each[0] + each[1]) / 2).astype(np.float32), logits_of(world.root / "both")), "their logits are averaged")

    (world.root / "two.yaml").write_text(SHORT.replace("  - {stage: logits", "  - {stage: teacher, epochs: 1}\n  - {stage: logits"))

    def refused(what, words, *sets, config="folders.yaml"):
        result = world.run(*(part for text in sets for part in ("--set", text)), config=config, runs="refused")
        message = result.stderr.strip().splitlines()[-1]
        expect(result.returncode == 5 and all(word in message for word in words) and "starts" not in result.stderr,
               f"{what}: exit {result.returncode}: {message[:220]}")
    write_bert(world.root / "data/cased", head=True)
    vocabulary = world.root / "data/cased/vocab.txt"
    vocabulary.write_text(vocabulary.read_text().replace("awful", "other"))
    refused("another tokenizer", ["teacher.folder", "cased", "other word pieces"], "teacher.folder=[one, cased]")
    write_bert(world.root / "data/swapped", head=True)
    path = world.root / "data/swapped/config.json"
    settings = json.loads(path.read_text())
    settings["id2label"], settings["label2id"] = {"0": "0", "1": "1"}, {"0": 0, "1": 1}
    path.write_text(json.dumps(settings))
    refused("labels in another order", ["teacher.folder", "swapped", "order"], "teacher.folder=[one, swapped]")
    refused("seeds and folders", ["teacher.folder", "several teachers"], "teacher.seeds=[1, 2]", "teacher.folder=[one, two]", config="several.yaml")
    refused("equal seeds", ["teacher.seeds", "1 twice"], "teacher.seeds=[1, 2, 1]", config="several.yaml")
    refused("seeds without a teacher stage", ["teacher.seeds", "teacher stage"], "teacher.seeds=[1, 2]", "teacher.folder=one")
    refused("a folder without classifier behind one with", ["bert", "no classifier"], "teacher.folder=[one, bert]")
    refused("seeds and two teacher stages", ["teacher.seeds", "one teacher stage"], "teacher.seeds=[1]", config="two.yaml")
    refused("seeds for a classifier that is kept", ["teacher.seeds", "keep"], "teacher.folder=one", config="several.yaml")


def main():
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        check_seeds(world)
        check_mean(world)
        check_kill(world)
        check_folders(world)
    sys.exit(test_distill.failures > 0)


main()
