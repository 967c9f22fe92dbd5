"""Makes, of a run of llmc-distill, the models that the peers of experiments/bench/infer answer with.

    student-hf, teacher-hf            Hugging Face folders: `llmc export`, and the teacher's checkpoint
    student.onnx, teacher.onnx        FP32, by torch.onnx.export with eager attention
    student-export.onnx               `llmc export --to onnx`: QDQ with the ranges that the student was trained with
    student-dynamic.onnx, teacher-dynamic.onnx
                                      quantize_dynamic of onnxruntime.quantization: int8 weights, per channel
    teacher-fused.onnx                the same behind onnxruntime.transformers.optimizer, which fuses attention
    teacher-static.onnx               quantize_static: QDQ of the linear layers' inputs, calibrated on training texts
    student-nncf.xml                  OpenVINO, nncf.quantize, calibrated on training texts
"""
import argparse
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import h5py
import nncf
import numpy as np
import onnx
import openvino
import torch
from onnxruntime.transformers import optimizer
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
from transformers import BertConfig, BertForSequenceClassification

import bert
from inputs import NAMES, Encoder, texts

CALIBRATION_TEXTS = 256
OPSET = 17

# Attribute of a stage's checkpoint -> field of transformers' configuration.
FIELDS = {"vocabulary": "vocab_size", "positions": "max_position_embeddings", "types": "type_vocab_size",
          "hidden": "hidden_size", "layers": "num_hidden_layers", "heads": "num_attention_heads",
          "ffn": "intermediate_size", "activation": "hidden_act", "norm_epsilon": "layer_norm_eps",
          "labels": "num_labels"}


def save_teacher(checkpoint, folder):
    """A stage's checkpoint (01-teacher.h5) as a Hugging Face folder, without a tokenizer."""
    with h5py.File(checkpoint, "r") as file:
        fields = {theirs: file.attrs[ours] for ours, theirs in FIELDS.items()}
        state = {name: torch.from_numpy(np.array(values)) for name, values in file["parameters"].items()}
    fields = {name: value.decode() if isinstance(value, bytes) else value.item() for name, value in fields.items()}
    model = BertForSequenceClassification(BertConfig(**fields))
    shapes = {name: value.shape for name, value in model.state_dict().items()}
    model.load_state_dict({name: values.reshape(shapes[name]) for name, values in state.items()})
    model.save_pretrained(folder)


def save_onnx(folder, path):
    model = bert.load(folder, None, "eager").eval()
    ids = torch.ones(2, 9, dtype=torch.long)
    axes = {name: {0: "batch", 1: "sequence"} for name in NAMES} | {"logits": {0: "batch"}}
    torch.onnx.export(model, (ids, ids, torch.zeros_like(ids)), path, input_names=list(NAMES), output_names=["logits"],
                      dynamic_axes=axes, opset_version=OPSET, dynamo=False)


class Texts(CalibrationDataReader):
    def __init__(self, encoder, sentences):
        self.inputs = (encoder.arrays([sentence]) for sentence in sentences)

    def get_next(self):
        return next(self.inputs, None)


def products_of_activations(path):
    """Products of two activations, inside attention: quantised, they cost accuracy and were no faster."""
    graph = onnx.load(path).graph
    weights = {tensor.name for tensor in graph.initializer}
    return [node.name for node in graph.node if node.op_type == "MatMul" and not weights & set(node.input)]


def quantize(source, target):
    quantize_dynamic(source, target, per_channel=True, weight_type=QuantType.QInt8,
                     extra_options=dict(DefaultTensorType=onnx.TensorProto.FLOAT))


def quantize_fused(folder, source, target):
    with open(folder / "config.json", encoding="utf-8") as file:
        config = json.load(file)
    fused = optimizer.optimize_model(str(source), "bert", config["num_attention_heads"], config["hidden_size"],
                                     opt_level=0)
    fused.save_model_to_file(str(target))
    quantize(target, target)


def quantize_with_ranges(source, target, encoder, sentences):
    layers = ["MatMul", "Gemm"]
    quantize_static(source, target, Texts(encoder, sentences), quant_format=QuantFormat.QDQ,
                    op_types_to_quantize=layers, nodes_to_exclude=products_of_activations(source), per_channel=True,
                    activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
                    extra_options=dict(OpTypesToExcludeOutputQuantization=layers))


def quantize_openvino(source, target, encoder, sentences):
    nncf.set_log_level(logging.ERROR)
    quantized = nncf.quantize(openvino.Core().read_model(source),
                              nncf.Dataset(sentences, lambda sentence: encoder.arrays([sentence])),
                              model_type=nncf.ModelType.TRANSFORMER, subset_size=len(sentences))
    openvino.save_model(quantized, target)


def steps(run, llmc, sentences, folder):
    """[(what, function)] in their order; sentences: of the training data."""
    run, folder = Path(run), Path(folder)
    checkpoint = next(run.glob("*-teacher.h5"), None)
    if checkpoint is None:
        raise ValueError(f"{run}: no NN-teacher.h5: is this the folder of a finished run with a teacher stage?")
    sentences = sentences[:CALIBRATION_TEXTS]
    student, teacher = folder / "student-hf", folder / "teacher-hf"

    def export(form, target):
        done = subprocess.run([str(llmc), "export", str(run / "model.llmc"), "--to", form, "-o", str(target)],
                              capture_output=True, text=True)
        if done.returncode:
            raise ValueError(done.stderr.strip())

    def in_onnx(name):
        save_onnx(folder / f"{name}-hf", folder / f"{name}.onnx")
        quantize(folder / f"{name}.onnx", folder / f"{name}-dynamic.onnx")

    return [
        ("student", lambda: export("safetensors", student)),
        ("student as QDQ", lambda: export("onnx", folder / "student-export.onnx")),
        ("student in ONNX", lambda: in_onnx("student")),
        ("student by NNCF", lambda: quantize_openvino(folder / "student.onnx", folder / "student-nncf.xml",
                                                      Encoder(student), sentences)),
        ("teacher", lambda: save_teacher(checkpoint, teacher)),
        ("teacher in ONNX", lambda: in_onnx("teacher")),
        ("teacher fused", lambda: quantize_fused(teacher, folder / "teacher.onnx", folder / "teacher-fused.onnx")),
        ("teacher as QDQ", lambda: quantize_with_ranges(folder / "teacher.onnx", folder / "teacher-static.onnx",
                                                        Encoder(student), sentences)),
    ]


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", required=True, help="folder of a finished run")
    parser.add_argument("--llmc", required=True, help="the program")
    parser.add_argument("--texts", required=True, help="TSV of training texts, see texts.py; the first calibrate")
    parser.add_argument("--out", required=True, help="folder")
    return parser.parse_args()


def main():
    """A worker (worker.py) that makes the next model whenever asked. Libraries print to standard output: that goes to
    standard error."""
    args = parse()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(figures):
        print(json.dumps(figures), file=answers, flush=True)
    work = steps(args.run, args.llmc, [text for text, _ in texts.read_rows(args.texts)], args.out)
    say(dict(ready=True, steps=[what for what, _ in work], nncf=nncf.__version__))
    for what, step in work:
        if sys.stdin.readline() != "run\n":
            break
        step()
        say(dict(made=what))


if __name__ == "__main__":
    main()
