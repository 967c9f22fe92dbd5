"""One fine-tuning by PyTorch and transformers, as Trainer does it; for experiments/parity.py. Prints JSON.

A batch is computed in parts of texts of like lengths whose gradients add up: the same sums as of the whole batch,
with less padding.

--rule   adamw: AdamW for all parameters in Trainer's groups. rowwise: SparseAdam for the word embedding, which then
         does not decay: only the rows of the batch move.
--start  torch: the new head and the order of the texts come from torch's generator. llmc: they are those that llmc
         makes of this seed (base/random.h, architecture/parameters.c, train/loop.c), and the warm-up is rounded down.
"""
import argparse
import json
import math
import os
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # folders only: a typing error must not become a download

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
import transformers  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402
from transformers.trainer_pt_utils import get_parameter_names  # noqa: E402

import parity_sets  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parent / "bench" / "peers"))
import bert  # noqa: E402

PART = 8  # texts that are padded to one length
# Trainer.get_decay_parameter_names of transformers 5.23
NOT_DECAYED = [r"bias", r"layernorm", r"rmsnorm", r"(?:^|\.)norm(?:$|\.)", r"_norm(?:$|\.)"]
MASK = 2 ** 64 - 1
STREAM_ORDER, STREAM_HEAD, STREAM_INIT = 1, 103, 0x696e6974


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--files", required=True, help="folder with train.tsv and dev.tsv")
    parser.add_argument("--rule", choices=["adamw", "rowwise"], default="adamw")
    parser.add_argument("--start", choices=["torch", "llmc"], default="torch")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    for name, kind in (("epochs", int), ("batch", int), ("tokens", int), ("seed", int), ("threads", int),
                       ("rate", float), ("warmup", float), ("decay", float), ("clip", float), ("dropout", float)):
        parser.add_argument(f"--{name}", type=kind, required=True)
    return parser.parse_args()


def mix64(x):
    x = (x + 0x9e3779b97f4a7c15) & MASK
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9 & MASK
    x = (x ^ x >> 27) * 0x94d049bb133111eb & MASK
    return x ^ x >> 31


def random_key(seed, a, b):
    return mix64(mix64(mix64(seed) ^ a) ^ b)


def random_u64(key, index):
    return mix64(key ^ mix64(index))


def llmc_order(seed, epoch, count):
    key, order = random_key(seed, STREAM_ORDER, epoch), list(range(count))
    for i in range(count, 1, -1):
        j = random_u64(key, i) % i
        order[i - 1], order[j] = order[j], order[i - 1]
    return order


def llmc_head(seed, parameter, rows, cols):
    """classifier.weight as llmc draws it where it is parameter number `parameter`."""
    key = random_key(random_key(seed, STREAM_HEAD, 0), STREAM_INIT, parameter)
    uniform = [((random_u64(key, i) >> 11) + 1) * 2.0 ** -53 for i in range(2 * rows * cols)]
    normal = [math.sqrt(-2 * math.log(a)) * math.cos(6.283185307179586 * b) for a, b in zip(uniform[::2], uniform[1::2])]
    return 0.02 * torch.tensor(normal, dtype=torch.float64).reshape(rows, cols).float()


def encoded(tokenizer, rows, names):
    texts = [row[0] if len(row[0]) == 2 else row[0][0] for row in rows]
    tokens = [(e.ids, e.type_ids) for e in tokenizer.encode_batch(texts)]
    return [(ids, types, names.index(label)) for (ids, types), (_, label) in zip(tokens, rows)]


def padded(rows):
    longest = max(len(ids) for ids, _, _ in rows)
    shape = (len(rows), longest)
    inputs = {name: torch.zeros(shape, dtype=torch.long) for name in ("input_ids", "token_type_ids", "attention_mask")}
    for i, (ids, types, _) in enumerate(rows):
        inputs["input_ids"][i, :len(ids)] = torch.tensor(ids)
        inputs["token_type_ids"][i, :len(ids)] = torch.tensor(types)
        inputs["attention_mask"][i, :len(ids)] = 1
    return inputs, torch.tensor([label for _, _, label in rows])


