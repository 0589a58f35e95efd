"""Line charts as SVG, by hand: two of them are not worth a library that has to be installed."""

import math
from collections.abc import Sequence
from html import escape

Series = tuple[str, Sequence[tuple[float, float]]]
_WIDTH, _HEIGHT = 760, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 180, 50, 60
_COLORS = ("#0b7285", "#e8590c", "#5f3dc4", "#2b8a3e", "#c92a2a", "#495057")


def line_chart(title: str, series: Sequence[Series], *, x_label: str, y_label: str) -> str:
    """An SVG document; x is logarithmic, y begins at zero.

    Args:
        series: Name and points of each line; x above zero.
    """
    xs = sorted({x for _, points in series for x, _ in points})
    top, step = _scale(max(y for _, points in series for _, y in points))
    width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    low, high = math.log(xs[0]), math.log(xs[-1])

    def across(x: float) -> float:
        return _LEFT + width * ((math.log(x) - low) / (high - low) if high > low else 0.5)

    def up(y: float) -> float:
        return _TOP + height * (1 - y / top)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img"'
        ' font-family="system-ui, sans-serif" font-size="13" fill="#212529">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        _text(_LEFT, 26, title, size=16),
    ]
    for index in range(round(top / step) + 1):
        y = up(index * step)
        parts.append(f'<path d="M{_LEFT} {y:.1f}h{width}" stroke="#dee2e6"/>')
        parts.append(_text(_LEFT - 8, y + 4, f"{index * step:g}", anchor="end"))
    last = -math.inf
    for x in xs:
        if across(x) - last > 45:  # labels must not touch
            last = across(x)
            parts.append(_text(last, _HEIGHT - _BOTTOM + 20, f"{x:,.0f}", anchor="middle"))
    parts.append(_text(_LEFT + width / 2, _HEIGHT - 14, x_label, anchor="middle"))
    middle = _TOP + height / 2
    turned = f'transform="rotate(-90 18 {middle:.0f})"'
    parts.append(_text(18, middle, y_label, anchor="middle", more=turned))
    ends: list[float] = []
    for index, (name, points) in enumerate(series):
        color = _COLORS[index % len(_COLORS)]
        path = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>')
        parts += [
            f'<circle cx="{across(x):.1f}" cy="{up(y):.1f}" r="3.5" fill="{color}">'
            f"<title>{escape(name)}: {y:.2f} at {x:,.0f}</title></circle>"
            for x, y in points
        ]
        x, y = across(points[-1][0]), up(points[-1][1])
        while any(abs(y - other) < 15 for other in ends):
            y += 15
        ends.append(y)
        parts.append(_text(x + 10, y + 4, name, more=f'fill="{color}"'))
    return "\n".join([*parts, "</svg>", ""])


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", size: int = 13, more: str = ""
) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}"'
    return f"<text {place} {more}>{escape(text)}</text>"


def _scale(highest: float) -> tuple[float, float]:
    """A round top of the axis above a value, and the step of its lines."""
    rough = max(highest, 1e-9) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(factor for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough)
    return math.ceil(highest / step) * step, step
