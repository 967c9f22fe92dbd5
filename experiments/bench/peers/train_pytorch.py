"""PyTorch's side of experiments/bench/train: a worker that trains, or answers, with PyTorch and transformers.

TODO
"""
import argparse
import ctypes
import json
import time

import torch
import transformers

import batches
import bert
import steps

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", required=True, choices=["distil", "finetune", "logits"])
    parser.add_argument("--setting", required=True, choices=["strongest", "usual"])
    parser.add_argument("--precision", default="bf16", choices=["bf16", "fp32"], help="of strongest; usual is fp32")
    parser.add_argument("--model", required=True, help="folder in Hugging Face's layout, with tokenizer.json")
    parser.add_argument("--texts", required=True, help="batch file, see texts.py")
    parser.add_argument("--batch", type=int, default=32, help="texts a batch")
    parser.add_argument("--batches", type=int, help="only so many batches a pass")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--attention", default="sdpa", choices=["sdpa", "eager"])
    parser.add_argument("--save-model", metavar="FOLDER", help="write the weights that training starts from")
    return parser.parse_args()


def keep_memory():
    """Lets malloc keep freed memory: gradients are freed in every step, and fresh pages cost a fault each."""
    libc = ctypes.CDLL(None)
    libc.mallopt(M_MMAP_THRESHOLD, 1 << 30)
    libc.mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)


def peak_rss_bytes():
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


def one_pass(step, data):
    start = time.perf_counter()
    losses = [step(batch) for batch in data]
    seconds = time.perf_counter() - start
    figures = dict(seconds=seconds, steps=len(data), examples=sum(len(batch.labels) for batch in data),
                   tokens=sum(batch.tokens for batch in data), peak_rss_bytes=peak_rss_bytes())
    return figures if losses[0] is None else dict(figures, losses=losses)


def say(figures):
    print(json.dumps(figures), flush=True)


def main():
    args = parse()
    strongest = args.setting == "strongest"
    if strongest:
        keep_memory()
    torch.set_num_threads(args.threads)
    data, labels = batches.read(args.texts, args.model, args.batch, None if strongest else args.seed, args.batches)
    torch.manual_seed(args.seed)
    model = bert.load(args.model, labels, args.attention)
    bert.set_dropout(model, args.dropout)
    step, model = steps.make(args.work, args.setting, args.precision, model)
    if args.save_model:
        bert.save(model, args.save_model, args.model)
    say(dict(ready=True, torch=torch.__version__, transformers=transformers.__version__,
             threads=torch.get_num_threads(), precision=args.precision if strongest else "fp32"))
    while True:
        try:
            line = input()
        except EOFError:
            break
        if line != "run":
            raise SystemExit(f'standard input: "{line}" is not "run"')
        say(one_pass(step, data))


if __name__ == "__main__":
    main()
