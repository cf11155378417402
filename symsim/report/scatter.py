"""A picture of predicted against measured step times, as SVG: both axes logarithmic, one colour for each set."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 760, 560
LEFT, TOP, SIDE = 70, 20, 480
"""The square of the axes: its corner and its side."""
BAND = 0.1
"""The shaded band: predictions within 10 %."""
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a5195", "#666666", "#b8860b", "#003f5c",
           "#a05195", "#2f4b7c", "#7fb800", "#a2142f", "#17becf")  # fmt: skip
"""Told apart by colour-blind readers as far as so many can be (Okabe and Ito, then others)."""

Points = Mapping[str, Sequence[tuple[float, float]]]
"""Set → (measured, predicted) in seconds."""


def scatter(points: Points) -> str:
    values = [v for pairs in points.values() for pair in pairs for v in pair]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    scale = SIDE / (high - low)

    def x(seconds: float) -> float:
        return LEFT + (math.log10(seconds) - low) * scale

    def y(seconds: float) -> float:
        return TOP + SIDE - (math.log10(seconds) - low) * scale

    letters = 'font-family="sans-serif" font-size="13"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {letters}>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<clipPath id="axes"><rect x="{LEFT}" y="{TOP}" width="{SIDE}" height="{SIDE}"/></clipPath>',
    ]
    ends = 10.0**low, 10.0**high
    corners = [(ends[0], 1 - BAND), (ends[1], 1 - BAND), (ends[1], 1 + BAND), (ends[0], 1 + BAND)]
    band = " ".join(f"{x(s):.1f},{y(s * f):.1f}" for s, f in corners)
    parts.append(f'<polygon points="{band}" fill="#e8e8e8" clip-path="url(#axes)"/>')
    for power in range(low, high + 1):
        at, label = 10.0**power, f"{10.0**power:g}"
        across, down = x(at), y(at)
        parts.append(f'<path d="M{across:.1f} {TOP}V{TOP + SIDE}M{LEFT} {down:.1f}H{LEFT + SIDE}" stroke="#cccccc"/>')
        parts.append(f'<text x="{across:.1f}" y="{TOP + SIDE + 18}" text-anchor="middle">{label}</text>')
        parts.append(f'<text x="{LEFT - 8}" y="{down + 4:.1f}" text-anchor="end">{label}</text>')
    parts.append(f'<path d="M{LEFT} {TOP + SIDE}L{LEFT + SIDE} {TOP}" stroke="#888888"/>')
    for k, (name, pairs) in enumerate(points.items()):
        colour = COLOURS[k % len(COLOURS)]
        dots = "".join(f'<circle cx="{x(m):.1f}" cy="{y(p):.1f}" r="3.2"/>' for m, p in pairs)
        parts.append(f'<g fill="{colour}" fill-opacity="0.75">{dots}</g>')
        line = TOP + 12 + 20 * k
        parts.append(f'<circle cx="{LEFT + SIDE + 20}" cy="{line}" r="4.5" fill="{colour}"/>')
        parts.append(f'<text x="{LEFT + SIDE + 32}" y="{line + 4}">{escape(name)}</text>')
    middle = LEFT + SIDE / 2
    parts.append(f'<text x="{middle}" y="{TOP + SIDE + 42}" text-anchor="middle">measured step, seconds</text>')
    turned = f'transform="rotate(-90 18 {TOP + SIDE / 2})"'
    parts.append(f'<text x="18" y="{TOP + SIDE / 2}" text-anchor="middle" {turned}>predicted step, seconds</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"
