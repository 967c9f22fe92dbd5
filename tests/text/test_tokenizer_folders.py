"""Tokenizer folders as transformers saves them and as people have them: the ids are AutoTokenizer's, or the folder is refused.

usage: test_tokenizer_folders.py ENCODE_LINES
"""
import json
import os
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import transformers
from transformers import AutoTokenizer, BertConfig, BertTokenizer

ENCODE_LINES = sys.argv[1]
TOKENS_MAX = 12
PIECES = "[PAD] [UNK] [CLS] [SEP] [MASK] a b c ##b ##c hello Hello caf cafe café É e 中 文 ! ? < > new [ ] cls mask".split()
TEXTS = ["", "Hello hello", "café CAFÉ e\u0301", "中文abc", "[CLS] [cls] a[MASK]b [ MASK ]", "a\u200bb\x00c\u00adc", "<new> new-new", "hello!?" * 9]
PAIRS = [("hello", "a b"), ("hello " * 9, "a b c"), ("a", "hello " * 9), ("a " * 9, "b " * 9), ("", "[SEP]")]
transformers.logging.set_verbosity_error()


def ours(folder):
    """(ids, types) of all texts and pairs, or the message of a refusal."""
    record = lambda text: struct.pack("=i", -1) if text is None else struct.pack("=i", len(text.encode())) + text.encode()
    sent = b"".join(record(a) + record(b) for a, b in [(text, None) for text in TEXTS] + PAIRS)
    done = subprocess.run([ENCODE_LINES, str(folder), str(TOKENS_MAX)], input=sent, capture_output=True)
    if done.returncode:
        return done.stderr.decode()
    rows, at = [], 0
    while at < len(done.stdout):
        (count,) = struct.unpack_from("=i", done.stdout, at)
        rows.append((list(struct.unpack_from(f"={count}i", done.stdout, at + 4)), list(done.stdout[at + 4 + 4 * count:at + 4 + 5 * count])))
        at += 4 + 5 * count
    return rows


def theirs(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    rows = [tokenizer(*(text if isinstance(text, tuple) else (text,)), truncation=True, max_length=TOKENS_MAX) for text in TEXTS + PAIRS]
    return [(row["input_ids"], row["token_type_ids"]) for row in rows]


def files_of(folder):
    files = {path.name: path.read_text() for path in Path(folder).iterdir()}
    return {name: json.loads(text) if name.endswith("json") else text for name, text in files.items()}


def check(parent, what, files, words=None):
    """words None: the folder of these files must load and give AutoTokenizer's ids; else its refusal must have them."""
    folder = Path(tempfile.mkdtemp(dir=parent))
    for name, content in files.items():
        (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))
    got = ours(folder)
    if words is None:
        assert not isinstance(got, str), f"{what}: {got}"
        assert got == theirs(folder), f"{what}:\n{got}\n{theirs(folder)}"
        print(f"{what}: {len(got)} texts equal")
    else:
        assert isinstance(got, str) and words in got, f"{what}: {got}"
        print(f"{what}: {got.strip()}")


def changed(files, **changes):
    """Files with `NAME__KEY__KEY=value` set, or NAME=None taken away; NAME without ".json"."""
    files = json.loads(json.dumps(files))
    for path, value in changes.items():
        name, *keys = path.split("__")
        if not keys:
            del files[name + ".json"]
            continue
        object_ = files.setdefault(name + ".json", {})
        for key in keys[:-1]:
            object_ = object_[key]
        object_[keys[-1]] = value
    return files


