"""PyTorch's side of experiments/bench/train: a worker that trains, or answers, with PyTorch and transformers.

strongest  bf16 autocast, the file's batches padded to their longest text, dense AdamW(fused=True) and SparseAdam for
           the word embedding (optimizers.py), cached logits for distil; all weights in bf16 for logits
usual      fp32, the same texts in seeded random batches padded to their longest text, AdamW as it comes, and for distil
           the teacher's forward pass inside the loop

Tokens are made before the clock starts in both.

What was tried for strongest, with torch 2.13.0, transformers 5.23.0
and MiniLM (3 layers for distil) on SST-2 by 32, dropout 0 for distil and 0.1 for finetune. Wall time on two processors
with AMX, in texts/s of distil; SparseAdam and malloc were measured there with dropout 0.1:
  AdamW for all, fused 404; malloc keeps freed memory 477; SparseAdam for the words besides 597; with dropout 0
  and eager attention 733
CPU time of one thread, in ms a step (less is better), as the machine had other work:
  distil    AdamW for all: sdpa 140, eager 103; SparseAdam: sdpa 120, eager 78, eager without the mask where nothing is
            padded 76; foreach instead of fused 138 (sdpa, beside 120); flushed denormals 119 (beside 120)
            another hour: eager 71; bf16 weights with fp32 masters 70; torch.compile of the layers 72, with sdpa 119
            (of the whole model it fails on the sparse embedding)
  finetune  sdpa 172, eager 169; another hour: eager 157, without needless masks 152, fp32 masters 152
  logits    autocast 46.1, bf16 weights 31.5, with eager 31.7; without malloc's setting 35.3
sdpa is slow in training without dropout because CPU flash attention's backward does not like texts this short.
Longer spinning of OpenMP's threads and huge pages changed nothing beyond noise; gradients that are zeroed instead of
freed were slower (375 beside 404).
"""
import argparse
import ctypes
import time

import torch
import transformers

import batches
import bert
import steps
from serving import say, serve

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
    parser.add_argument("--adamw-words", action="store_true",
                        help="strongest: AdamW for the word embedding too, as llmc trains; slower than SparseAdam")
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


def main():
    args = parse()
    strongest = args.setting == "strongest"
    if strongest:
        keep_memory()
    torch.set_num_threads(args.threads)
    data, labels = batches.read(args.texts, args.model, args.batch, limit=args.batches, drop_full_masks=strongest,
                                shuffle_seed=None if strongest else args.seed)
    torch.manual_seed(args.seed)
    model = bert.load(args.model, labels, steps.attention(args.work, args.setting))
    bert.set_dropout(model, args.dropout)
    step, model = steps.make(args.work, args.setting, args.precision, model, not args.adamw_words)
    if args.save_model:
        bert.save(model, args.save_model, args.model)
    say(dict(ready=True, torch=torch.__version__, transformers=transformers.__version__,
             threads=torch.get_num_threads(), precision=args.precision if strongest else "fp32"))
    serve(lambda: one_pass(step, data))


if __name__ == "__main__":
    main()
