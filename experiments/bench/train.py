"""Training speed of llmc against PyTorch on this machine: ./train sets up and starts this.

Workers of both sides read the same batches of texts and take turns on the machine; medians of the rounds count.
"strongest" is PyTorch as fast as we could make it, in bf16; "usual" is what a common training script does, in fp32.
peers/train_pytorch.py says what both do. The batches are a sample of SST-2, where LLMC_DATA has sst2/train.tsv, or
else of the default movie data.
"""
import argparse
import json
import os
import sys
import time
from pathlib import Path

import command
import comparisons
import machine
import rounds
import scaling
import summary
import tables
from progress import Progress

REPOSITORY = Path(__file__).resolve().parents[2]
QUICK_SECONDS = 540  # where --quick begins to save rounds, so that it ends within 10 minutes
BATCH, SEED = 32, 1


def parse():
    parser = argparse.ArgumentParser(prog="experiments/bench/train", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer texts and rounds; at most 10 minutes")
    parser.add_argument("--json", action="store_true", help="the last line of the output is a JSON object")
    parser.add_argument("--texts", type=int, help="texts of a pass (default: 2560; quick: 1280)")
    parser.add_argument("--rounds", type=int, help="timed passes of each worker (default: 11; quick: 5)")
    parser.add_argument("--work", nargs="+", choices=list(comparisons.GROUPS), default=None,
                        help="only these (default: all)")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="(default: all processors)")
    parser.add_argument("--scaling", action="store_true",
                        help="our time per token by batch, length and threads instead; with --work besides")
    parser.add_argument("--model", default="data/models/minilm", help="folder with 6 layers (default: %(default)s)")
    parser.add_argument("--program", help="another llmc than build/cli/llmc")
    args = parser.parse_args()
    args.texts = args.texts or (1280 if args.quick else 2560)
    args.rounds = args.rounds or (5 if args.quick else 11)
    if min(args.texts // BATCH, args.rounds, args.threads) < 1:
        parser.error(f"--texts is at least {BATCH}, --rounds and --threads at least 1")
    return args


class Settings:
    """What all workers of a run share."""

    def __init__(self, args, folder):
        import texts  # here: --help shall work before the set-up
        self.model = (REPOSITORY / args.model).resolve()
        self.tokenizer = texts.load_tokenizer(self.model)
        self.batch, self.seed, self.threads, self.rounds = BATCH, SEED, args.threads, args.rounds
        self.program = args.program
        self.deadline = time.monotonic() + QUICK_SECONDS if args.quick else None
        self.data, source = texts.find_texts(REPOSITORY)
        rows = texts.grouped_by_length(texts.read_rows(source), self.tokenizer, args.texts, BATCH, SEED)
        self.file, self.texts = folder / "batches.tsv", len(rows)
        texts.write_rows(self.file, rows)
        # a fifth of the texts: the usual training is that much slower, and its batches are alike
        self.usual_batches = max(self.texts // BATCH // 5, 1)

    def command(self, member):
        return comparisons.command(member, self)

    def start_seconds(self, member):
        return comparisons.start_seconds(member)

    def pass_seconds(self, member):
        return comparisons.texts_of_pass(member, self) / member.guess


def about(args, settings, workers, others):
    peer = next((a for a in workers.values() if "torch" in a), {})
    known = {"processor": machine.processor_name(), "threads": args.threads, "texts": settings.texts,
             "of": settings.data, "batch": BATCH, "llmc": machine.commit(REPOSITORY),
             "other processes": f"{others.share():.0%} of the machine"}
    return dict(known, **{name: peer[name] for name in ("torch", "transformers") if name in peer})


def measure(args, folder):
    settings, progress, others = Settings(args, folder), Progress(), machine.Others()
    wanted = args.work or ([] if args.scaling else list(comparisons.GROUPS))
    groups = {name: members for name, members in comparisons.GROUPS.items() if name in wanted}
    passes, workers = {}, {}
    rounds.plan(progress, groups, settings)
    for name, members in groups.items():
        group_passes, group_about = rounds.run_group(name, members, settings, progress)
        workers.update(group_about)
        passes.update(group_passes)
    result = summary.flat(passes, comparisons.RATIOS)
    if args.scaling:
        result["scaling"] = scaling.run(settings, progress, folder)
    progress.finish()
    result["about"] = about(args, settings, workers, others)
    return result


def main():
    args = parse()

    def work(folder):
        result = measure(args, folder)
        print(tables.report(result, comparisons.RATIOS))
        if args.json:
            print(json.dumps(result))
    return command.run(work)


if __name__ == "__main__":
    sys.exit(main())
