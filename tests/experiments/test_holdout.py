"""experiments/holdout sets whole texts aside, and no phrase of them stays for training; mistakes are named."""
import gzip
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testing"))
from llmc import Checks  # noqa: E402

PROGRAM = Path(__file__).resolve().parents[2] / "experiments/holdout"
HEAD = "label\tsentence"
checks = Checks()
expect = checks.expect


def run(path, *options):
    return subprocess.run([sys.executable, PROGRAM, path, *options], capture_output=True, text=True, timeout=60)


def rows_of(path):
    return path.read_text(encoding="utf-8").splitlines()


def check_split(root):
    sentences = [" ".join(f"w{number}x{place}" for place in range(6)) for number in range(200)]
    phrases = [" ".join(text.split()[1:4]) for text in sentences]
    words = [text.split()[0] for text in sentences]
    rows = [f"1\t{text}" for text in sentences + phrases + words]
    with gzip.open(root / "train.tsv.gz", "wt", encoding="utf-8") as file:
        file.write("\n".join([HEAD, *rows]) + "\n")
    done = run(root / "train.tsv.gz", "--out", root / "aside", "--share", "0.3")
    expect(done.returncode == 0, f"texts are set aside {done.stderr}")
    train, dev = rows_of(root / "aside/train.tsv"), rows_of(root / "aside/dev.tsv")
    aside = {row.split("\t")[1] for row in dev[1:]}
    expect(train[0] == HEAD and dev[0] == HEAD, "both parts have the head")
    expect(aside <= set(sentences) and 30 < len(aside) < 90, f"{len(aside)} of 200 whole texts for a share of 0.3")
    kept = {f"1\t{text}" for text in words}
    kept |= {f"1\t{part}" for text, phrase in zip(sentences, phrases) if text not in aside for part in (text, phrase)}
    expect(set(train[1:]) == kept, "what stays is no phrase of them; single words stay")
    expect([row for row in rows if row in kept] == train[1:], "in the order that there was")
    run(root / "train.tsv.gz", "--out", root / "again", "--share", "0.3")
    expect(all((root / "again" / name).read_bytes() == (root / "aside" / name).read_bytes()
               for name in ("train.tsv", "dev.tsv")), "and the same at any time")


def check_mistakes(root):
    (root / "other.tsv").write_text("label\ttext\n1\tone two three\n0\n", encoding="utf-8")
    for options, said in ((["--out", root / "no"], ["other.tsv", "sentence", "label, text"]),
                          (["--out", root / "no", "--column", "text"], ["other.tsv:3"])):
        done = run(root / "other.tsv", *options)
        expect(done.returncode == 1 and all(part in done.stderr for part in said) and "Traceback" not in done.stderr,
               f"refused: {done.stderr.strip()}")
    expect(not (root / "no").exists(), "and nothing is written")


def main():
    with tempfile.TemporaryDirectory() as folder:
        check_split(Path(folder))
        check_mistakes(Path(folder))
    sys.exit(checks.failures > 0)


if __name__ == "__main__":
    main()
