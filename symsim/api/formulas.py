"""``formula``: the formulas themselves, as ``symsim formula`` prints them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from symsim.analysis.formulas import formulas
from symsim.api.arguments import unknown_name
from symsim.api.plans import Plan, given
from symsim.api.settings import Name, Setting, StrategyName
from symsim.diagnostics import error, nearest, placed
from symsim.report.formulas import FORMATS, TITLES, WHOLE, printed

if TYPE_CHECKING:
    import sympy

    from symsim.loading.question import Question
    from symsim.records.cost import Definition

Show = Literal["memory", "params", "flops", "communication", "time", "all"]
Per = Literal["total", "stage", "layer", "operator", "moment"]
Format = Literal["text", "latex", "markdown", "python", "json"]


@dataclass(frozen=True, eq=False)
class Formula(Mapping[str, "sympy.Expr"]):
    """Named definitions in order, each made of symbols, of numbers and of those before it.

    A mapping from names to expressions of sympy; ``str`` is the text in the format that was asked for.

    Attributes:
        show, per, format: what was asked for.
        text: the formulas in that format.
    """

    show: str
    per: str | None
    format: str
    text: str = field(repr=False)
    definitions: tuple[Definition, ...] = field(repr=False)
    question: Question = field(repr=False)

    def __getitem__(self, name: str) -> sympy.Expr:
        for definition in self.definitions:
            if definition.name == name:
                return definition.expression
        raise unknown_name(name, self, "definition")

    def __iter__(self) -> Any:
        return (d.name for d in self.definitions)

    def __len__(self) -> int:
        return len(self.definitions)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<Formula {self.question.model.name} · {self.show}: {len(self)} definitions>"

    def to_dict(self) -> dict[str, Any]:
        """The document that ``symsim formula --format json`` prints."""
        from symsim.emit.json import definitions

        return definitions(self.definitions, f"{self.question.model.name} · {TITLES[self.show]}")

    def _repr_latex_(self) -> str | None:
        """For notebooks, which know displayed formulas by dollars."""
        return self.text.replace("\\[", "$$").replace("\\]", "$$") if self.format == "latex" else None

    def _repr_markdown_(self) -> str | None:
        if self.format in ("latex", "markdown"):
            return None if self.format == "latex" else self.text
        return f"```{self.format}\n{self.text}```\n"


def formula(
    model: Plan | Name,
    strategy: StrategyName | None = None,
    system: Name | None = None,
    *,
    show: Show = "memory",
    per: Per | None = None,
    keep: Collection[str] = (),
    format: Format = "text",
    set: Mapping[str, Setting] = {},
    **settings: Setting,
) -> Formula:
    """What a model costs, as formulas in the sizes of a strategy.

    Args:
        model: a model, or a plan, whose structure selects the formulas and whose sizes stay symbols.
        strategy, system: as of :func:`symsim.load`; sizes may be missing.
        show: memory (bytes), params, flops, communication (bytes), time (seconds) or all.
        per: how far to open it up; the whole job for time, one pipeline stage for the rest.
        keep: dimensions of the model that stay symbols, or ``"all"``.
        format: text, latex, markdown, python (a module with a function) or json.
        set, settings: of the strategy, the model or the machine; sizes among them are put in as numbers.

    Raises:
        InputError: as :func:`symsim.load`; a format, a depth or a part of the cost that is none.

    >>> found = symsim.formula("llama3_70b", show="params")
    >>> print(found["n"])
    80/pp
    >>> print(symsim.formula("llama3_70b", show="memory", format="latex", keep=["layers"]).text[:10])
    \\[ % llama
    """
    from symsim.analysis.formulas import DEPTHS, SHOWN

    for name, value, known in (("show", show, SHOWN), ("per", per or DEPTHS[0], DEPTHS), ("format", format, FORMATS)):
        if value not in known:
            raise error("E380", f"{name} cannot be '{value}'", None, nearest(value, known))
    changes = {**set, **settings}
    if isinstance(model, Plan):
        asked = model.changed(set=changes).question if changes else model.question
    else:
        asked = given(model, strategy, system, set, settings).question(needs_sizes=False)
    keeping = frozenset([keep] if isinstance(keep, str) else keep)
    keeping = frozenset({"all"}) if "all" in keeping else keeping
    put = {n: int(asked.plan.sizes[n]) for n in changes if n in asked.plan.sizes and asked.plan.sizes[n] % 1 == 0}
    with placed(asked.plan.places):
        found = formulas(asked, show, per, keeping, put, whole=format in WHOLE)
    return Formula(show, per, format, printed(asked, found, show, format, bool(keeping)), found, asked)
