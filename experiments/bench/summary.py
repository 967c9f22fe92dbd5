"""Figures of the passes: medians, ratios, and where our time goes."""
from statistics import median

PARTS = ["gemm", "attention", "elementwise", "optimizer", "data"]


def rates(passes):
    return [figures["examples"] / figures["seconds"] for figures in passes]


def spread(passes):
    """Texts a second: median, lowest, highest."""
    values = rates(passes)
    return median(values), min(values), max(values)


def ratio(above, below):
    """Of the medians; None when one of the two was not run."""
    return median(rates(above)) / median(rates(below)) if above and below else None


def split(passes):
    """Medians over the passes: the share of each part of our step, and the GEMM's rate against its peak."""
    passes = [figures for figures in passes if "gemm_seconds" in figures]
    if not passes:
        return None
    shares = {f"{part}_share": median(f[f"{part}_seconds"] / f["seconds"] for f in passes) for part in PARTS}
    rate = median(f["gemm_flops"] / f["gemm_seconds"] for f in passes)
    peak = passes[-1]["gemm_peak_flops_per_second"]
    return dict(shares, gemm_flops_per_second=rate, gemm_peak_flops_per_second=peak, gemm_peak_share=rate / peak)


def peak_rss(passes):
    return max(figures["peak_rss_bytes"] for figures in passes) if passes else None


def flat(passes, ratios):
    """The JSON object of the result: one number a key, None where nothing was measured."""
    result = {r.name: ratio(passes.get(r.above), passes.get(r.below)) for r in ratios}
    for suffix, key in (("", "distil_fp16_ours"), ("_bf16", "distil_bf16_ours")):
        parts = split(passes.get(key, []))
        result[f"gemm_share{suffix}"] = parts and parts["gemm_share"]
        result[f"gemm_peak_share{suffix}"] = parts and parts["gemm_peak_share"]
    result["peak_rss_bytes"] = peak_rss(passes.get("distil_fp16_ours"))
    result["peak_rss_bytes_fp32"] = peak_rss(passes.get("distil_fp32_ours"))
    result["examples_per_second"] = {key: median(rates(list_)) for key, list_ in passes.items() if list_}
    result["examples_per_second_range"] = {key: spread(list_)[1:] for key, list_ in passes.items() if list_}
    result["tokens_per_text"] = {key: list_[-1]["tokens"] / list_[-1]["examples"]
                                 for key, list_ in passes.items() if list_}
    result["peak_rss_bytes_of"] = {key: peak_rss(list_) for key, list_ in passes.items() if list_}
    result["split"] = {key: split(list_) for key, list_ in passes.items() if list_ and split(list_)}
    result["targets"] = {r.name: dict(target=r.target, at_most=r.at_most, met=r.met(result[r.name]))
                         for r in ratios if result[r.name] is not None}
    return result
