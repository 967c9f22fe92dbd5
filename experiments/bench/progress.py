"""How far the benchmark is and how long it will still take, on standard error."""
import sys
import time


def clock_text(seconds):
    minutes, seconds = divmod(int(seconds + 0.5), 60)
    return f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"


class Progress:
    """Tasks are known by name: `expect` says how often and how long, `done` how long it was."""

    def __init__(self):
        self.left, self.seconds = {}, {}
        self.line_open = False

    def expect(self, name, count, seconds):
        self.left[name] = count
        self.seconds.setdefault(name, seconds)

    def done(self, name, seconds):
        self.left[name] -= 1
        self.seconds[name] = seconds

    def drop(self, name):
        self.left[name] = 0

    def seconds_left(self):
        return sum(count * self.seconds[name] for name, count in self.left.items())

    def show(self, text):
        line = f"{text} (about {clock_text(self.seconds_left())} left)"
        if sys.stderr.isatty():
            print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)
            self.line_open = True
        else:
            print(line, file=sys.stderr, flush=True)

    def finish(self):
        if self.line_open:
            print(file=sys.stderr)
            self.line_open = False


def timed(function):
    """(result, seconds)"""
    start = time.monotonic()
    result = function()
    return result, time.monotonic() - start
