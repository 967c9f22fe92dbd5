"""Figures of experiments/bench/infer: ratios against the fastest peer, how many labels are right, and tables."""
from statistics import median

from infer_comparisons import GROUPS, RATIOS, SAME_MODEL, TARGETS, TEACHER_INT8
from summary import rates, spread
from tables import table


def fastest(passes, names, batch):
    """The key of the fastest of these peers, by its median."""
    return max((f"{name}_b{batch}" for name in names), key=lambda key: median(rates(passes[key])))


def right(passes, labels):
    """How many labels each worker found, in its last pass."""
    return {key: sum(answer == label for answer, label in zip(list_[-1]["answers"], labels))
            for key, list_ in passes.items() if not key.startswith("tokenizer")}


def flat(passes, labels, expected):
    """The JSON object of the comparison; expected: the run's own answers in the order of the texts, or None."""
    result, against = {}, {}
    for ratio in RATIOS:
        peer = fastest(passes, ratio.below, ratio.batch)
        result[ratio.name] = median(rates(passes[f"llmc_b{ratio.batch}"])) / median(rates(passes[peer]))
        against[ratio.name] = peer
    ours = passes["llmc_b32"]
    tokenizer = median(figures["examples"] / figures["tokenizer_seconds"] for figures in ours)
    result["tokenizer_ratio"] = tokenizer / median(rates(passes["tokenizer_hf_b32"]))
    result["against"] = against
    result["texts_per_second"] = {key: median(rates(list_)) for key, list_ in passes.items()}
    result["texts_per_second_range"] = {key: spread(list_)[1:] for key, list_ in passes.items()}
    result["right"] = right(passes, labels)
    result["same_labels_as_run"] = None if expected is None else min(
        sum(answer == label for answer, label in zip(passes[f"llmc_b{batch}"][-1]["answers"], expected))
        for batch in (1, 32))
    return result


def targets(result):
    """(key, value, target, at most?, met?); a value that is not known is not met."""
    rows = [(ratio.name, ratio.target, False) for ratio in RATIOS] + TARGETS
    return [(key, result[key], target, at_most,
             result[key] is not None and (result[key] <= target if at_most else result[key] >= target))
            for key, target, at_most in rows]


def _workers(result, texts):
    rows = []
    for members in GROUPS.values():
        for member in members:
            low, high = result["texts_per_second_range"][member.key]
            right_ = result["right"].get(member.key)
            role = ("same model" if member.name in SAME_MODEL else
                    "teacher, int8" if member.name in TEACHER_INT8 else "")
            rows.append([f"{member.name.replace('_', ' ')}, {member.batch} a call",
                         f"{result['texts_per_second'][member.key]:,.0f}", f"{low:,.0f} - {high:,.0f}",
                         "" if right_ is None else f"{right_ / texts:.2%}", role])
    return table(["program", "texts/s, median", "lowest - highest", "right", ""], rows)


def _targets(result):
    rows = []
    for key, value, target, at_most, met in targets(result):
        shown = "not known" if value is None else f"{value:,.2f}" if value < 1000 else f"{value:,.0f}"
        rows.append([key, shown, f"{'at most' if at_most else 'at least'} {target:g}", "met" if met else "missed",
                     result["against"].get(key, "")])
    return table(["figure", "measured", "target", "", "against"], rows)


def report(result):
    about = result["about"]
    texts = about["texts"]
    same = result["same_labels_as_run"]
    said = "the run has no verify stage" if same is None else f"{same} of {texts} are the run's own"
    return "\n\n".join([", ".join(f"{name} {value}" for name, value in about.items()), _workers(result, texts),
                        f"Labels of llmc: {said}.", _targets(result)])
