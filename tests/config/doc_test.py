"""doc/configuration.md says what llmc-distill --keys=markdown says. Argument: llmc-distill. Where they differ, the command
that brings the document up to date is printed."""
import subprocess
import sys
from pathlib import Path

DOCUMENT = Path("doc/configuration.md")
START = "## Keys of the run\n"

printed = subprocess.run([sys.argv[1], "--keys=markdown"], check=True, capture_output=True, text=True).stdout
written = DOCUMENT.read_text()
plain = subprocess.run([sys.argv[1], "--keys"], check=True, capture_output=True, text=True).stdout
missing = [row.split("`")[1] for row in printed.splitlines() if row.startswith("| `") and row.split("`")[1] not in plain]
if missing:
    sys.exit(f"--keys leaves out {missing}")
if printed.count("\n| `") < 30 or not printed.startswith(START):
    sys.exit("--keys=markdown prints no reference")
if written[written.index(START):] != printed:
    sys.exit(f"{DOCUMENT} is not what --keys=markdown prints. From '{START.strip()}' on it should be its output:\n"
             f"    sed -i '/^{START.strip()}/,$d' {DOCUMENT} && build/cli/llmc-distill --keys=markdown >> {DOCUMENT}")
print("the reference of keys is up to date")