def parts(rows, size):
    """Parts of at most `size` rows of like lengths, padded."""
    rows = sorted(rows, key=lambda row: len(row[0]))
    return [padded(rows[first:first + size]) for first in range(0, len(rows), size)]


class Optimizer:
    """Clipping, AdamW and the linear schedule of Trainer; by rows for the word embedding where the rule says so."""

    def __init__(self, model, args, steps):
        words = model.bert.embeddings.word_embeddings
        decayed = set(get_parameter_names(model, [torch.nn.LayerNorm], NOT_DECAYED))
        groups = [dict(params=[], weight_decay=args.decay), dict(params=[], weight_decay=0.0)]
        self.words = words.weight if args.rule == "rowwise" else None
        words.sparse = args.rule == "rowwise"
        for name, parameter in model.named_parameters():
            if parameter is not self.words:
                groups[name not in decayed]["params"].append(parameter)
        self.dense = [p for group in groups for p in group["params"]]
        self.clip = args.clip
        self.optimizers = [torch.optim.AdamW(groups, lr=args.rate, eps=1e-8, fused=True)]
        if self.words is not None:
            self.optimizers.append(torch.optim.SparseAdam([self.words], lr=args.rate, eps=1e-8))
        warmup = math.floor(args.warmup * steps) if args.start == "llmc" else math.ceil(args.warmup * steps)
        self.schedules = [transformers.get_linear_schedule_with_warmup(o, warmup, steps) for o in self.optimizers]

    def step(self):
        gradients = [p.grad for p in self.dense]
        if self.words is not None:
            self.words.grad = self.words.grad.coalesce()
            gradients.append(self.words.grad.values())
        norm = torch.nn.utils.get_total_norm(gradients, foreach=True).item()
        if norm > self.clip:
            torch._foreach_mul_(gradients, self.clip / (norm + 1e-6))
        for optimizer, schedule in zip(self.optimizers, self.schedules):
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()


def train(model, args, rows):
    """Losses of all steps."""
    per_epoch = math.ceil(len(rows) / args.batch)
    optimizer, losses = Optimizer(model, args, args.epochs * per_epoch), []
    model.train()
    for epoch in range(args.epochs):
        order = llmc_order(args.seed, epoch, len(rows)) if args.start == "llmc" else torch.randperm(len(rows)).tolist()
        for first in range(0, len(rows), args.batch):
            batch = [rows[i] for i in order[first:first + args.batch]]
            total = 0.0
            for inputs, labels in parts(batch, PART):
                with torch.autocast("cpu", torch.bfloat16, enabled=args.precision == "bf16"):
                    logits = model(**inputs).logits.float()
                loss = F.cross_entropy(logits, labels, reduction="sum") / len(batch)
                loss.backward()
                total += loss.item()
            optimizer.step()
            losses.append(total)
    return losses


def accuracy(model, rows):
    model.eval()
    with torch.inference_mode():
        right = sum((model(**inputs).logits.argmax(-1) == labels).sum().item() for inputs, labels in parts(rows, 32))
    return right / len(rows)


def main():
    args = parse()
    torch.set_num_threads(args.threads)
    files = parity_sets.read_files(args.files)
    names = sorted({label for _, label in files["train.tsv"]})
    tokenizer = Tokenizer.from_file(str(Path(args.model) / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(args.tokens)  # longest_first, as transformers
    rows = {file: encoded(tokenizer, found, names) for file, found in files.items()}
    torch.manual_seed(args.seed)
    model = bert.load(args.model, len(names), "eager")
    bert.set_dropout(model, args.dropout)
    if args.start == "llmc":
        parameter = 5 + 16 * model.config.num_hidden_layers + 2  # architecture/parameter.c
        with torch.no_grad():
            model.classifier.weight.copy_(llmc_head(args.seed, parameter, *model.classifier.weight.shape))
            model.classifier.bias.zero_()
    losses = train(model, args, rows["train.tsv"])
    print(json.dumps(dict(losses=losses, accuracy=accuracy(model, rows["dev.tsv"]),
                          versions=f"torch {torch.__version__}, transformers {transformers.__version__}")))


if __name__ == "__main__":
    main()
