"""Speed of answering: llmc against ONNX Runtime, OpenVINO and PyTorch on this machine: ./infer sets up and starts this.

Of a finished run it takes model.llmc and the teacher's checkpoint. All programs answer the run's dev texts from text to
label, tokenizer included, one text a call and 32 a call of like lengths, and take turns on the machine; medians of the
rounds count. infer_comparisons.py says which settings of the peers were tried; the fastest are used.
"""
import argparse
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import command
import infer_comparisons as comparisons
import machine
import rounds
from progress import Progress, timed

REPOSITORY = Path(__file__).resolve().parents[2]
BUILD = REPOSITORY / "build"
QUICK_SECONDS = 540  # where --quick begins to save rounds, so that it ends within 10 minutes
CALIBRATION_TEXTS, SEED = 256, 1


def parse():
    parser = argparse.ArgumentParser(prog="experiments/bench/infer", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", required=True, metavar="FOLDER",
                        help="of a finished run with a teacher stage: runs/sst2")
    parser.add_argument("--quick", action="store_true", help="fewer rounds; at most 10 minutes")
    parser.add_argument("--json", action="store_true", help="the last line of the output is a JSON object")
    parser.add_argument("--out", metavar="FOLDER", help="also write speed.md and speed.json there")
    parser.add_argument("--rounds", type=int, help="timed passes of each worker (default: 15; quick: 7)")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="(default: all processors)")
    args = parser.parse_args()
    args.rounds = args.rounds or (7 if args.quick else 15)
    if args.rounds < 1 or args.threads < 2:
        parser.error("--rounds is at least 1, --threads at least 2: some peers answer a call in two parts")
    return args


class Settings:
    """What all workers share."""

    def __init__(self, args, folder):
        import finished_run  # here: --help shall work before the set-up
        import texts
        self.source = finished_run.Run(args.run, REPOSITORY)
        self.run, self.models = self.source.folder, folder
        self.program = BUILD / "cli" / "llmc"
        self.threads, self.rounds = args.threads, args.rounds
        self.deadline = time.monotonic() + QUICK_SECONDS if args.quick else None
        self.calibration, self.file = folder / "calibration.tsv", folder / "dev.tsv"
        train = self.source.rows("train")
        texts.write_rows(self.calibration, random.Random(SEED).sample(train, min(CALIBRATION_TEXTS, len(train))))
        self.rows = self.source.rows("dev")

    def sort_texts(self):
        """Texts of like lengths share a batch: padding costs the peers little. Needs the student's tokenizer."""
        import texts
        rows, order = texts.by_length(self.rows, texts.load_tokenizer(self.models / "student-hf"))
        texts.write_rows(self.file, rows)
        answers = self.source.answers()
        self.labels = [self.source.labels.index(label) for _, label in rows]
        self.expected = answers and [answers[row] for row in order]

    def command(self, member):
        return comparisons.command(member, self)

    def start_seconds(self, member):
        return comparisons.start_seconds(member)

    def pass_seconds(self, member):
        return len(self.rows) / member.guess


def make_models(settings, progress):
    from worker import Worker
    worker = Worker("models of the peers", comparisons.models_command(settings))
    try:
        worker.wait_until_ready()
        for what in worker.about["steps"]:
            progress.show(f"models: {what}")
            _, seconds = timed(worker.run)
            progress.done("models", seconds)
    finally:
        worker.close()
    return worker.about


def stripped_nbytes(library, folder):
    stripped = folder / "stripped.so"
    subprocess.run(["strip", "-o", str(stripped), str(library)], check=True)
    return stripped.stat().st_size


def measure_alone(settings, count):
    """`llmc bench` of the model: what has no peer."""
    done = subprocess.run([str(settings.program), "bench", str(settings.run / "model.llmc"), "--texts",
                           str(settings.file), "--threads", str(settings.threads), "--batches", "1,32", "--rounds",
                           str(count), "--json"], capture_output=True, text=True)
    if done.returncode:
        raise ValueError(done.stderr.strip())
    figures = json.loads(done.stdout.splitlines()[-1])
    del figures["file"]  # its path is this machine's
    return figures


def about(args, settings, workers, others):
    versions = {name: version for worker in workers for name, version in worker.items()
                if name not in ("ready", "steps")}
    return {"processor": machine.processor_name(), "threads": args.threads, "texts": len(settings.rows),
            "llmc": machine.commit(REPOSITORY), "other processes": f"{others.share():.0%} of the machine", **versions}


def measure(args, folder):
    import infer_summary
    settings, progress, others = Settings(args, folder), Progress(), machine.Others()
    progress.expect("models", 8, 3.0)
    rounds.plan(progress, comparisons.GROUPS, settings)
    workers = [make_models(settings, progress)]
    progress.drop("models")
    settings.sort_texts()
    passes = {}
    for name, members in comparisons.GROUPS.items():
        group_passes, group_about = rounds.run_group(name, members, settings, progress)
        passes.update(group_passes)
        workers += group_about.values()
    alone = measure_alone(settings, args.rounds)
    progress.finish()
    result = infer_summary.flat(passes, settings.labels, settings.expected)
    result["int8_peak_share_b32"] = alone["int8_peak_share_b32"]
    result["first_answer_ms"] = alone["first_answer_ms"]
    result["library_bytes"] = stripped_nbytes(BUILD / "runtime" / "libllmc_runtime.so", folder)
    result["llmc_bench"] = alone
    result["about"] = about(args, settings, workers, others)
    result["targets"] = {key: dict(target=target, at_most=at_most, met=met)
                         for key, _, target, at_most, met in infer_summary.targets(result)}
    return result, infer_summary.report(result)


def write(out, arguments, result, report):
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    table = "\n".join(f"    {line}".rstrip() for line in report.splitlines())
    text = f"# Speed of answering\n\n`experiments/bench/infer {arguments}`; `speed.json` has all figures.\n\n{table}\n"
    (out / "speed.md").write_text(text, encoding="utf-8")
    (out / "speed.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def main():
    args = parse()

    def work(folder):
        result, report = measure(args, folder)
        print(report)
        if args.out:
            write(args.out, f"--run {Path(args.run).name}" + " --quick" * args.quick, result, report)
        if args.json:
            print(json.dumps(result))
    return command.run(work)


if __name__ == "__main__":
    sys.exit(main())
