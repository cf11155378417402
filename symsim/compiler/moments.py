"""What is alive at the moments that may be the worst, item by item: the terms of the peak.

A *moment* is named as in ``w.mlp.up.backward``, a *unit* by its kind: ``layer``, ``head``, ``moe_latent``. All
definitions are of one stage, in bytes unless said otherwise:

================================  ====================================================================
``level``                         the peak without what rises above the saved activations
``level@weights@expert`` …        what is in it besides them: states by parameter group, each buffer
``count@UNIT@KIND``               units of a kind that hold what they save while ``UNIT`` runs, itself aside
``held@UNIT@KIND@OPERATOR``       that many times ``saved@OPERATOR``
``freed@UNIT@K``                  what later units of chunk ``K`` have freed when its last ``UNIT`` runs
``least@UNIT@K``                  1 for the first of the chunks in which that is least (``freed@UNIT``)
``largest@activations@K``         1 for the first of the fullest moments of a schedule that knows several
``chunk@UNIT@OPERATOR``           saved again by the units before it in a recomputed chunk
``kept@MOMENT@OPERATOR``          saved by the running unit, and first needed by the operator
``activation@MOMENT@TENSOR``      made by the running unit and still to be read, not saved
``gradient@MOMENT@TENSOR``        the gradient of a tensor, on its way
``workspace@MOMENT``              what the operator allocates for itself
``extra@MOMENT@NAME``            what else the formula of the moment counts; ``extra@UNIT@NAME``: of the unit
``peak@MOMENT``                   in use at the moment; 0 on a stage without such a unit
================================  ====================================================================

The ``level@…``, a unit's ``held@…``, ``chunk@…`` and ``extra@…`` and what is alive at one of its moments add up to its
``peak@…``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import sympy
from sympy import Expr, Integer

from symsim.compiler import peaks
from symsim.compiler.freed_memory import PART, count_of_later, late_weights_of_later, saved_by_later
from symsim.compiler.ledger import Ledger
from symsim.compiler.liveness import Moment
from symsim.compiler.operator_details import operator_name, saved_by_operator
from symsim.compiler.simplify import Terms, add, scale, terms, tidy, total
from symsim.compiler.units import Held
from symsim.functions import at_most, maximum
from symsim.records.graph import Tensor
from symsim.symbols import symbol


def moments(units: tuple[Held, ...], sent: Expr, still_held: Expr, may_be_empty: bool, ledger: Ledger) -> None:
    """Open up the peak: ``sent`` is the gradient that a stage sent back last, ``met`` what forward passes
    find still held.

    Relies on ``peak``, ``workspace``, ``activations`` and on ``saved@…`` of every operator.
    """
    _level(units, sent, may_be_empty, ledger)
    for held in units:
        likely = [m for m in held.phased.moments if f"w.{_name(held, m)}" in ledger]
        if likely:
            _others(held, units, ledger)
            _extra_of_unit(held, units, may_be_empty, ledger)
        for moment in likely:
            _living(held, moment, ledger)
    for held in units:
        _totals(held, units, still_held, may_be_empty, ledger)


def _name(held: Held, moment: Moment) -> str:
    return peaks.moment_name(held, moment.operator, moment.phase)


def _unit(held: Held) -> str:
    """``layer``, ``recomputed``, ``moe_latent``, ``head``."""
    return held.suffix.removeprefix("_") or "layer"


def _define(name: str, amount: Expr, meaning: str, ledger: Ledger) -> None:
    if amount != 0:
        ledger.define(name, amount, meaning, "bytes", PART)


def _level(units: tuple[Held, ...], sent: Expr, may_be_empty: bool, ledger: Ledger) -> None:
    """The level and its items: whatever the peak adds up, but for activations and what rises above them."""
    workspace = ledger.expression("workspace")
    rising = [a for a in sympy.Add.make_args(workspace) if any(str(s).startswith("rise") for s in a.free_symbols)]
    level = ledger.expression("peak") - symbol("workspace") + workspace - sympy.Add(*rising)
    _define("level", level, "in use with nothing above S", ledger)
    for addend in sympy.Add.make_args(level):
        name = str(addend) if addend.is_Symbol else "other"
        if name == "buffers":
            _buffers(units, sent, may_be_empty, ledger)
        elif name == "activations" and "S.late" in ledger:
            late = _coefficient("activations", "S.late", ledger) * symbol("S.late")
            _define("level@activations@late", late, "kept until its weight gradient", ledger)
        elif name != "activations":
            for group, amount in _by_parameter_group(name, addend, ledger).items():
                _define(f"level@{name}{group}", amount, "held all the time", ledger)


def _by_parameter_group(name: str, amount: Expr, ledger: Ledger) -> dict[str, Expr]:
    """An amount as it is; a sum over parameters in two: what uses ``P_expert`` and the like, and the rest."""
    addends = sympy.Add.make_args(ledger.expression(name)) if name in ledger else ()
    of_experts = [a for a in addends if any("_expert" in str(s) for s in a.free_symbols)]
    if not of_experts or len(of_experts) == len(addends):
        return {"": amount}
    dense = sympy.Add(*(a for a in addends if a not in of_experts))
    return {"@dense": dense, "@expert": sympy.Add(*of_experts)}


def _buffers(units: tuple[Held, ...], sent: Expr, may_be_empty: bool, ledger: Ledger) -> None:
    for buffer in peaks.buffers_of(units, may_be_empty):
        _define(f"level@buffers@{buffer.name}", buffer.used * tidy(buffer.size), "stays allocated", ledger)
    _define("level@buffers@sent_gradient", sent, "the gradient that the stage sent back last", ledger)


def _others(running: Held, units: tuple[Held, ...], ledger: Ledger) -> None:
    """What all other units hold while one of these runs: of its own micro-batch and of those in flight."""
    unit = _unit(running)
    for held in units:
        kind, own = _unit(held), f"A{held.suffix}"
        if own not in ledger:
            continue
        count = _coefficient("activations", own, ledger) - count_of_later(held, running, units, ledger)
        count -= 1 if held is running else 0
        others = f"other {held.title}s" if held is running else f"{held.title}s"
        meaning = f"{others} in flight while one {running.title} runs"
        ledger.define(f"count@{unit}@{kind}", count, meaning, "", PART)
        for name in saved_by_operator(held):
            amount = symbol(f"count@{unit}@{kind}") * symbol(f"saved@{name}")
            _define(f"held@{unit}@{kind}@{name}", amount, f"saved by other {held.title}s for {name}", ledger)
    if running.chunk != 1:
        before = peaks.before_in_chunk(running)
        for operator, tensors in _by_name((operator_name(running, before.holder[t]), t) for t in before.kept).items():
            amount = running.before * tidy(total(t.bytes for t in tensors))
            _define(f"chunk@{unit}@{operator}", amount, "saved again by the chunk's units before", ledger)


def _coefficient(name: str, of: str, ledger: Ledger, known: dict[str, Expr] | None = None) -> Expr:
    """How often a definition counts another, directly or by way of others between them.

    ``known``: of names that were asked for on the way.
    """
    known = {} if known is None else known
    if name not in known:
        formula = ledger.expression(name)
        several = formula.args if isinstance(formula, maximum) else ()
        parts = [_largest(name, k, ledger) * _counted(a, of, ledger, known) for k, a in enumerate(several)]
        known[name] = sympy.Add(*parts) if several else _counted(formula, of, ledger, known)
    return known[name]


def _counted(formula: Expr, of: str, ledger: Ledger, known: dict[str, Expr]) -> Expr:
    between = (s for s in formula.free_symbols if str(s) in ledger and str(s) != of)
    through = {s: _coefficient(str(s), of, ledger, known) for s in between}
    direct = sympy.diff(formula, symbol(of))
    return sympy.Add(direct, *(sympy.diff(formula, s) * n for s, n in through.items() if n != 0))


def _largest(name: str, k: int, ledger: Ledger) -> Expr:
    """1 where amount ``k`` of a maximum is the first of the largest; named, as every kind of unit asks for it."""
    chosen = f"largest@{name}@{k}"
    if chosen not in ledger:
        before: Expr = Integer(0)
        for j, amount in enumerate(ledger.expression(name).args):
            first = at_most(symbol(name), amount) * (1 - before)
            meaning = f"1 where amount {j} of {name} is the first of the largest"
            before += ledger.define(f"largest@{name}@{j}", first, meaning, "", PART)
    return symbol(chosen)


def _living(held: Held, moment: Moment, ledger: Ledger) -> None:
    """The tensors of the running unit at one moment."""
    name, phased = _name(held, moment), held.phased
    kept = set(phased.kept)
    made = {t for o in held.part.unit.operators for t in (*o.inputs, *o.outputs, *o.saves)}
    running = f"while {moment.operator} runs {peaks.running(moment.phase)}"
    saved = _by_name((operator_name(held, phased.holder[t]), t) for t in moment.alive if t in kept)
    activations = _by_name((t.name, t) for t in moment.alive if t in made and t not in kept)
    gradients = _by_name((t.name.removeprefix("d"), t) for t in moment.alive if t not in made)
    for kind, items, meaning in (
        ("kept", saved, "saved by the running unit"),
        ("activation", activations, "still to be read"),
        ("gradient", gradients, "gradient on its way"),
    ):
        for what, tensors in items.items():
            _define(f"{kind}@{name}@{what}", tidy(total(t.bytes for t in tensors)), f"{meaning} {running}", ledger)
    _define(f"workspace@{name}", tidy(total([moment.workspace])), f"of {moment.operator} itself", ledger)
    before = held.before * sympy.Add(*(t.bytes for t in peaks.before_in_chunk(held).kept))
    listed = total([*(t.bytes for t in moment.alive), moment.workspace, before])
    own = total(t.bytes for t in phased.kept)
    _extra(name, add(terms(ledger.expression(f"w.{name}")), own, scale(listed, -1)), running, ledger)


def _extra_of_unit(held: Held, units: tuple[Held, ...], may_be_empty: bool, ledger: Ledger) -> None:
    """What the rise of a unit counts besides its worst moment, where one chunk is the rank's."""
    if len(held.in_chunks) > 1:
        _define(
            f"extra@{_unit(held)}@gathered", ledger.value(f"gathered{held.suffix}"), "gathered while it runs", ledger
        )
        late = late_weights_of_later(held, units, ledger)
        _define(f"extra@{_unit(held)}@late", late, "wait for a weight gradient", ledger)
        return
    rise = ledger.expression(f"rise{held.suffix}") / peaks.present(held, units, may_be_empty)
    later = saved_by_later(held, units, ledger)
    counted = add(terms(rise), terms(later), {symbol(f"w{held.suffix}"): Integer(-1)})
    _extra(_unit(held), counted, f"while one {held.title} runs", ledger)