def main():
    with tempfile.TemporaryDirectory() as parent:
        source = Path(parent) / "source"
        source.mkdir()
        (source / "vocab.txt").write_text("\n".join(PIECES) + "\n")
        saved = {}
        for lower in (True, False):
            for chinese in (True, False):
                for accents in (None, True, False):
                    (source / "tokenizer_config.json").write_text(json.dumps(dict(
                        do_lower_case=lower, tokenize_chinese_chars=chinese, strip_accents=accents, tokenizer_class="BertTokenizer")))
                    target = Path(parent) / f"saved-{lower}-{chinese}-{accents}"
                    BertTokenizer.from_pretrained(source).save_pretrained(target)
                    BertConfig(vocab_size=len(PIECES)).save_pretrained(target)
                    saved[lower, chinese, accents] = files_of(target)
                    check(parent, f"saved by transformers: {lower, chinese, accents}", saved[lower, chinese, accents])
        files = saved[True, True, None]
        assert files["tokenizer_config.json"]["model_max_length"] > 2**64
        vocabulary = {"vocab.txt": "\n".join(PIECES) + "\n", "config.json": files["config.json"]}

        check(parent, "tokenizer.json alone", changed(files, tokenizer_config=None))
        check(parent, "vocab.txt alone", vocabulary)
        check(parent, "vocab.txt without its last line end", {**vocabulary, "vocab.txt": "\n".join(PIECES)})
        check(parent, "vocab.txt with CR LF", {**vocabulary, "vocab.txt": "\r\n".join(PIECES)})
        check(parent, "vocab.txt with blanks", {**vocabulary, "vocab.txt": " \n".join(PIECES)})
        check(parent, "cased vocab.txt", {**vocabulary, "tokenizer_config.json": {"do_lower_case": False}})
        check(parent, "another vocab.txt beside", {**files, "vocab.txt": "\n".join(reversed(PIECES)) + "\n"})
        for name in ("BertTokenizerFast", "ElectraTokenizer"):
            check(parent, name, changed(files, tokenizer_config__tokenizer_class=name))
        cased = saved[False, True, None]
        for name in ("PreTrainedTokenizerFast", "TokenizersBackend"):
            check(parent, f"{name}: tokenizer.json counts", changed(
                cased, tokenizer_config__tokenizer_class=name, tokenizer_config__do_lower_case=True,
                tokenizer_config__model_input_names=["input_ids", "token_type_ids", "attention_mask"]))
        check(parent, "the same in config.json", {**cased, "tokenizer_config.json": {"model_input_names": ["input_ids", "token_type_ids"]}, "config.json": {**cased["config.json"], "tokenizer_class": "TokenizersBackend"}})
        check(parent, "a length in tokenizer.json", changed(
            files, tokenizer__truncation={"direction": "Right", "max_length": 5, "strategy": "LongestFirst", "stride": 0}))
        old = {"special_tokens_map__" + key: {"content": token, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False}
               for key, token in {"cls_token": "[CLS]", "mask_token": "[MASK]", "pad_token": "[PAD]", "sep_token": "[SEP]", "unk_token": "[UNK]"}.items()}
        decoder = {str(i): {"content": PIECES[i], "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True} for i in range(5)}
        check(parent, "as transformers 4 saves it", changed(files, **old, tokenizer_config__added_tokens_decoder=decoder,
              tokenizer_config__clean_up_tokenization_spaces=True, tokenizer_config__extra_special_tokens={}, tokenizer_config__do_basic_tokenize=True,
              tokenizer_config__never_split=None, tokenizer_config__name_or_path="x", tokenizer_config__special_tokens_map_file=None))

        added = {"id": len(PIECES), "content": "<new>", "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False}
        check(parent, "added in tokenizer.json", changed(files, tokenizer__added_tokens=files["tokenizer.json"]["added_tokens"] + [added]), '"<new>"')
        check(parent, "added_tokens.json", {**files, "added_tokens.json": {"<new>": len(PIECES)}}, 'added_tokens.json: the file adds the token "<new>"')
        check(parent, "added_tokens_decoder", changed(files, tokenizer_config__added_tokens_decoder={"99": {"content": "<new>"}}), '"<new>"')
        check(parent, "special_tokens_map.json", changed(files, special_tokens_map__additional_special_tokens=["new"]), 'adds the token "new"')
        check(parent, "extra_special_tokens", changed(files, tokenizer_config__extra_special_tokens=["new"]), 'adds the token "new"')
        check(parent, "other case in the two files", changed(files, tokenizer__normalizer__lowercase=False), "make them agree")
        check(parent, "case said in tokenizer.json alone", changed(cased, tokenizer_config=None), "does not say do_lower_case: true")
        check(parent, "normalized special tokens", changed(files, tokenizer__added_tokens=[t | {"normalized": True} for t in files["tokenizer.json"]["added_tokens"]]), "normalized")
        check(parent, "left truncation", changed(files, tokenizer_config__truncation_side="left"), "truncation_side")
        check(parent, "another class", changed(files, tokenizer_config__tokenizer_class="RobertaTokenizer"), "RobertaTokenizer")
        check(parent, "a class that gives no types", changed(files, tokenizer_config__tokenizer_class="DistilBertTokenizer"), "DistilBertTokenizer")
        check(parent, "an unknown field", changed(files, tokenizer_config__do_subword_regularization=True), "do_subword_regularization")


main()
