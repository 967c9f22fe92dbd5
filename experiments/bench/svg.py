"""A line chart with panels side by side, as SVG text."""
from html import escape

COLOURS = ["#000000", "#d55e00", "#0072b2", "#009e73", "#cc79a7"]
WIDTH, HEIGHT, LEFT, TOP, BOTTOM, GAP = 380, 260, 52, 30, 40, 20


def _ticks(low, high, count=4):
    return [low + (high - low) * i / count for i in range(count + 1)]


def _text(x, y, words, anchor="middle", size=11):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{escape(words)}</text>'


def _panel(origin, title, lines, x_label):
    """lines: [(name, colour, values)]; x is the position in values, from 1."""
    right, bottom = origin + WIDTH - GAP, TOP + HEIGHT - BOTTOM
    left = origin + LEFT
    high = max(max(values) for _, _, values in lines)
    low = min(0.0, min(min(values) for _, _, values in lines))
    high = high if high > low else low + 1.0
    steps = max(len(values) for _, _, values in lines)

    def x(step):
        return left + (right - left) * step / max(steps - 1, 1)

    def y(value):
        return bottom - (bottom - TOP) * (value - low) / (high - low)

    parts = [_text((left + right) / 2, TOP - 12, title, size=13), _text((left + right) / 2, bottom + 32, x_label)]
    for value in _ticks(low, high):
        parts.append(f'<path d="M{left:.1f} {y(value):.1f}H{right:.1f}" stroke="#ddd"/>')
        parts.append(_text(left - 5, y(value) + 4, f"{value:.3g}", "end"))
    for step in _ticks(0, steps - 1):
        parts.append(_text(x(step), bottom + 15, f"{round(step) + 1}"))
    for _, colour, values in lines:
        points = " ".join(f"{x(step):.1f},{y(value):.1f}" for step, value in enumerate(values))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.3"/>')
    return parts


def chart(panels, x_label):
    """panels: [(title, {name: values})], the names of all panels in one legend."""
    names = list(dict.fromkeys(name for _, lines in panels for name in lines))
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}
    width, height = WIDTH * len(panels), TOP + HEIGHT + 22
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">',
             f'<rect width="{width}" height="{height}" fill="#fff"/>']
    for i, (title, lines) in enumerate(panels):
        parts += _panel(i * WIDTH, title, [(name, colours[name], values) for name, values in lines.items()], x_label)
    for i, name in enumerate(names):
        place = LEFT + i * (width - LEFT) / len(names)
        parts.append(f'<path d="M{place:.1f} {height - 14}h18" stroke="{colours[name]}" stroke-width="2"/>')
        parts.append(_text(place + 23, height - 10, name, "start"))
    return "\n".join([*parts, "</svg>", ""])
