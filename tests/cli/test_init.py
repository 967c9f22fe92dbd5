"""A compressed checkpoint back into training: student.init, and an exported folder as a teacher. Arguments as those of
test_distill.py, whose tiny BERT and texts serve here too."""
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "runtime"))
import llmc_file  # noqa: E402
import test_distill  # noqa: E402
from test_distill import CONFIG, LLMC, World, expect, write_bert  # noqa: E402


def check_init(world):
    head, _ = CONFIG.split("stages:\n")
    head = head.replace("name: tiny", "name: again").replace("from_layers: [1, 3]", "init: runs/tiny/model.llmc")
    stages = "stages:\n  - {stage: teacher, epochs: 0.1}\n  - {stage: logits}\n  - {stage: distill, epochs: 0.05, learning_rate: 1.0e-30}\n"
    (world.root / "again.yaml").write_text(head + stages)
    run = lambda *sets: world.run(*(part for text in sets for part in ("--set", text)), runs="init", config="again.yaml")
    result = run()
    expect(result.returncode == 0, f"a run from a compressed checkpoint {result.stderr[-300:] if result.returncode else ''}")
    tensors, _ = llmc_file.read(world.root / "runs/tiny/model.llmc")
    with h5py.File(world.root / "init/again/03-distill.h5") as file:
        same = [np.abs(file["parameters/" + name][...] - value).max() < 1e-20 for name, value in tensors.items()]
        expect(all(same) and len(same) > 40, f"the student starts from what {len(same)} parameters of the checkpoint mean")
        expect("masks" not in file and file.attrs["weight_bits"] == 0, "and keeps neither masks nor integers")
    copy = world.root / "copy.llmc"
    shutil.copy(world.root / "runs/tiny/model.llmc", copy)
    expect("03-distill: finished before" in run("student.init=copy.llmc").stderr, "the same content elsewhere repeats nothing")
    shutil.copy(world.root / "other/tiny/model.llmc", copy)
    expect("03-distill: starts" in run("student.init=copy.llmc").stderr, "other content repeats the stage")

    exported = world.root / "data/exported"
    subprocess.run([LLMC, "export", world.root / "runs/tiny/model.llmc", "--to", "safetensors", "-o", exported], check=True,
                   stdout=subprocess.DEVNULL)
    (world.root / "back.yaml").write_text(head.replace("folder: bert", "folder: exported").replace("init: runs/tiny/model.llmc", "")
                                          + "stages:\n  - {stage: teacher}\n")
    result = world.run(runs="back", config="back.yaml")
    with h5py.File(world.root / "back/again/01-teacher.h5") as file:
        same = [np.array_equal(file["parameters/" + name][...], value) for name, value in tensors.items()]
    expect(result.returncode == 0 and all(same), "an exported folder is a teacher with the same weights and labels")

    def refused(what, words, status, *sets):
        result = run(*sets)
        message = result.stderr.strip().splitlines()[-1]
        expect(result.returncode == status and all(w in message for w in words) and "starts" not in result.stderr,
               f"init, {what}: exit {result.returncode}: {message[:230]}")

    shutil.copytree(world.root / "data/bert", world.root / "data/reordered")
    vocabulary = world.root / "data/reordered/vocab.txt"
    lines = vocabulary.read_text().splitlines()
    vocabulary.write_text("\n".join(lines[:-2] + lines[:-3:-1]) + "\n")
    copy.write_bytes(copy.read_bytes()[:-100])
    file = "runs/tiny/model.llmc"
    refused("missing", ["student.init", "nowhere.llmc"], 3, "student.init=nowhere.llmc")
    refused("damaged", ["student.init", "copy.llmc"], 4, "student.init=copy.llmc")
    refused("other depth", ["student.layers is 3", file, "has 2"], 5, "student.layers=3")
    refused("other width", ["student.ffn is 100", file, "has 384"], 5, "student.ffn=100")
    refused("longer texts", ["data.tokens_max is 30", file, "at most 24"], 5, "data.tokens_max=30")
    refused("other word pieces", ["teacher.folder", "word pieces", file], 5, "teacher.folder=reordered")
    refused("other labels", ["data.label", '"1", "0"', '"0", "1"', file], 5, "teacher.folder=answering")
    refused("its own file", ["student.init", "this very run"], 5, "student.init=init/again/config.yaml")


def main():
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        expect(world.run().returncode == 0 and world.run("--set", "seed=4", runs="other").returncode == 0,
               "two runs make two checkpoints")
        write_bert(world.root / "data/answering", head=True)
        check_init(world)
    sys.exit(test_distill.failures > 0)


main()
