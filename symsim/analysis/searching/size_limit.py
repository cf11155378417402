"""Whether a space has more legal points than one search evaluates, estimated from a part of it before it is searched.

Of each axis a few values are drawn; the legal points of what they span, times how much larger the space is, estimate
those of the whole. Spaces whose rules leave little, such as all meshes of a world, are small there and pass.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from symsim.analysis.searching.legal_points import MAX_POINTS
from symsim.analysis.searching.space import Axis, Refused, Space, Variant
from symsim.analysis.searching.sweep import sweep_unit
from symsim.analysis.searching.variant_columns import Asked
from symsim.diagnostics import error

DRAWN = (6, 12, 24)
"""Values drawn of each axis, until enough legal points are among them."""

ENOUGH = 50
"""Legal points that an estimate needs."""

VARIANTS = 3
"""Variants that are looked at."""


def check_size_limit(space: Space, parts: Sequence[Variant | Refused], asked: Asked) -> None:
    """Raises InputError if far more points seem legal than one search evaluates."""
    if space.points <= MAX_POINTS:
        return
    live = [part for part in parts if isinstance(part, Variant)]
    draw = random.Random(0)
    some = draw.sample(live, min(VARIANTS, len(live)))
    expected = sum((_estimate(space, variant, asked, draw) for variant in some), Fraction(0))
    expected *= Fraction(len(live), max(1, len(some)))
    if expected > 2 * MAX_POINTS:
        message = f"the space has about {float(expected):.0e} legal points, more than {MAX_POINTS:,}"
        wide = sorted(space.axes, key=lambda axis: -len(axis.values))[:3]
        hint = "give fewer values to " + ", ".join(f"{axis.name} ({len(axis.values):,})" for axis in wide)
        raise error("E372", message, None, hint)


def _estimate(space: Space, variant: Variant, asked: Asked, draw: random.Random) -> Fraction:
    for count in DRAWN:
        part = _part(variant, count, draw)
        legal = sweep_unit(space, [part], replace(asked, best=1, pareto=())).tally.legal
        if legal >= ENOUGH:
            return Fraction(legal) * variant.points / part.points
    return Fraction(0)


def _part(variant: Variant, count: int, draw: random.Random) -> Variant:
    """The variant with at most ``count`` values of each axis."""
    chosen = [sorted(draw.sample(range(len(a.values)), min(count, len(a.values)))) for a in variant.axes]
    return replace(
        variant,
        axes=tuple(Axis(a.name, tuple(a.values[k] for k in ks)) for a, ks in zip(variant.axes, chosen, strict=True)),
        places=tuple(tuple(p[k] for k in ks) for p, ks in zip(variant.places, chosen, strict=True)),
    )
