"""What experiments/bench/infer compares: the workers that take turns, and the targets of their ratios.

What was tried for each peer, in texts/s of the 872 dev texts of SST-2 sorted by length, on two processors with AMX,
with the versions of requirements-infer.txt (b1, b32: texts a call; parts: a call of 32 cut in two that are answered at
the same time with one thread each):

  ONNX Runtime, student   `llmc export` b1 1,220, b32 2,600, in parts 2,950 to 3,340: the fastest
                          dynamic, int8 weights per channel b1 940, b32 1,900, in parts 2,250; per tensor b1 1,030, b32
                          1,940; uint8 weights b1 650, b32 850; from an export with sdpa b1 950, b32 1,900; behind
                          onnxruntime.transformers.optimizer b1 1,030 to 1,120, b32 1,680, in parts 1,900; the same
                          without fused attention b1 940, in parts 1,980
                          quantize_static b1 920, in parts 1,900; without rounded outputs 935 and 2,150; without
                          rounded residuals besides 960 and 2,330
                          no spinning of threads b1 750, b32 1,990; denormals as zero, blocks of work: no gain
  OpenVINO, student       `llmc export` b1 1,080, b32 3,190, in parts 3,640: the fastest
                          NNCF b1 1,030, b32 2,620, in parts 2,690; without SmoothQuant 930, 2,350, 2,580; from an
                          export with sdpa 870, 2,390; from PyTorch by openvino.convert_model 890, 2,400, 2,420; as f32 930
                          throughput hint with four requests in flight b1 690, b32 1,850; processors not pinned
                          b1 920, b32 3,190
  ONNX Runtime, teacher   FP32 b1 330, b32 457, in parts 470; fused b1 330, b32 390
                          dynamic b1 525, in parts 1,260; fused b1 590, in parts 1,010; quantize_static without rounded
                          outputs b1 510, in parts 1,170; a hand-written graph with plainer masks: no gain
  OpenVINO, teacher       in BF16, its default: b1 566, b32 1,320, in parts 1,320
  PyTorch, teacher        FP32 eager b1 152, b32 386; sdpa b1 146, b32 386; torch.compile of sdpa, dynamic shapes
                          b1 190, b32 440

Their tokenizer is Hugging Face's fast one with encode_batch_fast: on one thread, as calls this small gain nothing from
more; padding to the longest text of a call.
"""
import sys
from dataclasses import dataclass
from pathlib import Path

PEERS = Path(__file__).resolve().parent / "peers"


@dataclass(frozen=True)
class Member:
    name: str            # llmc, or a peer
    batch: int           # texts a call
    guess: float         # texts a second, for the time left until the first pass has told
    engine: str = ""     # of a peer, see peers/infer_peer.py
    model: str = ""      # file or folder that peers/infer_models.py makes
    streams: int = 1     # parts of a call that are answered at the same time
    rounds: int = 0      # so many at most; 0: as many as asked for

    @property
    def key(self):
        return f"{self.name}_b{self.batch}"


def _both(name, engine, model, guess_b1, guess_b32, **more):
    streams = {"streams_b1": 1, "streams_b32": 2, "rounds": 0} | more
    return [Member(name, 1, guess_b1, engine, model, streams["streams_b1"], streams["rounds"]),
            Member(name, 32, guess_b32, engine, model, streams["streams_b32"], streams["rounds"])]


_MEMBERS = [
    Member("llmc", 1, 2500),
    Member("llmc", 32, 3300),
    *_both("student_ort_dynamic", "onnxruntime", "student-dynamic.onnx", 940, 2200),
    *_both("student_ort_qdq", "onnxruntime", "student-export.onnx", 1200, 3000),
    *_both("student_openvino_nncf", "openvino", "student-nncf.xml", 1000, 2600),
    *_both("student_openvino_qdq", "openvino", "student-export.onnx", 1000, 3600),
    *_both("teacher_pytorch_fp32", "pytorch", "teacher-hf", 150, 386, streams_b32=1, rounds=3),
    *_both("teacher_pytorch_compiled", "pytorch-compiled", "teacher-hf", 190, 440, streams_b32=1, rounds=3),
    *_both("teacher_ort_fp32", "onnxruntime", "teacher.onnx", 320, 460, rounds=5),
    *_both("teacher_ort_dynamic", "onnxruntime", "teacher-dynamic.onnx", 525, 1250),
    *_both("teacher_ort_fused", "onnxruntime", "teacher-fused.onnx", 590, 1000),
    *_both("teacher_ort_qdq", "onnxruntime", "teacher-static.onnx", 510, 1150),
    *_both("teacher_openvino_bf16", "openvino", "teacher.onnx", 560, 1300),
    Member("tokenizer_hf", 32, 30000, "tokenizer", "student-hf"),
]

# Workers of a group take turns; the next group starts when they have ended.
GROUPS = {f"batch {batch}": [member for member in _MEMBERS if member.batch == batch] for batch in (1, 32)}


@dataclass(frozen=True)
class Ratio:
    name: str     # key of the JSON object
    batch: int
    below: tuple  # llmc's texts/s over those of the fastest of these
    target: float


SAME_MODEL = ("student_ort_dynamic", "student_ort_qdq", "student_openvino_nncf", "student_openvino_qdq")
TEACHER_PYTORCH = ("teacher_pytorch_fp32", "teacher_pytorch_compiled")
TEACHER_INT8 = ("teacher_ort_dynamic", "teacher_ort_fused", "teacher_ort_qdq")

RATIOS = [
    Ratio("same_model_b1_ratio", 1, SAME_MODEL, 2.0),
    Ratio("same_model_b32_ratio", 32, SAME_MODEL, 1.5),
    Ratio("teacher_fp32_b1_ratio", 1, TEACHER_PYTORCH, 25.0),
    Ratio("teacher_fp32_b32_ratio", 32, TEACHER_PYTORCH, 14.0),
    Ratio("teacher_ort_int8_b1_ratio", 1, TEACHER_INT8, 4.0),
    Ratio("teacher_ort_int8_b32_ratio", 32, TEACHER_INT8, 4.0),
]

# Targets of the other figures: (key, legal, at most?)
TARGETS = [("int8_peak_share_b32", 0.6, False), ("first_answer_ms", 30, True), ("library_bytes", 300_000, True),
           ("tokenizer_ratio", 5.0, False)]


def start_seconds(member):
    return 0.3 if not member.engine else 5.0 if "pytorch" in member.engine else 2.0


def command(member, settings):
    common = ["--texts", str(settings.file), "--threads", str(settings.threads)]
    if not member.engine:
        return [str(settings.program), "bench", str(settings.run / "model.llmc"), "--worker", *common, "--batches",
                str(member.batch)]
    return [sys.executable, str(PEERS / "infer_peer.py"), "--engine", member.engine, "--model",
            str(settings.models / member.model), "--tokenizer", str(settings.models / "student-hf"), "--batch",
            str(member.batch), "--streams", str(member.streams), *common]


def models_command(settings):
    return [sys.executable, str(PEERS / "infer_models.py"), "--run", str(settings.run), "--llmc",
            str(settings.program), "--texts", str(settings.calibration), "--out", str(settings.models)]
