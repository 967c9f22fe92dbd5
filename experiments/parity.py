"""Is fine-tuning by llmc as good as by transformers? Both train the same sets with the same settings over several
seeds; README.md in the folder of the results shows every seed's accuracy, the loss of the last epoch, means and
standard errors. A finished run is a line of runs.jsonl there: started again, the program goes on after the last one.

Sides: llmc is the teacher stage of build/cli/llmc-distill; transformers is PyTorch with AdamW for all parameters;
rowwise is PyTorch with SparseAdam for the word embedding. --curves trains without dropout from the same head in the
same order instead, once for each side; its lines are in curves.jsonl.
"""
import argparse
import json
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import parity_sets
import parity_table
from parity_sets import SETS

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent
sys.path.insert(0, str(HERE / "bench"))
import command  # noqa: E402
import machine  # noqa: E402

BATCH, TOKENS, WARMUP, DECAY, CLIP, DROPOUT = 32, 128, 0.1, 0.01, 1.0, 0.1
SIDES = {"llmc": None, "transformers": "adamw", "rowwise": "rowwise"}
CONFIG = """name: parity
seed: {seed}
threads: {threads}
precision: {precision}
checkpoint_seconds: 86400
data:
  folder: {files}
  text_pair: "{pair}"
  tokens_max: {tokens}
teacher:
  folder: {model}
stages:
  - stage: teacher
    epochs: {epochs}
    learning_rate: {rate:g}
    batch_size: {batch}
    warmup: {warmup}
    weight_decay: {decay}
    clip_norm: {clip}
    dropout: {dropout}
"""


class RunFailed(ValueError):
    pass


def parse():
    parser = argparse.ArgumentParser(prog="experiments/parity", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("LLMC_DATA"),
                        help="folder of the sets mrpc, trec, banking77 and sst2 (default: LLMC_DATA)")
    parser.add_argument("--out", default="experiments/results/parity",
                        help="folder of the results, relative to the repository or absolute (default: %(default)s)")
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--sides", nargs="+", choices=list(SIDES), default=["llmc", "transformers"])
    parser.add_argument("--seeds", type=int, default=5, help="(default: %(default)s)")
    parser.add_argument("--thin", type=int, default=1, metavar="N", help="only every N-th training row")
    parser.add_argument("--layers", type=int, metavar="N", help="only the first N layers of the model")
    parser.add_argument("--quick", action="store_true", help="to try it out: 2 seeds, 2 layers, every 8th training row")
    parser.add_argument("--curves", action="store_true", help="the same start and order, no dropout; no seeds")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="(default: all processors)")
    parser.add_argument("--model", default="data/models/minilm", help="(default: %(default)s)")
    parser.add_argument("--program", default="build/cli/llmc-distill", help="(default: %(default)s)")
    parser.add_argument("--name", default="llmc", help="what the results call this program (default: %(default)s)")
    args = parser.parse_args()
    if not args.data:
        parser.error("--data or LLMC_DATA must name the folder of the sets")
    if args.quick:
        args.seeds, args.thin, args.layers = min(args.seeds, 2), max(args.thin, 8), args.layers or 2
    if args.seeds < 1 or args.thin < 1:
        parser.error("--seeds and --thin are at least 1")
    return args


def first_layers(model, count, folder):
    """A folder with the first `count` layers of the model."""
    from safetensors.numpy import load_file, save_file  # here: --help shall work before the set-up
    folder.mkdir()
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(dict(config, num_hidden_layers=count)), encoding="utf-8")
    dropped = [f"layer.{layer}." for layer in range(count, config["num_hidden_layers"])]
    weights = load_file(model / "model.safetensors")
    save_file({name: value for name, value in weights.items() if not any(part in name for part in dropped)},
              folder / "model.safetensors")
    for name in ("vocab.txt", "tokenizer.json"):
        shutil.copy(model / name, folder)
    return folder


def settings(args, name, seed, dropout):
    return dict(epochs=SETS[name].epochs, rate=SETS[name].rate, batch=BATCH, tokens=TOKENS, warmup=WARMUP, decay=DECAY,
                clip=CLIP, dropout=dropout, seed=seed, threads=args.threads, precision=args.precision,
                model=str(args.model))


