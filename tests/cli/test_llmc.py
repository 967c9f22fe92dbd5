"""The program llmc as people use it: test_llmc.py LLMC SANITIZED"""
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "runtime"))
import llmc_file

LLMC, SANITIZED = sys.argv[1], len(sys.argv) > 2  # a sanitizer keeps freed memory for a while
WORDS = "good bad film plot the a very dull".split()
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + WORDS
random = np.random.default_rng(3)


def run(*arguments, stdin="", status=0, **options):
    done = subprocess.run([LLMC, *arguments], input=stdin, capture_output=True, text=True, **options)
    assert done.returncode == status, (arguments, done.returncode, done.stderr)
    return done.stdout if status == 0 else done.stderr


def test_usage():
    for command in ((), ("bench",), ("eval",), ("export",), ("inspect",), ("predict",), ("report",)):
        assert run(*command, "--help").startswith("usage: llmc ")
    assert run("--version").startswith("llmc ")
    assert "unknown command" in run("nonsense", status=2) and "usage" in run(status=2)
    assert "--help" in run("predict", status=2) and "--help" in run("eval", "x", status=2)
    assert "unknown option" in run("inspect", "--nonsense", "x", status=2)
    for number in ("-1", "two", "1e9", ""):
        assert "--threads" in run("predict", "x", "--threads", number, status=2)
    assert run("inspect", "/nonexistent", status=3).startswith("llmc: input/output error: /nonexistent: ")
    assert run("predict", __file__, "text", status=4).startswith("llmc: bad file: ")


def test_predict(model):
    texts = ["good film", "", "bad plot", "\u00e9t\u00e9 \u4e2d", "the " * 100, "good film"]
    lines = run("predict", model, stdin="\n".join(texts) + "\n").splitlines()
    assert lines == run("predict", model, *texts).splitlines() and len(lines) == 6 and lines[0] == lines[5]
    for line in lines:
        label, probability = line.split("\t")
        assert label in ("neg", "pos") and 0.5 <= float(probability) <= 1
    # A last line without its end, Windows ends, one thread, and "-".
    assert run("predict", model, "-", "--threads", "1", stdin="\r\n".join(texts)).splitlines() == lines
    objects = [json.loads(line) for line in run("predict", model, "--json", stdin="\n".join(texts)).splitlines()]
    assert [o["label"] for o in objects] == [line.split("\t")[0] for line in lines]
    assert all(abs(sum(p["probability"] for p in o["probabilities"]) - 1) < 1e-6 for o in objects)
    assert run("predict", model, stdin="") == ""
    # Bytes that are no UTF-8, zero bytes, and a line that does not fit the buffer.
    raw = subprocess.run([LLMC, "predict", model], input=b"\xff\xfe\n\0\n" + b"good " * 600_000 + b"\nbad plot\n",
                         capture_output=True, check=True).stdout.decode().splitlines()
    assert len(raw) == 4 and raw[3] == lines[2] and raw[1] == lines[1]
    assert raw[2] == run("predict", model, "good " * 40).strip()
    many = run("predict", model, stdin="good film\n" * 5000).splitlines()
    assert many == [lines[0]] * 5000


