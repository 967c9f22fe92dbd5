"""What the result says of the machine and of the program."""
import os
import resource
import subprocess
import time


def processor_name():
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as cpuinfo:
        names = (line.split(":", 1)[1].strip() for line in cpuinfo if line.startswith("model name"))
        return next(names, "unknown")


def commit(repository):
    """With a plus sign when files differ from it."""
    command = ["git", "-C", str(repository), "describe", "--always", "--exclude=*", "--dirty=+"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _busy_seconds():
    """Of all processors and processes since the machine started."""
    with open("/proc/stat", encoding="ascii") as stat:
        user, nice, system = map(int, stat.readline().split()[1:4])
    return (user + nice + system) / os.sysconf("SC_CLK_TCK")


def _own_seconds():
    """Of this process and of the children that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


class Others:
    """How much of the machine other processes took meanwhile: above a few per cent, do not trust the figures."""

    def __init__(self):
        self.start, self.busy, self.own = time.monotonic(), _busy_seconds(), _own_seconds()

    def share(self):
        """Call when all children have ended."""
        available = (time.monotonic() - self.start) * os.cpu_count()
        return max(_busy_seconds() - self.busy - (_own_seconds() - self.own), 0.0) / available
