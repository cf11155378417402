"""``compile``: the formulas of one structure with its sizes open, evaluated over arrays of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any

from symsim.analysis.answer_json import BREAKDOWN, SHARES
from symsim.analysis.evaluate import MACHINE_PARTS, RUN_INPUTS, evaluator, unanswered
from symsim.analysis.quantities import machine_for, names_for, parsed
from symsim.api.columns import Columns
from symsim.api.plans import Plan, given
from symsim.api.settings import Name, Setting, StrategyName
from symsim.diagnostics import error, nearest, placed
from symsim.emit.program import Program
from symsim.emit.quantity import with_quantities
from symsim.language.strategies import MAX_STAGES, largest
from symsim.loading.plan import counts_microbatches
from symsim.loading.question import Question
from symsim.machine.bind import Machine
from symsim.records.strategy import ASSUMED_FIGURES, CHOICES, SIZE_SYMBOLS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from symsim.analysis.points import Formulas

ANSWERS = (
    "time.iteration",
    *(f"time.{name}" for name in BREAKDOWN),
    "time.bubble_share",
    "throughput.tokens_per_s",
    "throughput.tokens_per_s_per_gpu",
    *(f"throughput.{name}" for name in SHARES),
    "memory.peak",
    "memory.device",
    "memory.host",
    "flops.model_per_iteration",
    "flops.hardware_per_iteration",
)
"""What is evaluated where nothing is asked for; what a structure has no formula of is 0 there."""

TIMED = ("time.", "throughput.")
"""Beginnings of outputs that need a machine."""


@dataclass(frozen=True, eq=False)
class Compiled:
    """Formulas of a model under the structural choices of a plan, ready for any sizes.

    Attributes:
        names: outputs that may be asked for, those of single layers and operators included.
        inputs: sizes that may be given, as numbers or arrays.
        sizes: what is taken for those that are not.
    """

    question: Question = field(repr=False)
    names: tuple[str, ...] = field(repr=False)
    inputs: tuple[str, ...]
    sizes: Mapping[str, Any]
    program: Program = field(repr=False)
    _formulas: dict[tuple[str, ...] | None, tuple[tuple[str, ...], Formulas]] = field(
        repr=False, default_factory=dict, init=False
    )

    def evaluate(
        self,
        sizes: Mapping[str, ArrayLike] = {},
        /,
        *,
        wanted: Sequence[str] | None = None,
        **more: ArrayLike,
    ) -> Columns:
        """Evaluate the formulas at sizes, which broadcast together like arrays of numpy.

        Args:
            sizes: numbers or arrays by name, such as ``{"tp": [1, 2, 4, 8]}``; keywords say the same. What is not
                given is that of the plan. ``microbatches`` stands in place of ``gbs``.
            wanted: names of outputs, of ``names``, or expressions such as ``"memory.capacity - memory.peak"``.
                Without it: the time of a step and its parts, throughput and utilisation, peak memory, FLOPs.

        Returns:
            An array for each of ``wanted``, of the shape of the sizes. Plans that break a rule are NaN. Outputs of
            pipeline stages have one more axis.

        Raises:
            InputError: an unknown name, sizes that do not broadcast, or that are no whole numbers of at least 1.

        >>> compiled = symsim.compile(symsim.load("llama3_70b", "tp8_pp4", "h100_sxm"))
        >>> found = compiled.evaluate(tp=[1, 2, 3, 8], mbs=2, wanted=["time.iteration", "memory.peak"])
        >>> found.legal
        array([ True,  True, False,  True])
        >>> (found["memory.peak"] / 2**30).round(1)
        array([277.5, 225.8,   nan,  61.4])
        """
        import numpy as np

        given = {n: column_of(n, v) for n, v in {**sizes, **more}.items()}
        for name in given:
            self._check(name)
        try:
            shape = np.broadcast_shapes(*(v.shape for v in given.values()))
        except ValueError:
            shapes = ", ".join(f"{n} {v.shape}" for n, v in given.items() if v.shape)
            hint = "give arrays of one length, or axes of their own such as tp[:, None]"
            raise error("E382", f"the sizes do not broadcast together: {shapes}", None, hint) from None
        return self._columns(given, shape, wanted)

    def _columns(
        self, given: Mapping[str, NDArray[np.float64]], shape: tuple[int, ...], wanted: Sequence[str] | None
    ) -> Columns:
        import numpy as np

        names, formulas = self.formulas(wanted)
        units = {n: _unit(formulas.program, n) for n in names}
        own = {n: np.broadcast_to(v, shape) for n, v in given.items()}
        if not shape:
            numbers = self._with_step({n: _whole(v.item()) for n, v in given.items()})
            self._missing(numbers)
            found, problem = formulas.one(numbers, names)
            nothing = {n: [np.nan] if formulas.of_stage(n) else np.nan for n in names}
            values = {n: np.asarray(v, dtype=float) for n, v in (found if problem is None else nothing).items()}
            return Columns(values, np.asarray(problem is None), {} if problem is None else {problem: 1}, units, own)
        columns = {n: np.broadcast_to(v, shape).reshape(-1) for n, v in given.items()}
        columns = {n: np.asarray(v, dtype=float) for n, v in self._with_step(columns).items()}
        self._missing(columns)
        if not prod(shape):
            empty = {n: np.zeros((*shape, 1) if formulas.of_stage(n) else shape) for n in names}
            return Columns(empty, np.zeros(shape, dtype=bool), {}, units, own)
        points = formulas.rows(columns, names, prod(shape))
        values = {n: v.reshape(*shape, *v.shape[1:]) for n, v in points.values.items()}
        return Columns(values, points.legal.reshape(shape), points.illegal, units, own)

    @cached_property
    def machine(self) -> Machine | None:
        """The machine's figures that the formulas ask for.

        Raises:
            InputError: it lacks one.
        """
        return machine_for(self.question.system, self.program)

    def formulas(self, wanted: Sequence[str] | None) -> tuple[tuple[str, ...], Formulas]:
        """The names of what is wanted, and a program that has them as outputs; made once for each combination."""
        key = None if wanted is None else tuple([wanted] if isinstance(wanted, str) else wanted)
        if key not in self._formulas:
            self._formulas[key] = self._made(key)
        return self._formulas[key]

    def _made(self, wanted: tuple[str, ...] | None) -> tuple[tuple[str, ...], Formulas]:
        from symsim.analysis.points import Formulas

        asked, known = self.question, set(self.names)
        names = tuple(n for n in ANSWERS if n in known) if wanted is None else tuple(dict.fromkeys(wanted))
        absent = {n: "0" for n in ANSWERS if n in names and n not in self.program.outputs}
        # What a run lacks, its tokens say, is said by who lowers its name.
        others = {n: n for n in names if n not in known and (n not in self.program.outputs or n.startswith("run."))}
        expressions = {n: parsed(text, "wanted") for n, text in {**others, **absent}.items()}
        of = names_for(asked.model, asked.plan, asked.system, self.inputs)
        program = with_quantities(self.program, expressions, of) if expressions else self.program
        machine = machine_for(asked.system, program) if expressions else self.machine
        self._check_machine(program, names, machine)
        return names, Formulas(program, asked.plan.sizes, asked.system, machine)

    def _check_machine(self, program: Program, names: Sequence[str], machine: Machine | None) -> None:
        if machine is not None:
            return
        for name in names:
            needed = program.leading_to(program.outputs[name].register)
            inputs = (program.inputs[k] for k in needed if k < program.stage_register)
            timed = program.outputs[name].part in MACHINE_PARTS or name.startswith(TIMED)
            if timed or any(n not in CHOICES and n not in ASSUMED_FIGURES for n in inputs):
                raise error("E343", f"'{name}' needs a machine", None, "name one: symsim.load(model, strategy, system)")

    def _check(self, name: str) -> None:
        if name in self.inputs:
            return
        if name in CHOICES:
            hint = f"load the plan with {name}=…, or give symsim.evaluate(plan, table) a column of it"
            raise error("E380", f"'{name}' selects the formulas, and these are compiled", None, hint)
        raise error("E380", f"'{name}' is not a size of these formulas", None, nearest(name, self.inputs))

    def _with_step(self, given: dict[str, Any]) -> dict[str, Any]:
        """gbs where micro-batches are given, here or by the plan."""
        if "microbatches" in given and "gbs" in given:
            raise error("E323", "gbs and microbatches say the same of a step", None, "give one of them")
        if "gbs" in given or not ("microbatches" in given or counts_microbatches(self.question.plan)):
            return given
        known = {**self.question.plan.sizes, **given}
        self._missing(known, ("world",))
        step = known["microbatches"] * known["mbs"] * known["world"]
        ranks = known["tp"] * known["cp"] * known["pp"]
        rest = {n: v for n, v in given.items() if n != "microbatches"}
        return {**rest, "gbs": _whole(step / ranks)}

    def _missing(self, given: Mapping[str, Any], names: Sequence[str] | None = None) -> None:
        of_plan = [n for n in self.program.inputs if n in CHOICES and (n in self.inputs or n not in RUN_INPUTS)]
        needed = of_plan if names is None else names
        missing = [n for n in needed if n not in given and n not in self.sizes]
        if missing:
            hint = "give " + ", ".join(f"{n}=…" for n in missing)
            raise error("E322", f"no value is given for {', '.join(missing)}", None, hint)

    def _repr_html_(self) -> str:
        from symsim.report.html import table

        rows = [[n, str(self.sizes.get(n, ""))] for n in self.inputs]
        return table(["size", "of the plan"], rows, f"{self.question.model.name}: {len(self.names)} formulas")


def _unit(program: Program, name: str) -> str:
    output = program.outputs[name]
    if output.part != "quantity":
        return output.unit
    return "" if name not in ANSWERS else "s" if name.startswith("time.") else "bytes"


def _whole(value: Any) -> Any:
    """A number that is whole as an integer: whole ones stay exact. Arrays stay as they are."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def compiled_of(question: Question) -> Compiled:
    compiled = evaluator(question.model, question.plan.structure)
    structure = question.plan.structure
    follows = {"vp", *(["pp"] if structure.get("layout") is not None else [])}
    sizes, system = question.plan.sizes, question.system
    inputs = [n for n in CHOICES if n in (*SIZE_SYMBOLS, "microbatches") or n in structure.symbols]
    inputs = [n for n in inputs if n not in RUN_INPUTS or n in sizes]
    return Compiled(
        question,
        compiled.names(unanswered(sizes, None if system is None else system.figures)),
        tuple(n for n in inputs if n not in follows),
        sizes,
        compiled.program,
    )