def output_of(arguments):
    done = subprocess.run(arguments, capture_output=True, text=True, cwd=REPOSITORY, check=False)
    if done.returncode != 0:
        raise RunFailed(f"{shlex.join(map(str, arguments))} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout


def train_llmc(args, name, files, of):
    folder = files / "runs"
    pair = "pair" if SETS[name].pair else ""
    (files / "config.yaml").write_text(CONFIG.format(files=files, pair=pair, **of), encoding="utf-8")
    output_of([str((REPOSITORY / args.program).resolve()), str(files / "config.yaml"), "--runs", str(folder),
               "--stop-after", "teacher"])
    report = json.loads((folder / "parity" / "report.json").read_text(encoding="utf-8"))
    metrics = next(folder.rglob("*teacher*.metrics.jsonl")).read_text(encoding="utf-8")
    found = dict(losses=[json.loads(line)["loss"] for line in metrics.splitlines()],
                 accuracy=report["stages"][0]["dev_accuracy"], versions=report["versions"])
    shutil.rmtree(folder)
    return found


def train_torch(rule, start, files, of):
    options = [text for key, value in of.items() for text in (f"--{key}", str(value))]
    return json.loads(output_of([sys.executable, str(HERE / "parity_torch.py"), "--files", str(files), "--rule", rule,
                                 "--start", start, *options]))


def train(args, name, rule, start, files, of):
    begun = time.monotonic()
    found = train_torch(rule, start, files, of) if rule else train_llmc(args, name, files, of)
    return dict(found, seconds=round(time.monotonic() - begun, 1))


def read_lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def epoch_losses(losses, epochs):
    size = len(losses) // epochs
    return [round(statistics.mean(losses[first:first + size]), 6) for first in range(0, len(losses), size)]


def run_one(args, name, seed, side, rows, folder, path):
    """Appends a line to the file at `path`, unless it has one of these settings."""
    of = settings(args, name, seed, 0.0 if args.curves else DROPOUT)
    run = dict(set=name, side=args.name if side == "llmc" else side, seed=seed, epochs=of["epochs"], rate=of["rate"],
               precision=args.precision, layers=args.layers, train_rows=rows[0], dev_rows=rows[1])
    if any(run.items() <= line.items() for line in read_lines(path)):
        return
    found = train(args, name, SIDES[side], "llmc" if args.curves else "torch", folder, of)
    run.update(accuracy=found["accuracy"], epoch_losses=epoch_losses(found["losses"], of["epochs"]),
               steps=len(found["losses"]), seconds=found["seconds"], versions=found["versions"],
               commit=machine.commit(REPOSITORY))
    if args.curves:
        run["losses"] = [round(loss, 6) for loss in found["losses"]]
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(run) + "\n")
    print(f"{name}, seed {seed}, {run['side']}: {100 * run['accuracy']:.2f} %, loss {run['epoch_losses'][-1]:.4f}, "
          f"{run['seconds']:.0f} s", file=sys.stderr, flush=True)


def run_all(args, folder, path):
    for name in args.sets:
        rows = parity_sets.write_files(args.data, name, args.thin, folder)
        for seed in range(1, 2 if args.curves else args.seeds + 1):
            for side in args.sides:
                run_one(args, name, seed, side, rows, folder, path)


def write_table(out):
    runs, curves = read_lines(out / "runs.jsonl"), read_lines(out / "curves.jsonl")
    versions = sorted({run["versions"] for run in runs + curves})
    made_by = shlex.join(["experiments/parity", *sys.argv[1:]])
    text = parity_table.table(runs, curves, made_by, "; ".join([*versions, machine.processor_name()]))
    (out / "README.md").write_text(text, encoding="utf-8")
    print(text)


def measure(args, folder, out):
    out.mkdir(parents=True, exist_ok=True)
    args.model = (REPOSITORY / args.model).resolve()
    if args.layers:
        args.model = first_layers(args.model, args.layers, folder / "model")
    args.layers = json.loads((args.model / "config.json").read_text(encoding="utf-8"))["num_hidden_layers"]
    run_all(args, folder, out / ("curves.jsonl" if args.curves else "runs.jsonl"))
    write_table(out)


def main():
    args = parse()
    return command.run(lambda folder: measure(args, folder, REPOSITORY / args.out))


if __name__ == "__main__":
    sys.exit(main())
