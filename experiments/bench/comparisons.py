"""What experiments/bench/train compares: the workers, which of them take turns, and the targets of their ratios."""
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
LLMC = HERE.parents[1] / "build" / "cli" / "llmc"
PEER = HERE / "peers" / "train_pytorch.py"

# As the product trains by default; both sides drop out alike.
DROPOUT = {"distil": 0.0, "qat": 0.0, "finetune": 0.1, "logits": 0.0}


@dataclass(frozen=True)
class Member:
    work: str        # distil, qat, finetune, logits
    side: str        # ours, strongest, usual
    precision: str
    guess: float     # texts a second, for the time left until the first pass has told
    rounds: int = 0  # so many at most; 0: as many as asked for
    beside: str = ""  # measured again in the turns of another work

    @property
    def key(self):
        return f"{self.work}_{self.precision}_{self.side}" + (f"-beside-{self.beside}" if self.beside else "")


def ours(work, precision, guess, **more):
    return Member(work, "ours", precision, guess, **more)


# Workers of a group take turns; the next group starts when they have ended.
GROUPS = {
    "distil": [ours("distil", "bf16", 1200), ours("distil", "fp16", 800), Member("distil", "strongest", "bf16", 550),
               Member("distil", "usual", "fp32", 90), ours("distil", "fp32", 400, rounds=1)],
    "qat": [ours("distil", "bf16", 1200, beside="qat"), ours("qat", "bf16", 1000),
            ours("distil", "fp16", 800, beside="qat"), ours("qat", "fp16", 700)],
    "finetune": [ours("finetune", "bf16", 600), Member("finetune", "strongest", "bf16", 250),
                 Member("finetune", "usual", "fp32", 70)],
    "logits": [ours("logits", "bf16", 5000), Member("logits", "strongest", "bf16", 1600),
               Member("logits", "usual", "fp32", 320)],
}


@dataclass(frozen=True)
class Ratio:
    name: str        # key of the JSON object
    above: str       # texts/s of this member over
    below: str       # texts/s of that one
    target: float
    at_most: bool = False

    def met(self, value):
        return value <= self.target if self.at_most else value >= self.target


def _against_peers(work, precision, strongest, usual):
    name, our_key = f"{work}_{precision}_ratio", f"{work}_{precision}_ours"
    return [Ratio(f"{name}_strongest", our_key, f"{work}_bf16_strongest", strongest),
            Ratio(f"{name}_usual", our_key, f"{work}_fp32_usual", usual)]


RATIOS = [
    *_against_peers("distil", "bf16", 3.0, 20.0),
    *_against_peers("distil", "fp16", 1.8, 11.0),
    *_against_peers("finetune", "bf16", 3.0, 12.0),
    *_against_peers("logits", "bf16", 3.0, 8.0),
    # how much longer a step takes
    Ratio("qat_fp16_ratio", "distil_fp16_ours-beside-qat", "qat_fp16_ours", 1.25, at_most=True),
    Ratio("qat_bf16_ratio", "distil_bf16_ours-beside-qat", "qat_bf16_ours", 1.25, at_most=True),
]


def our_command(work, precision, model, file, batch, threads, seed, dropout=None, program=None):
    dropout = DROPOUT[work] if dropout is None else dropout
    return [str(program or LLMC), "bench", "train", "--worker", "--work", work, "--precision", precision,
            "--model", str(model), "--texts", str(file), "--batch", str(batch), "--threads", str(threads),
            "--dropout", str(dropout), "--seed", str(seed)]


def peer_command(work, setting, model, file, batch, threads, seed, *options, dropout=None):
    dropout = DROPOUT[work] if dropout is None else dropout
    return [sys.executable, str(PEER), "--work", work, "--setting", setting, "--model", str(model), "--texts",
            str(file), "--batch", str(batch), "--threads", str(threads), "--dropout", str(dropout), "--seed",
            str(seed), *map(str, options)]


def command(member, settings):
    common = (settings.model, settings.file, settings.batch, settings.threads, settings.seed)
    if member.side == "ours":
        return our_command(member.work, member.precision, *common, program=settings.program)
    limit = ("--batches", settings.usual_batches) if member.side == "usual" else ()
    return peer_command(member.work, member.side, *common, *limit)


def start_seconds(member):
    return 1.5 if member.side == "ours" else 8.0


def texts_of_pass(member, settings):
    batches = settings.texts // settings.batch
    return settings.batch * (min(batches, settings.usual_batches) if member.side == "usual" else batches)
