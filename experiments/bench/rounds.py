"""Workers that take turns: one pass each, again and again, never two at once.

What else the machine does then hits all sides alike, and medians of a few rounds shed the rest.

A member of a group has a `key` and `rounds`, so many at most (0: as many as asked for). Of the comparison's settings,
command(member) starts its worker, start_seconds(member) and pass_seconds(member) guess its times, `rounds` and
`deadline` (None: none) are what was asked for.
"""
import time

from progress import timed
from worker import Worker

ROUNDS_MIN = 2


def _task(group, member, what):
    return f"{group}: {member.key} {what}"


def plan(progress, groups, settings):
    for group, members in groups.items():
        for member in members:
            progress.expect(_task(group, member, "start"), 1, settings.start_seconds(member))
            progress.expect(_task(group, member, "pass"), 1 + min(member.rounds or settings.rounds, settings.rounds),
                            settings.pass_seconds(member))


def _affordable_rounds(progress, settings):
    """Fewer rounds where the deadline asks for it; every group gives up the same share."""
    if settings.deadline is None:
        return settings.rounds
    share = (settings.deadline - time.monotonic()) / max(progress.seconds_left(), 1e-9)
    return max(min(ROUNDS_MIN, settings.rounds), min(settings.rounds, int(settings.rounds * share)))


def run_group(group, members, settings, progress):
    """({member's key: list of passes, the warm-up left out}, {key: what the worker says of itself})"""
    workers, passes, about = {}, {member.key: [] for member in members}, {}

    def run(member):
        figures, seconds = timed(workers[member.key].run)
        progress.done(_task(group, member, "pass"), seconds)
        progress.show(f"{group}: {member.key}: {figures['examples'] / figures['seconds']:,.0f} texts/s")
        return figures

    try:
        for member in members:
            progress.show(f"{group}: {member.key} loads")
            workers[member.key] = Worker(member.key, settings.command(member))
            _, seconds = timed(workers[member.key].wait_until_ready)
            progress.done(_task(group, member, "start"), seconds)
            about[member.key] = workers[member.key].about
            run(member)
        rounds = _affordable_rounds(progress, settings)
        for index in range(rounds):
            for member in members:
                if index < (member.rounds or rounds):
                    passes[member.key].append(run(member))
        for member in members:
            progress.drop(_task(group, member, "pass"))
    finally:
        for worker in workers.values():
            worker.close()
    return passes, about