def test_predict_is_a_good_neighbour(model):
    # Answers come before the input ends.
    with subprocess.Popen([LLMC, "predict", model], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdin.write(b"good film\n")
        process.stdin.flush()
        assert process.stdout.readline().startswith((b"pos\t", b"neg\t"))
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
    # A reader that goes away ends it without a word.
    with subprocess.Popen([LLMC, "predict", model], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        process.stdout.close()
        process.stdin.write(b"good film\n")
        process.stdin.close()
        assert process.wait(10) == 141 and process.stderr.read() == b""
    with open("/dev/full", "w") as full:
        done = subprocess.run([LLMC, "predict", model, "text"], stdout=full, stderr=subprocess.PIPE)
        assert done.returncode == 3 and b"No space left" in done.stderr


def resident_nbytes(process):
    with open(f"/proc/{process.pid}/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS:"))


def test_predict_streams(model):
    """Prompt when lines come slowly and in pieces, in order when they come fast, flat in memory however many come."""
    good, bad = run("predict", model, "good film", "bad plot").encode().splitlines(keepends=True)
    assert good != bad
    with subprocess.Popen([LLMC, "predict", model, "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          bufsize=0) as process:
        def send(data):
            process.stdin.write(data)

        def receive(expected):
            got = b""
            while len(got) < len(expected):
                assert select.select([process.stdout], [], [], 30)[0], "no answer"
                got += os.read(process.stdout.fileno(), len(expected) - len(got))
            assert got == expected

        for _ in range(3):
            send(b"good ")
            assert not select.select([process.stdout], [], [], 0.05)[0]
            send(b"film\nbad")
            receive(good)
            send(b" plot\nbad plot\n")
            receive(bad + bad)

        def send_many(count):
            writer = threading.Thread(target=lambda: [send(b"good film\nbad plot\nbad plot\n" * 500)
                                                      for _ in range(count // 1500)])
            writer.start()
            receive((good + bad + bad) * (count // 1500 * 500))
            writer.join()

        send_many(15_000)
        before = resident_nbytes(process)
        send_many(60_000)
        grown = resident_nbytes(process) - before
        assert SANITIZED or grown < 1_000_000, grown
        process.stdin.close()
        assert process.wait(30) == 0


def test_eval(folder, model):
    texts = [" ".join(random.choice(WORDS, random.integers(1, 20))) for _ in range(77)]
    said = [line.split("\t")[0] for line in run("predict", model, stdin="\n".join(texts)).splitlines()]
    true = [label if i % 5 else ("neg" if label == "pos" else "pos") for i, label in enumerate(said)]
    data = os.path.join(folder, "data.tsv")
    with open(data, "w") as file:
        file.write("label\tsentence\tother\n")
        file.writelines(f"{t}\t{text}\tgood\n" for t, text in zip(true, texts))
    result = json.loads(run("eval", model, data, "--json", "--show", "20"))
    right = sum(t == s for t, s in zip(true, said))
    both = sum(t == s == "pos" for t, s in zip(true, said))
    assert result["texts"] == 77 and abs(result["accuracy"] - right / 77) < 1e-12
    assert abs(result["f1"] - 2 * both / (true.count("pos") + said.count("pos"))) < 1e-12
    assert np.sum(result["confusion"]) == 77 and result["confusion"][1][1] == both
    assert result["latency_ms_b1_p50_spread"] >= 0 and result["throughput_per_s_b32_spread"] >= 0
    assert result["latency_ms_b1_p50"] > 0 and result["throughput_per_s_b32"] > 0 and result["memory_bytes"] > 1e6
    shown = result["shown"]
    assert len(shown) == 20 and [s["label"] != s["predicted"] for s in shown] == [True] * 16 + [False] * 4
    text = run("eval", model, data, "--show", "2", "--threads", "1")
    assert f"({right} of 77" in text and text.count("WRONG") == 2
    assert "accuracy" in run("eval", model, data, "--text", "sentence", "--text-pair", "other")
    assert "sentence" in run("eval", model, data, "--text", "nothing", status=6)


def test_bench(folder, model):
    data = os.path.join(folder, "texts.tsv")
    with open(data, "w") as file:
        file.write("review\n" + "".join(f"good {word}\n" for word in WORDS))
    few = ("--rounds", "2", "--threads", "1,2", "--batches", "1,3")
    result = json.loads(run("bench", model, "--texts", data, "--text", "review", "--json", *few).splitlines()[-1])
    assert result["texts"] == len(WORDS) and result["tokens_per_text"] == 4 and result["rounds"] == 2
    assert [(c["threads"], c["batch"]) for c in result["throughput"]] == [(1, 1), (1, 3), (2, 1), (2, 3)]
    assert all(c["texts_per_s"] > 0 for c in result["throughput"])
    assert [c["threads"] for c in result["latency_b1"]] == [1, 2]
    assert all(0 < c["p50_ms"] <= c["p95_ms"] <= c["p99_ms"] for c in result["latency_b1"])
    for key in ("resident_bytes", "first_answer_ms", "first_answer_peak_bytes", "tokenizer_texts_per_s",
                "tokenizer_share_b1"):
        assert result[key] > 0, key
    # A model without integers has no integer products.
    assert result["unpacked_integer_bytes"] == 0 and result["kernels"]
    assert result["time_shares_b32"]["integer layers"] == 0 < result["time_shares_b32"]["FP32 layers"]
    for key in ("int8_peak_share_b32", "int8_instruction_share_b32"):
        assert result[key] is None, key
    text = run("bench", model, *few)
    assert "512 texts" in text and "first answer" in text and "none: the model" in text
    # A worker: a line a pass.
    worker = ("bench", model, "--texts", data, "--text", "review", "--worker", "--threads", "1", "--batches", "4")
    ready, *passes = map(json.loads, run(*worker, stdin="run\nrun\n").splitlines())
    said = [line.split("\t")[0] for line in run("predict", model, *(f"good {word}" for word in WORDS)).splitlines()]
    assert ready["ready"] and len(passes) == 2
    assert all(["neg", "pos"][a] == s for p in passes for a, s in zip(p["answers"], said))
    assert passes[0]["examples"] == len(said) and passes[0]["seconds"] > 0 and passes[0]["tokenizer_seconds"] > 0


def test_bench_usage(model):
    assert "FILE" in run("bench", status=2) and "FILE" in run("bench", model, model, status=2)
    assert 'usage: llmc bench train' in run("bench", "train", "--help")
    for wrong in ("0", "1,", "1,two", "9" * 12, ",".join("1" * 17)):
        assert "--batches" in run("bench", model, "--batches", wrong, status=2)
        assert "--threads" in run("bench", model, "--threads", wrong, status=2)
    assert "1 to 1000" in run("bench", model, "--rounds", "0", status=2)
    assert "--worker needs" in run("bench", model, "--worker", status=2)
    assert "unknown option" in run("bench", model, "--nonsense", status=2)
    assert run("bench", "/nonexistent", "--worker", "--threads", "1", "--batches", "1", status=3)
    assert "sentence" in run("bench", model, "--texts", __file__, "--rounds", "1", status=6)


def test_inspect(model):
    result = json.loads(run("inspect", model, "--json"))
    assert result["architecture"]["hidden"] == 16 and result["file_bytes"] == os.path.getsize(model)
    assert result["parameters"] == sum(np.prod(t["shape"]) for t in result["tensors"])
    assert result["origin"] == {"made by": "a test"} and result["labels"] == ["neg", "pos"]
    assert sum(kind["bytes"] for kind in result["bytes"]) == os.path.getsize(model)
    assert "classifier.weight" in run("inspect", model) and "word embedding" in run("inspect", model)


with tempfile.TemporaryDirectory() as folder:
    model = os.path.join(folder, "model.llmc")
    llmc_file.write_small(model, VOCABULARY, random)
    test_usage()
    test_predict(model)
    test_predict_is_a_good_neighbour(model)
    test_predict_streams(model)
    test_eval(folder, model)
    test_inspect(model)
    test_bench(folder, model)
    test_bench_usage(model)