def column_of(name: str, value: Any) -> NDArray[np.float64]:
    """Sizes as an array of numbers that the name may have.

    Raises:
        InputError: no numbers, or the first of them that the name cannot have.
    """
    import numpy as np

    try:
        column = np.asarray(value, dtype=float)
    except (TypeError, ValueError, OverflowError):
        raise error(
            "E381", f"'{name}' has values that are not numbers", None, f"for example {name}=[1, 2, 4]"
        ) from None
    choice = CHOICES.get(name)
    whole = choice is None or choice.kind == "size"
    least = 1.0 if whole or name == "moe_imbalance" else np.nextafter(0.0, 1.0)
    good = (column >= least) & (column <= largest(name))
    if whole:
        good &= column == np.floor(column)
    if not good.all():
        wrong = column[~good].reshape(-1)[0]
        wanted = "a whole number of at least 1" if whole else "a number of at least 1" if least == 1 else "positive"
        most = f", at most {MAX_STAGES:,}" if name == "pp" else ""
        raise error("E381", f"'{name}' must be {wanted}{most}, not {wrong:g}", None, f"for example {name}=[1, 2, 4]")
    return column


def compile(
    plan: Plan | Name,
    strategy: StrategyName | None = None,
    system: Name | None = None,
    *,
    set: Mapping[str, Setting] = {},
    **settings: Setting,
) -> Compiled:
    """The formulas of a plan's structure, with its sizes open.

    Args:
        plan: a plan, or a model; then the other arguments are those of :func:`symsim.load`, and sizes may be
            missing: they are given to :meth:`Compiled.evaluate`.

    Raises:
        InputError: as :func:`symsim.load`; a machine that lacks a figure that the formulas need.

    >>> symsim.compile("llama3_70b", recompute="full").inputs
    ('world', 'tp', 'cp', 'pp', 'ep', 'etp', 'mbs', 'gbs', 'microbatches', 'seq')
    """
    if isinstance(plan, Plan):
        known = plan.changed(set=set, **settings) if set or settings else plan
        return known.compiled
    question = given(plan, strategy, system, set, settings).question(needs_sizes=False)
    with placed(question.plan.places):
        return compiled_of(question)
