"""What `llmc export` writes, answered by the programs that it is for: ONNX Runtime, OpenVINO, transformers."""
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import openvino
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import AutoModelForSequenceClassification, AutoTokenizer

BATCH = 16


def metadata_of(model):
    return {entry.key: entry.value for entry in model.metadata_props}


def tokenizer_of(metadata):
    """The tokenizer that an ONNX file's metadata describe."""
    rules = json.loads(metadata["tokenizer"])
    ids = {piece: i for i, piece in enumerate(metadata["vocabulary"].split("\n")[:-1])}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(rules["clean"], rules["split_chinese"], rules["strip_accents"],
                                                      rules["lowercase"])
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", ids["[SEP]"]), ("[CLS]", ids["[CLS]"]))
    tokenizer.enable_truncation(rules["tokens_max"])
    tokenizer.enable_padding(pad_id=ids["[PAD]"])
    return tokenizer


def split(line):
    """A line as the tokenizers of Hugging Face take it: a tab separates a pair."""
    return tuple(line.split("\t")) if "\t" in line else line


def padded_batches(tokenizer, lines):
    for first in range(0, len(lines), BATCH):
        texts = tokenizer.encode_batch([split(line) for line in lines[first:first + BATCH]])
        grid = lambda field: np.array([getattr(text, field) for text in texts], np.int64)
        yield {"input_ids": grid("ids"), "attention_mask": grid("attention_mask"), "token_type_ids": grid("type_ids")}


def sums_saturate():
    """Without VNNI, the engines' integer products add pairs in 16 bits, which overflow; ours do not."""
    flags = Path("/proc/cpuinfo").read_text().split()
    return not {"avx512_vnni", "avx_vnni"} & set(flags)


def onnx_logits(path, lines, integers=False):
    """Logits of ONNX Runtime and of OpenVINO, which would otherwise round to BF16 where the processor can. Of a model
    in integers on a processor whose integer products are not exact: of ONNX Runtime alone, in the file's own form."""
    batches = list(padded_batches(tokenizer_of(metadata_of(onnx.load(path))), lines))
    options = onnxruntime.SessionOptions()
    if integers and sums_saturate():
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    if integers and sums_saturate():
        return {"ONNX Runtime, exact": np.concatenate([session.run(["logits"], batch)[0] for batch in batches])}
    compiled = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return {"ONNX Runtime": np.concatenate([session.run(["logits"], batch)[0] for batch in batches]),
            "OpenVINO": np.concatenate([compiled(batch)["logits"] for batch in batches])}


def round_inputs(model):
    """Lets a transformers model round the inputs of its linear layers as the runtime does (the README shows this)."""
    def rounding(scale, zero_point):
        return lambda module, x: ((torch.round(x[0] / scale) + zero_point).clamp(0, 255) - zero_point) * scale
    for name, of in model.config.llmc_inputs.items():
        model.get_submodule(name).register_forward_pre_hook(rounding(**of))


def transformers_logits(folder, lines, rounded=False):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    if rounded:
        round_inputs(model)
    logits = []
    with torch.no_grad():
        for first in range(0, len(lines), BATCH):
            texts = [split(line) for line in lines[first:first + BATCH]]
            batch = tokenizer(texts, padding=True, truncation="longest_first", return_tensors="pt")
            logits.append(model(**batch).logits.numpy())
    return np.concatenate(logits)
