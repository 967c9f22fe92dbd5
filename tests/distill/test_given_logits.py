"""Answers made elsewhere: what a run makes of them, and files that are refused. Arguments: llmc-distill, llmc, print_logits
(for test_distill.py, whose tiny BERT and texts serve here too)."""
import gzip
import json
import re
import sys
import tempfile
import zlib
from pathlib import Path

import h5py
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
import test_distill  # noqa: E402
from test_distill import CONFIG, World, expect  # noqa: E402

PROBABILITY_TOLERANCE = 1e-5  # the logarithm of probabilities that were rounded to FP32

SHORT = re.sub(r"epochs: \d", "epochs: 0.5", CONFIG[:CONFIG.index("  - {stage: prune")])
GIVEN = SHORT.replace("{stage: logits}", "{stage: logits, from: FILE}")
ALONE = GIVEN.replace("  - {stage: teacher, epochs: 0.5, learning_rate: 1.0e-3}\n", "")


def read_logits(runs):
    with h5py.File(next(runs.glob("store/*/logits.h5"))) as file:
        return file["logits"][...]


def write_h5(path, logits, texts=None, labels="0\n1", number=np.float32):
    with h5py.File(path, "w") as file:
        file["logits"] = np.asarray(logits, number)
        if texts:
            file["crc32"] = np.array([zlib.crc32(text.encode()) for text in texts])
        if labels:
            file.attrs["labels"] = np.bytes_(labels)


