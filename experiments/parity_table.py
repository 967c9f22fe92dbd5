"""README.md of experiments/parity from the lines of runs.jsonl: every seed, means, standard errors."""
import math
import statistics

from parity_sets import SETS

CURVE_STEPS = 10


def standard_error(values):
    return statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan


def mean_text(values, scale, digits):
    if len(values) < 2:
        return f"{scale * values[0]:.{digits}f}"
    return f"{scale * statistics.mean(values):.{digits}f} ± {scale * standard_error(values):.{digits}f}"


def apart(left, right):
    """How many standard errors of the difference the means of left and right are apart; positive: left is larger."""
    error = math.hypot(standard_error(left), standard_error(right))
    return (statistics.mean(left) - statistics.mean(right)) / error if error > 0 else math.nan


def sides_of(runs, name):
    found = {}
    for run in runs:
        if run["set"] == name:
            found.setdefault(run["side"], []).append(run)
    return {side: sorted(of, key=lambda run: run["seed"]) for side, of in found.items()}


def set_lines(runs, name):
    sides, first = sides_of(runs, name), next(run for run in runs if run["set"] == name)
    yield f"## {name}"
    yield ""
    yield (f"{first['train_rows']:,} training rows, {first['dev_rows']:,} that measure ({SETS[name].dev}), "
           f"{first['layers']} layers, {first['epochs']} epochs, peak rate {first['rate']:g}, {first['precision']}.")
    yield ""
    yield "| side | accuracy of each seed, % | mean ± standard error | loss of the last epoch, each seed | mean ± standard error |"
    yield "|---|---|---|---|---|"
    for side, of in sides.items():
        right, losses = [run["accuracy"] for run in of], [run["epoch_losses"][-1] for run in of]
        yield (f"| {side} | {', '.join(f'{100 * value:.2f}' for value in right)} | {mean_text(right, 100, 2)} | "
               f"{', '.join(f'{value:.4f}' for value in losses)} | {mean_text(losses, 1, 4)} |")
    yield ""
    base = sides.get("transformers", [])
    for side, of in sides.items():
        if side == "transformers" or min(len(of), len(base)) < 2:
            continue
        for what, read in (("accuracy", lambda run: run["accuracy"]), ("loss", lambda run: run["epoch_losses"][-1])):
            errors = apart([read(run) for run in of], [read(run) for run in base])
            verdict = "within" if abs(errors) <= 2 else "**not within**"
            yield f"- {side} against transformers, {what}: {errors:+.1f} standard errors of the difference, {verdict} two."
    yield ""


def smoothed(losses):
    return [statistics.mean(losses[i:i + CURVE_STEPS]) for i in range(len(losses) - CURVE_STEPS + 1)]


def curve_lines(curves):
    yield "## The same start, the same order, no dropout"
    yield ""
    yield ("Head and order are those that llmc makes of the seed, nothing else is random: losses must lie on each other. "
           f"Distances are to transformers, of means over {CURVE_STEPS} steps; `rowwise` is PyTorch with SparseAdam for "
           "the word embedding.")
    yield ""
    yield "| set | rows, layers, steps | side | loss of the last epoch | mean distance | largest distance | accuracy, % |"
    yield "|---|---|---|---|---|---|---|"
    for name in SETS:
        sides = {side: of[0] for side, of in sides_of(curves, name).items()}
        for side, run in sides.items():
            base = smoothed(sides.get("transformers", run)["losses"])
            far = [abs(a - b) for a, b in zip(smoothed(run["losses"]), base)]
            yield (f"| {name} | {run['train_rows']:,}, {run['layers']}, {run['steps']} | {side} | "
                   f"{run['epoch_losses'][-1]:.4f} | {statistics.mean(far):.1e} | {max(far):.1e} | "
                   f"{100 * run['accuracy']:.2f} |")
    yield ""


def table(runs, curves, command, versions):
    lines = ["# Fine-tuning: llmc and transformers", "",
             "The teacher stage of llmc, and PyTorch with transformers' BertForSequenceClassification trained as Trainer "
             "does it, from all-MiniLM-L6-v2 with the same settings: batches of 32, 128 tokens, dropout 0.1, AdamW with "
             "decay 0.01 (not of biases and layer norms), clipping at 1, warm-up over a tenth of the steps, then linear "
             "to 0. Every seed has its own head, order and dropout on each side.", "",
             f"Made by `{command}`; {versions}.", ""]
    for name in SETS:
        if any(run["set"] == name for run in runs):
            lines += set_lines(runs, name)
    if curves:
        lines += curve_lines(curves)
    return "\n".join(lines).rstrip("\n") + "\n"
