"""A peer of experiments/bench/infer: a worker that answers texts, from text to label, with another program.

Each pass tokenizes the texts with Hugging Face's fast tokenizer, `batch` texts a call, and answers them.
"""
import argparse
import os
import time
from concurrent.futures import ThreadPoolExecutor

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # faster for calls this small

import numpy as np  # noqa: E402

from inputs import Encoder, texts  # noqa: E402
from serving import say, serve  # noqa: E402


def onnxruntime_answers(args, encoder):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = args.threads // args.streams, 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(args.model, options, providers=["CPUExecutionProvider"])
    kinds = {entry.name: np.int32 if "int32" in entry.type else np.int64 for entry in session.get_inputs()}

    def answer(sentences):
        arrays = {name: array.astype(kinds[name], copy=False) for name, array in encoder.arrays(sentences).items()}
        return session.run(["logits"], arrays)[0].argmax(1)
    return in_streams(args.streams, answer), {"onnxruntime": onnxruntime.__version__}


def openvino_answers(args, encoder):
    import openvino
    hint = "LATENCY" if args.streams == 1 else "THROUGHPUT"
    compiled = openvino.Core().compile_model(args.model, "CPU", {
        "PERFORMANCE_HINT": hint, "NUM_STREAMS": args.streams, "INFERENCE_NUM_THREADS": args.threads})
    requests = [compiled.create_infer_request() for _ in range(args.streams)]

    def answer(sentences):
        request = requests.pop()
        logits = request.infer(encoder.arrays(sentences), share_inputs=True, share_outputs=True)[0]
        labels = logits.argmax(1)
        requests.append(request)
        return labels
    return in_streams(args.streams, answer), {"openvino": openvino.get_version().split("-")[0]}


def pytorch_answers(args, encoder, compiled=False):
    import torch
    import transformers
    import bert
    torch.set_num_threads(args.threads)
    model = bert.load(args.model, None, "sdpa" if compiled else "eager").eval()
    if compiled:
        model = torch.compile(model, dynamic=True)

    def answer(sentences):
        arrays = encoder.arrays(sentences)
        if not compiled and arrays["attention_mask"].all():
            del arrays["attention_mask"]
        with torch.inference_mode():
            return model(**{name: torch.from_numpy(array) for name, array in arrays.items()}).logits.argmax(1).numpy()
    return answer, {"torch": torch.__version__, "transformers": transformers.__version__}


def compiled_answers(args, encoder):
    return pytorch_answers(args, encoder, compiled=True)


def tokenizer_answers(args, encoder):
    """Tokens alone, on one thread."""
    import tokenizers

    def answer(sentences):
        encoder.tokenizer.encode_batch_fast(sentences)
        return np.zeros(len(sentences), int)
    return answer, {"tokenizers": tokenizers.__version__}


def in_streams(streams, answer):
    """The texts of a call in equal parts, answered at the same time on one thread each."""
    if streams == 1:
        return answer
    pool = ThreadPoolExecutor(streams)

    def answer_parts(sentences):
        size = -(-len(sentences) // streams)
        parts = [sentences[first:first + size] for first in range(0, len(sentences), size)]
        return np.concatenate(list(pool.map(answer, parts)))
    return answer_parts


ENGINES = {"onnxruntime": onnxruntime_answers, "openvino": openvino_answers, "pytorch": pytorch_answers,
           "pytorch-compiled": compiled_answers, "tokenizer": tokenizer_answers}


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", required=True, choices=list(ENGINES))
    parser.add_argument("--model", required=True, help="file, or Hugging Face folder for PyTorch")
    parser.add_argument("--tokenizer", required=True, help="folder with tokenizer.json")
    parser.add_argument("--texts", required=True, help="TSV, see texts.py")
    parser.add_argument("--batch", type=int, required=True, help="texts a call")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--streams", type=int, default=1, help="parts of a call that are answered at the same time")
    return parser.parse_args()


def one_pass(answer, sentences, batch):
    start = time.perf_counter()
    answers = [answer(sentences[first:first + batch]) for first in range(0, len(sentences), batch)]
    seconds = time.perf_counter() - start
    return dict(seconds=seconds, examples=len(sentences), answers=np.concatenate(answers).tolist())


def main():
    args = parse()
    sentences = [sentence for sentence, _ in texts.read_rows(args.texts)]
    answer, versions = ENGINES[args.engine](args, Encoder(args.tokenizer))
    say(dict(versions, ready=True))
    serve(lambda: one_pass(answer, sentences, args.batch))


if __name__ == "__main__":
    main()
