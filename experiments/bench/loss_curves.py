"""Losses of llmc and PyTorch from the same weights on the same batches, without dropout.

PyTorch trains in fp32 and in bf16 (autocast), llmc in fp32, fp16 and bf16; all with the same AdamW. Without dropout
nothing is random, so what differs is rounding. How far PyTorch's bf16 is from PyTorch's fp32 shows how much of that
is to be expected. Writes losses.csv, losses.svg and README.md into a folder.
"""
import argparse
import csv
import os
import sys
from pathlib import Path

import command
import svg
from comparisons import our_command, peer_command
from progress import Progress, timed
from worker import Worker

REPOSITORY = Path(__file__).resolve().parents[2]
BATCH, SEED = 32, 1
WORKS = ["finetune", "distil"]
REFERENCE = "PyTorch fp32"
CURVES = [("PyTorch", "fp32"), ("PyTorch", "bf16"), ("llmc", "fp32"), ("llmc", "fp16"), ("llmc", "bf16")]
STEP_SECONDS = {"PyTorch fp32": 0.3, "PyTorch bf16": 0.12, "llmc fp32": 0.1, "llmc fp16": 0.05, "llmc bf16": 0.04}


def parse():
    parser = argparse.ArgumentParser(prog="experiments/bench/loss_curves", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, help="folder of the results, relative to the repository or absolute")
    parser.add_argument("--steps", type=int, default=300, help="(default: %(default)s)")
    parser.add_argument("--smooth", type=int, default=20, help="steps of the moving mean (default: %(default)s)")
    parser.add_argument("--work", nargs="+", choices=WORKS, default=WORKS)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="(default: all processors)")
    parser.add_argument("--model", default="data/models/minilm", help="folder with 6 layers (default: %(default)s)")
    parser.add_argument("--program", help="another llmc than build/cli/llmc")
    args = parser.parse_args()
    if args.steps < 2 or args.smooth < 1:
        parser.error("--steps is at least 2, --smooth at least 1")
    args.smooth = min(args.smooth, args.steps)
    return args


def batch_file(args, folder):
    """As many batches as there are steps, or all texts, which then come again."""
    import texts  # here: --help shall work before the set-up
    name, source = texts.find_texts(REPOSITORY)
    tokenizer = texts.load_tokenizer(REPOSITORY / args.model)
    rows = texts.grouped_by_length(texts.read_rows(source), tokenizer, args.steps * BATCH, BATCH, SEED)
    texts.write_rows(folder / "batches.tsv", rows)
    return name, folder / "batches.tsv"


def worker_command(args, work, side, precision, model, file, save=None):
    common = (model, file, BATCH, args.threads, SEED)
    if side == "llmc":
        return our_command(work, precision, *common, dropout=0.0, program=args.program)
    options = ["--precision", precision, "--adamw-words"] + (["--save-model", save] if save else [])
    return peer_command(work, "strongest", *common, *options, dropout=0.0)


def losses(name, arguments, steps):
    worker, found = Worker(name, arguments), []
    try:
        worker.wait_until_ready()
        while len(found) < steps:
            found += worker.run()["losses"]
    finally:
        worker.close()
    return found[:steps]


def curves(args, work, file, folder, progress):
    """{name: losses}; the first worker writes the start, from which all go."""
    start, result = folder / f"start-{work}", {}
    for side, precision in CURVES:
        name = f"{side} {precision}"
        progress.show(f"{work}: {name}")
        save = None if start.exists() else start
        model = start if start.exists() else (REPOSITORY / args.model).resolve()
        arguments = worker_command(args, work, side, precision, model, file, save)
        result[name], seconds = timed(lambda: losses(f"{work}, {name}", arguments, args.steps))
        progress.done(f"{work} {name}", seconds)
    return result


def smoothed(values, window):
    """Means of `window` values in a row: window - 1 fewer than there were."""
    return [sum(values[i:i + window]) / window for i in range(len(values) - window + 1)]


def difference_rows(curves_of, window):
    for work, lines in curves_of.items():
        reference = smoothed(lines[REFERENCE], window)
        for name, values in lines.items():
            own = smoothed(values, window)
            apart = [abs(a - b) for a, b in zip(own, reference)]
            yield work, name, own[-1], max(apart), sum(apart) / len(apart)


def write_csv(path, curves_of):
    with open(path, "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["work", "step", *(f"{side} {precision}" for side, precision in CURVES)])
        for work, lines in curves_of.items():
            for step, values in enumerate(zip(*lines.values()), 1):
                rows.writerow([work, step, *(f"{value:.7g}" for value in values)])


def write_readme(path, curves_of, args, data):
    lines = [
        "# Loss curves", "",
        f"{args.steps} steps of {BATCH} texts of {data}, the same start and the same batches in the same order, "
        "no dropout, AdamW with a constant rate of 1e-4. Losses are moving means over "
        f"{args.smooth} steps; differences are absolute and to {REFERENCE}. The row of PyTorch bf16 is the noise "
        "that 16-bit operands cause by themselves.", "",
        "| work | | last loss | largest difference | mean difference |", "|---|---|---|---|---|"]
    lines += [f"| {work} | {name} | {last:.4f} | {most:.2g} | {mean:.2g} |"
              for work, name, last, most, mean in difference_rows(curves_of, args.smooth)]
    made_by = f"experiments/bench/loss_curves --steps {args.steps} --out FOLDER"
    lines += ["", "![losses](losses.svg)", "", f"`losses.csv` has every step. Made by `{made_by}`."]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def measure(args, folder, out):
    progress = Progress()
    data, file = batch_file(args, folder)
    for work in args.work:
        for side, precision in CURVES:
            name = f"{side} {precision}"
            seconds = args.steps * STEP_SECONDS[name] * (2 if work == "finetune" else 1)
            progress.expect(f"{work} {name}", 1, 5 + seconds)
    found = {work: curves(args, work, file, folder, progress) for work in args.work}
    progress.finish()
    out.mkdir(parents=True, exist_ok=True)
    write_csv(out / "losses.csv", found)
    panels = [(work, {name: smoothed(values, args.smooth) for name, values in lines.items()})
              for work, lines in found.items()]
    (out / "losses.svg").write_text(svg.chart(panels, f"step (mean of {args.smooth})"), encoding="utf-8")
    write_readme(out / "README.md", found, args, data)
    print(f"{out}/README.md")


def main():
    args = parse()
    return command.run(lambda folder: measure(args, folder, REPOSITORY / args.out))


if __name__ == "__main__":
    sys.exit(main())
