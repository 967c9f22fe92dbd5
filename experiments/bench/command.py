"""What the programs of this folder do alike: a temporary folder, signals, errors, exit status."""
import signal
import sys
import tempfile
from pathlib import Path

from worker import WorkerFailed


def _interrupt(number, frame):
    raise KeyboardInterrupt(number)


def run(work):
    """Exit status of work(folder): 0, 1 after an error, 128 + the signal's number. Workers end in all cases, as
    those who started them have `finally`."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        with tempfile.TemporaryDirectory(prefix="llmc-bench-") as folder:
            work(Path(folder))
    except KeyboardInterrupt as interruption:
        print("\nstopped", file=sys.stderr)
        return 128 + interruption.args[0]
    except (OSError, ValueError, WorkerFailed) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0