def main():
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        texts = [line.split("\t")[0] for line in (world.root / "data/texts/train.tsv").read_text().splitlines()[1:]]
        more = [f"{text} it is" for text in texts[:7]]
        (world.root / "data/texts/more.txt").write_text("\n".join(more) + "\n")

        def run(config, name, file, *sets):
            (world.root / "given.yaml").write_text(config.replace("FILE", str(file)))
            return world.run(*(part for text in sets for part in ("--set", text)), config="given.yaml", runs=name)

        result = run(SHORT, "own", "")
        expect(result.returncode == 0, f"a run with its own teacher {result.stderr[-300:] if result.returncode else ''}")
        logits, student = read_logits(world.root / "own"), (world.root / "own/tiny/03-distill.h5").read_bytes()

        def same(what, name, file, *sets):
            result = run(GIVEN, name, file, *sets)
            expect(result.returncode == 0 and np.array_equal(read_logits(world.root / name), logits),
                   f"{what}: the same logits {result.stderr[-300:] if result.returncode else ''}")

        same("the stage's own product", "h5", next((world.root / "own/store").glob("*/logits.h5")))
        with h5py.File(world.root / "h5/tiny/03-distill.h5") as given, h5py.File(world.root / "own/tiny/03-distill.h5") as own:
            names = list(own["parameters"])
            expect(all(np.array_equal(given["parameters"][name][...], own["parameters"][name][...]) for name in names),
                   "and with the same teacher to start from the same student, bit by bit")
        write_h5(world.root / "hashed.h5", logits[:, ::-1], texts, "1\n0")
        same("HDF5 with hashes and turned labels", "hashed", world.root / "hashed.h5")
        rows = [f"{text}\t{float(b)!r}\t{float(a)!r}" for text, (a, b) in zip(texts, logits)]
        (world.root / "answers.tsv").write_text("sentence\t1\t0\n" + "\n".join(rows) + "\n")
        same("a TSV with texts and turned labels", "tsv", "answers.tsv")
        (world.root / "blank.tsv").write_text((world.root / "answers.tsv").read_text() + "\n\n")
        same("a TSV with empty lines at its end", "blank", "blank.tsv")
        with gzip.open(world.root / "short.tsv.gz", "wt") as file:
            file.write("0\t1\n" + "".join(f"{float(a)!r}\t{float(b)!r}\n" for a, b in logits))
        same("a packed TSV without texts", "packed", "short.tsv.gz")

        exponents = np.exp(logits.astype(np.float64))
        probabilities = exponents / exponents.sum(1, keepdims=True)
        write_h5(world.root / "probabilities.h5", np.vstack([probabilities, [[0, 1]] * len(more)]), texts + more)
        result = run(ALONE, "alone", "probabilities.h5", "stages.logits.holds=probabilities", "data.unlabeled=[more.txt]")
        expect(result.returncode == 0 and "dev accuracy" in result.stderr and "agreement" not in result.stderr,
               f"without a teacher stage, and so without agreement {result.stderr[-300:] if result.returncode else ''}")
        got = read_logits(world.root / "alone")
        apart = np.abs(np.diff(got[:len(texts)], axis=1) - np.diff(logits.astype(np.float64), axis=1)).max()
        expect(apart <= PROBABILITY_TOLERANCE, f"probabilities are logits again: within {apart:.1e}")
        expect(got.shape == (607, 2) and np.allclose(got[-1], [np.log(1e-6), 0]), "a probability of 0 counts as 1e-6")
        report = json.loads((world.root / "alone/tiny/report.json").read_text())["stages"]
        expect([row["name"] for row in report] == ["00-start", "01-logits", "02-distill"] and
               report[2]["dev_accuracy"] is not None and report[2]["teacher_agreement"] is None, "the report has no teacher")
        again = run(ALONE, "alone", "probabilities.h5", "stages.logits.holds=probabilities", "data.unlabeled=[more.txt]")
        expect(again.stderr.count("finished before") == 3, "a second start repeats nothing")
        write_h5(world.root / "probabilities.h5", np.vstack([probabilities, [[1, 0]] * len(more)]), texts + more)
        changed = run(ALONE, "alone", "probabilities.h5", "stages.logits.holds=probabilities", "data.unlabeled=[more.txt]")
        expect("01-logits: starts" in changed.stderr and "02-distill: starts" in changed.stderr, "another content does")

        write_h5(world.root / "printed.h5", np.floor(100 * probabilities) / 100)
        result = run(ALONE, "printed", "printed.h5", "stages.logits.holds=probabilities")
        got = read_logits(world.root / "printed") if result.returncode == 0 else np.zeros(2)
        expect(result.returncode == 0 and np.allclose(np.exp(got).sum(1), 1, atol=1e-5), "probabilities of two digits sum to 1 again")

        def refused(what, words, status, *sets, config=GIVEN, file="bad.h5"):
            result = run(config, "refused", file, *sets)
            message = result.stderr.strip().splitlines()[-1]
            expect(result.returncode == status and all(word in message for word in words) and "starts" not in result.stderr,
                   f"{what}: exit {result.returncode}: {message[:210]}")

        def refused_h5(what, words, status, *arguments, sets=(), **more):
            write_h5(world.root / "bad.h5", *arguments, **more)
            refused(what, ["bad.h5", *words], status, *sets)

        bad = logits.copy()
        bad[41, 1] = np.nan
        refused_h5("a number that is none", ["row 42", "\"1\"", "not finite"], 6, bad)
        refused_h5("too few rows", ["599 texts", "600 training texts"], 6, logits[:-1])
        refused_h5("too many rows", ["601 texts"], 6, np.vstack([logits, logits[:1]]))
        refused_h5("too many labels", ["[600, 2]"], 6, np.hstack([logits, logits]))
        refused_h5("numbers in FP64", ["logits"], 4, logits, number=np.float64)
        refused_h5("no names of labels", ["labels"], 4, logits, labels=None)
        refused_h5("a label named twice", ["\"0\"", "twice"], 6, logits, labels="0\n0")
        refused_h5("another label", ["no label \"2\""], 6, logits, labels="0\n2")
        refused_h5("a label too few", ["1 names", "2 labels"], 6, logits, labels="0")
        refused_h5("answers to other texts", ["crc32", "row 1 "], 6, logits, texts[1:] + texts[:1])
        refused_h5("logits for probabilities", ["row ", "holds: logits"], 6, 3 * logits, sets=("stages.logits.holds=probabilities",))
        (world.root / "bad.h5").write_bytes(b"no HDF5")
        refused("no HDF5 file", ["bad.h5"], 4)
        refused("a missing file", ["from", "nowhere.h5"], 3, file="nowhere.h5")
        refused("with variants", ["from", "augment"], 5, file="answers.tsv",
                config=GIVEN.replace("  - {stage: logits", "  - {stage: augment}\n  - {stage: logits"))
        for what, words, old, new in (("no number", [":3", "\"x\""], rows[1], f"{texts[1]}\tx\t0"),
                                      ("infinity", [":3", "finite"], rows[1], f"{texts[1]}\tinf\t0"),
                                      ("another text", [":3", "another text", "text 2"], rows[1], "good\t1\t0"),
                                      ("a column too few", [":3", "2 columns"], rows[1], "1\t0"),
                                      ("no column of a label", [":1", "no column \"1\""], "sentence\t1\t0", "sentence\tx\t0"),
                                      ("a row too few", ["599 texts"], rows[-1] + "\n", ""),
                                      ("a row too many", ["more than 600 texts"], rows[-1], f"{rows[-1]}\n{rows[-1]}")):
            content = (world.root / "answers.tsv").read_text()
            (world.root / "bad.tsv").write_text(content.replace(old, new) if old == rows[-1] + "\n" else content.replace(old, new, 1))
            refused(f"a TSV with {what}", ["bad.tsv", *words], 6, file="bad.tsv")
    sys.exit(test_distill.failures > 0)


main()