def _extra(place: str, counted: Terms, running: str, ledger: Ledger) -> None:
    groups: dict[str, Terms] = {}
    for monomial, coefficient in counted.items():
        groups.setdefault(str(monomial) if monomial.is_Symbol else "other", {})[monomial] = coefficient
    for what, amount in groups.items():
        _define(f"extra@{place}@{what}", tidy(amount), f"also held with {running}", ledger)


def _by_name(items: Iterable[tuple[str, Tensor]]) -> Mapping[str, list[Tensor]]:
    groups: dict[str, list[Tensor]] = {}
    for name, tensor in items:
        groups.setdefault(name, []).append(tensor)
    return groups


def _totals(held: Held, units: tuple[Held, ...], still_held: Expr, may_be_empty: bool, ledger: Ledger) -> None:
    """What is in use at every moment, those that cannot be the worst included."""
    own = total(t.bytes for t in held.phased.kept)
    later = saved_by_later(held, units, ledger)
    where = peaks.present(held, units, may_be_empty)
    extra = sympy.Add(*(symbol(d.name) for d in ledger.definitions if d.name.startswith(f"extra@{_unit(held)}@")))
    for (operator, phase_name), height in peaks.heights(held, own, ledger.value(f"reducing{held.suffix}")).items():
        name = peaks.moment_name(held, operator, phase_name)
        running = f"while {operator} runs {peaks.running(phase_name)}"
        if f"w.{name}" not in ledger:
            above = tidy(height) + still_held if phase_name == "forward" else tidy(height)
            _define(f"w.{name}", above, f"above S {running}", ledger)
        amount = where * (symbol("level") + ledger.value(f"w.{name}") + extra - later)
        ledger.define(f"peak@{name}", amount, f"in use {running}", "bytes", PART)
