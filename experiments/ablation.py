"""Runs variants of a configuration over seeds and shows every seed and the medians, as a table in Markdown: what a
method brings, with and without it, everything else equal; or a curve of bytes against accuracy.

A variant is NAME, or NAME:KEY=VALUE;KEY=VALUE with keys as llmc-distill --set takes them, or NAME@CONFIG with a
configuration of its own, or both (NAME@CONFIG:KEY=VALUE). The figures are those of the last row that the runtime
measured, and of the teacher's. Variants share finished stages, and a run that is finished is not repeated, so the
program may be stopped and started again.

    experiments/ablation configs/movie.yaml --seeds 1 2 3 --variants full "no-augment:stages.augment=off" --out FOLDER
"""
import argparse
import json
import shlex
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent
sys.path.insert(0, str(HERE / "bench"))
import machine  # noqa: E402


class Variant:
    def __init__(self, text, config):
        head, _, sets = text.partition(":")
        self.name, _, own = head.partition("@")
        self.config = own or config
        self.sets = [part for part in sets.split(";") if part]
        if not self.name.replace("-", "").replace("_", "").replace(".", "").isalnum():
            raise argparse.ArgumentTypeError(f"a variant's name is of letters, digits, '-', '_' and '.': {text}")


def parse():
    parser = argparse.ArgumentParser(prog="experiments/ablation", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config")
    parser.add_argument("--variants", nargs="+", required=True, metavar="VARIANT")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="for all variants")
    parser.add_argument("--runs", default="runs", help="where run folders are (default: %(default)s)")
    parser.add_argument("--out", metavar="FOLDER", help="writes README.md and runs.jsonl there")
    parser.add_argument("--program", default="build/cli/llmc-distill", help="(default: %(default)s)")
    args = parser.parse_args()
    args.variants = [Variant(text, args.config) for text in args.variants]
    if len({variant.name for variant in args.variants}) < len(args.variants):
        parser.error("two variants have one name")
    return args


def run(args, variant, seed):
    name = f"{Path(variant.config).stem}-{variant.name}-{seed}"
    sets = [*args.set, *variant.sets, f"name={name}", f"seed={seed}"]
    command = [str((REPOSITORY / args.program).resolve()), variant.config, "--runs", args.runs,
               *(part for text in sets for part in ("--set", text))]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        sys.exit(f"{shlex.join(command)} ended with {done.returncode}")
    return json.loads((Path(args.runs) / name / "report.json").read_text(encoding="utf-8"))


def figures(variant, seed, report):
    rows = report["stages"]
    answered = [row for row in rows if row["engine"] == "runtime"]
    teacher, file = rows[0], answered[-1] if answered else None
    if file is None:
        sys.exit(f"{variant.name}: no stage of {variant.config} measures with the runtime; it needs export and verify")
    return {"variant": variant.name, "seed": seed, "teacher": teacher["dev_accuracy"], "accuracy": file["dev_accuracy"],
            "agreement": file["teacher_agreement"], "f1": file.get("dev_f1"), "divergence": file.get("teacher_divergence"),
            "bytes": file["file_bytes"], "texts_per_s": file["throughput_per_s_b32"],
            "latency_ms": file["latency_ms_b1_p50"], "seconds": sum(row["seconds"] for row in rows),
            "sets": variant.sets, "config": variant.config, "commit": machine.commit(REPOSITORY),
            "data": report["data"], "precision": report["precision"], "machine": report["machine"]}


def median(found, key):
    return statistics.median(run[key] for run in found)


def table(runs, variants):
    lines = ["| variant | accuracy, median | every seed | teacher | of the teacher | agrees | KL | bytes | texts/s | whole run |",
             "|---|---|---|---|---|---|---|---|---|---|"]
    for variant in variants:
        found = [run for run in runs if run["variant"] == variant.name]
        if not found:
            continue
        accuracy, teacher = median(found, "accuracy"), median(found, "teacher")
        seeds = ", ".join(f"{100 * run['accuracy']:.2f}" for run in found)
        lines.append(f"| {variant.name} | {100 * accuracy:.2f} % | {seeds} | {100 * teacher:.2f} % | "
                     f"{100 * statistics.median(run['accuracy'] / run['teacher'] for run in found):.1f} % | "
                     f"{100 * median(found, 'agreement'):.2f} % | {median(found, 'divergence'):.3f} | "
                     f"{median(found, 'bytes'):,.0f} | {median(found, 'texts_per_s'):,.0f} | {median(found, 'seconds') / 60:.0f} min |")
    return "\n".join(lines) + "\n"


def document(args, runs):
    settings = "\n".join(f"- {v.name}: `{v.config}`" + "".join(f", `{text}`" for text in v.sets) for v in args.variants)
    first = runs[0]
    return (f"{table(runs, args.variants)}\n{settings}\n\nSeeds {', '.join(map(str, args.seeds))}; {first['data']}; "
            f"{first['precision']}; {first['machine']}; commit {first['commit']}. Accuracy of the file, answered by the runtime. "
            f"Made by `{shlex.join(['experiments/ablation', *sys.argv[1:]])}`.\n")


def main():
    args = parse()
    runs = []
    for seed in args.seeds:
        for variant in args.variants:
            runs.append(figures(variant, seed, run(args, variant, seed)))
            print(f"seed {seed}, {variant.name}: {100 * runs[-1]['accuracy']:.2f} %, {runs[-1]['bytes']:,} bytes",
                  file=sys.stderr, flush=True)
            if args.out:
                out = Path(args.out)
                out.mkdir(parents=True, exist_ok=True)
                (out / "runs.jsonl").write_text("".join(json.dumps(run) + "\n" for run in runs), encoding="utf-8")
                (out / "README.md").write_text(document(args, runs), encoding="utf-8")
    print(document(args, runs), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
