"""The result for people."""
from summary import PARTS


def table(header, rows):
    """Columns as wide as their widest cell; the first to the left, the others to the right."""
    lines = [header, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join("  ".join(cell.ljust(width) if i == 0 else cell.rjust(width)
                               for i, (cell, width) in enumerate(zip(line, widths))).rstrip() for line in lines)


def _workers(result):
    rows = []
    for key, rate in result["examples_per_second"].items():
        low, high = result["examples_per_second_range"][key]
        work, precision, side = key.split("_")
        rows.append([f"{work} {precision}, {side.replace('-', ' ')}", f"{rate:,.0f}", f"{low:,.0f} - {high:,.0f}",
                     f"{result['tokens_per_text'][key]:.1f}", f"{result['peak_rss_bytes_of'][key] / 1e6:,.0f} MB"])
    return table(["worker", "texts/s, median", "lowest - highest", "tokens a text", "peak memory"], rows)


def _ratios(result, ratios):
    rows = []
    for r in ratios:
        value = result[r.name]
        if value is not None:
            rows.append([r.name, f"{value:.2f}", f"{'at most' if r.at_most else 'at least'} {r.target:g}",
                         "met" if r.met(value) else "missed"])
    return table(["ratio", "measured", "target", ""], rows) if rows else "no ratios: one side was left out"


def _splits(result):
    rows = []
    for key, parts in result["split"].items():
        if "-beside-" in key:
            continue  # stands there already
        rows.append([key.removesuffix("_ours").replace("_", " ")] + [f"{parts[f'{p}_share']:.1%}" for p in PARTS] +
                    [f"{parts['gemm_flops_per_second'] / 1e9:,.0f}",
                     f"{parts['gemm_peak_flops_per_second'] / 1e9:,.0f}", f"{parts['gemm_peak_share']:.1%}"])
    return table(["our step", *PARTS, "GEMM GFLOP/s", "its peak", "share"], rows)


def scaling(points):
    rows = [[p["series"], f"{p['batch']}", f"{p['tokens']}", f"{p['threads']}", f"{p['microseconds_per_token']:.2f}",
             f"{p['examples_per_second']:,.1f}"] for p in points]
    return table(["series", "texts a batch", "tokens a text", "threads", "microseconds a token", "texts/s"], rows)


def report(result, ratios):
    about = ", ".join(f"{name} {value}" for name, value in result["about"].items())
    blocks = [about]
    if result["examples_per_second"]:
        blocks += [_workers(result), _ratios(result, ratios)]
    if result["split"]:
        blocks.append(_splits(result))
    if result.get("scaling"):
        blocks.append(scaling(result["scaling"]))
    return "\n\n".join(blocks)
