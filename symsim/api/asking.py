"""``sensitivity`` and ``compare``: the questions of the commands of the same names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from symsim.analysis.comparing import compare as comparing
from symsim.analysis.comparing import compare_json
from symsim.analysis.comparing.compare import Difference
from symsim.analysis.quantities import parsed
from symsim.analysis.sensitivities import sensitivity as slopes
from symsim.analysis.sensitivities import sensitivity_json
from symsim.analysis.sensitivities.sensitivity import Partial
from symsim.api.arguments import check_plan, unknown_name
from symsim.api.plans import Plan
from symsim.api.printing import captured
from symsim.diagnostics import placed


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """How an answer follows each name.

    Attributes:
        of: the expression; ``value`` what it is, in ``unit`` (``s``, ``bytes`` …).
        partials: one for each name, the largest elasticity first: ``name``, ``derivative`` (per unit of the name),
            ``elasticity`` (per cent for each per cent), ``left`` and ``right`` of a kink, ``below`` and ``above``,
            the next values that are possible.
    """

    plan: Plan
    found: slopes.Sensitivity = field(repr=False)

    @property
    def of(self) -> str:
        """The expression that was asked about."""
        return self.found.of

    @property
    def value(self) -> float:
        """What it is, in ``unit``."""
        return self.found.value

    @property
    def unit(self) -> str:
        """``s``, ``bytes`` …; empty for counts and shares."""
        return self.found.unit

    @property
    def partials(self) -> tuple[Partial, ...]:
        """One for each name, the largest elasticity first."""
        return self.found.partials

    def __getitem__(self, name: str) -> Partial:
        """The partial of one name. KeyError where it was not asked for, or does not matter."""
        for partial in self.found.partials:
            if partial.name == name:
                return partial
        raise unknown_name(name, [p.name for p in self.found.partials], "name")

    def to_dict(self) -> dict[str, Any]:
        """The document ``symsim.sensitivity/1`` (docs/sensitivity.md)."""
        return sensitivity_json.document(self.plan.question, self.found)

    def __repr__(self) -> str:
        return f"<Sensitivity of {self.of} = {self.value:.6g} {self.unit}: {len(self.partials)} names>"

    def __str__(self) -> str:
        from symsim.report.sensitivity import print_sensitivity

        return captured(print_sensitivity, self.to_dict())

    def _repr_html_(self) -> str:
        from symsim.report.html import table

        rows = [
            [p.name, f"{p.value:.6g}", f"{p.derivative:.4g}", "" if p.elasticity is None else f"{p.elasticity:+.3f}"]
            for p in self.partials
        ]
        return table(["name", "value", "derivative", "elasticity"], rows, f"{self.of} = {self.value:.6g} {self.unit}")


def sensitivity(plan: Plan, of: str = "time.iteration", with_respect_to: Sequence[str] | None = None) -> Sensitivity:
    """The exact derivatives of an answer, and what a step further makes of it.

    Args:
        of: an output or an expression of outputs, sizes and figures, such as ``"memory.capacity - memory.peak"``.
        with_respect_to: figures of the machine, sizes of the strategy, dimensions of the model, or the groups
            ``machine``, ``framework`` and ``sizes``; without it all that matter of these groups.

    Raises:
        InputError: an impossible plan, a name that does not vary, an expression that has no derivative here.

    >>> found = symsim.sensitivity(symsim.load("llama3_70b", "tp8_pp4", "h100_sxm"), with_respect_to=["hidden", "seq"])
    >>> [(p.name, round(p.elasticity, 2)) for p in found.partials]
    [('hidden', 0.58), ('seq', 0.55)]
    """
    check_plan(plan, "sensitivity")
    names = (with_respect_to,) if isinstance(with_respect_to, str) else with_respect_to
    with placed(plan.question.plan.places):
        return Sensitivity(plan, slopes.sensitivity(plan.question, parsed(of, "of"), names))


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two plans, and what makes them differ.

    Attributes:
        differences: of the time of a step (seconds), the peak of memory (bytes) and perhaps one more quantity:
            ``first``, ``second``, ``change``, its ``terms`` and its ``parts`` by choice, which sum to the change.
    """

    first: Plan
    second: Plan
    found: comparing.Comparison = field(repr=False)
    of: str | None = None

    @property
    def differences(self) -> tuple[Difference, ...]:
        """Of the time of a step, the peak of memory, and perhaps one more quantity."""
        return self.found.differences

    def __getitem__(self, name: str) -> Difference:
        """The difference of ``time.iteration``, ``memory.peak``, or the expression that was asked for."""
        for difference in self.found.differences:
            if name in (difference.name, self.of if difference.name == comparing.OWN else None):
                return difference
        raise unknown_name(name, [d.name for d in self.found.differences], "difference")

    def to_dict(self) -> dict[str, Any]:
        """The document ``symsim.compare/1`` (docs/compare.md)."""
        return compare_json.document(self.found, self.of)

    def __repr__(self) -> str:
        changes = ", ".join(f"{d.name} {d.change:+.4g} {d.unit}".rstrip() for d in self.differences)
        return f"<Comparison {self.first.strategy} → {self.second.strategy}: {changes}>"

    def __str__(self) -> str:
        from symsim.report.compare import print_comparison

        return captured(print_comparison, self.to_dict())

    def _repr_html_(self) -> str:
        from symsim.report.html import table

        document = self.to_dict()
        rows = [
            [d["name"], f"{d['a']:.6g}", f"{d['b']:.6g}", f"{d['change']:+.4g} {d['unit']}"]
            for d in document["differences"]
        ]
        return table(["", "A", "B", "change"], rows, f"A {self.first} | B {self.second}")


def compare(first: Plan, second: Plan, of: str | None = None) -> Comparison:
    """Why one plan is better than another: the difference by terms of the formulas, and by the choices that differ.

    Args:
        of: one more quantity, such as ``"throughput.mfu"``; attributed to choices alone.

    Raises:
        InputError: one of the plans breaks a rule, or ``of`` has no number for both.

    >>> plan = symsim.load("llama3_70b", "tp8_pp4", "h100_sxm")
    >>> found = symsim.compare(plan, plan.changed(recompute="full"))
    >>> [(part.choices, round(part.change, 2)) for part in found["time.iteration"].parts]
    [(('recompute',), 3.29)]
    """
    check_plan(first, "compare", "first")
    check_plan(second, "compare", "second")
    expression = parsed(of, "of") if of is not None else None
    return Comparison(first, second, comparing.compare(first.question, second.question, expression), of)
