"""The dimensions that a rule gives a model: each value checked against what its family takes, errors at their keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction

from symsim.diagnostics import Diagnostic, InputError, Place, error
from symsim.interop.model_text import Dimension, One, family_of
from symsim.interop.rules.key_expressions import Keys, asked, evaluate, filled, hold
from symsim.interop.rules.reading import spoken
from symsim.interop.rules.rule_book import Rule
from symsim.language import tree
from symsim.language.dimensions import LAYER, MAX_LISTED, dimension_kind
from symsim.language.expressions import names_in

MAX_SIZE = 10**12
"""Largest dimension that a model may have."""


def dimensions_of(
    rule: Rule, keys: Keys, refusals: Iterable[Diagnostic] = (), open_names: Iterable[str] = ()
) -> dict[str, Dimension]:
    """The value of each dimension that a rule gives.

    ``refusals`` are what the tool refuses, apart from the rule's own checks, and are asked for last. ``open_names`` may
    be missing: whoever uses the model gives them.

    Raises:
        InputError: all that is wrong with the file.
    """
    family = family_of(rule.family)
    found: dict[str, Dimension] = {}
    problems: list[Diagnostic] = []
    further: list[Diagnostic] = []
    try:
        layers = evaluate(rule.arguments["layers"], keys)
    except InputError:
        layers = None
    for name, node in rule.arguments.items():
        by_layer = next((p.bracketed for p in family.parameters if p.name == name), False)
        try:
            value = _value(name, node, keys, layers if by_layer else None, family)
        except InputError as problem:
            (problems if isinstance(node, tree.Name) else further).extend(problem.diagnostics)
        else:
            if value is not None:
                found[name] = value
    problems += refusals
    problems += broken_checks(rule, keys) if not problems else ()
    problems += (
        _missing(family, rule, {**dict.fromkeys(open_names, 0), **found}, keys) if not problems and not further else ()
    )
    # What follows from several keys is no news where one of them is wrong.
    problems += [d for d in further if not problems or d.code not in ("E510", "E511")]
    if problems:
        raise InputError(dict.fromkeys(problems))
    return found


def broken_checks(rule: Rule, keys: Keys) -> list[Diagnostic]:
    """What a rule requires and the file has not, and what the tool refuses."""
    problems: list[Diagnostic] = []
    for check in rule.checks:
        if isinstance(check, tree.Require | tree.Refuse):
            try:
                hold(check, keys)
            except InputError as problem:
                problems += problem.diagnostics
    return problems


def remarks_of(rule: Rule, keys: Keys) -> list[str]:
    """What an answer has to say of the file, in words."""
    return [filled(r.text, keys) for r in rule.checks if isinstance(r, tree.Remark) and evaluate(r.condition, keys)]


def _missing(family: tree.FamilyItem, rule: Rule, found: Mapping[str, Dimension], keys: Keys) -> list[Diagnostic]:
    """Dimensions that the family needs, whose keys neither the file nor a class gives."""
    out: list[Diagnostic] = []
    for name in (p.name for p in family.parameters if p.default is None and p.name not in found):
        names = asked(rule.arguments[name]) if name in rule.arguments else [name]
        hint = (
            "its class has no usual value for it" if bool(keys.reading.facts.defaults) else "no class says what it is"
        )
        out += error(
            "E508", f"the configuration has no '{names[0]}'", Place(keys.reading.source, 1, 1), hint
        ).diagnostics
    return out


def _value(name: str, node: tree.Expression, keys: Keys, layers: object, family: tree.FamilyItem) -> Dimension | None:
    """One value, or where the dimension may differ between layers and does, one for each."""
    if isinstance(layers, int) and LAYER in names_in(node):
        if layers > MAX_LISTED:
            message = f"the {layers:,} layers are each looked at"
            raise error("E510", message, keys.reading.place_of(["num_hidden_layers"]), f"at most {MAX_LISTED:,} are")
        row = [_one(name, node, evaluate(node, keys.at(k, layers)), keys, family) for k in range(layers)]
        return _of_all_layers(name, node, row, keys)
    whole = evaluate(node, keys)
    if isinstance(whole, tuple) and isinstance(layers, int):
        if len(whole) != layers and not isinstance(node, tree.ListOf):
            message = f"{name}: {len(whole)} values are listed for {layers} layers"
            raise keys.reading.conflict(asked(node), message)
        return _of_all_layers(name, node, [_one(name, node, v, keys, family) for v in whole], keys)
    return _one(name, node, whole, keys, family)


def _of_all_layers(name: str, node: tree.Expression, row: list[One | None], keys: Keys) -> Dimension | None:
    """One value where all layers have it; null in all of them leaves the dimension to the family.

    Raises:
        InputError: it is null in some layers, of which the family would make something of its own.
    """
    values = tuple(v for v in row if v is not None)
    if values and len(values) < len(row):
        raise keys.reading.inexpressible(asked(node), f"{name} has no value in layer {row.index(None)}")
    return values if len(set(map(repr, values))) > 1 else next(iter(values), None)


def _one(name: str, node: tree.Expression, value: object, keys: Keys, family: tree.FamilyItem) -> One | None:
    """A value that the dimension may have; null leaves it to the family."""
    if value is None:
        return None
    kind, least = dimension_kind(family, name)
    names = asked(node)
    place, what = keys.reading.place_of(names), f"'{names[0]}'" if len(names) == 1 else f"'{name}'"
    if kind == "size" and isinstance(value, Fraction) and not isinstance(node, tree.Name):
        message = f"{name} must be a whole number, not {spoken(value)}, with these {', '.join(names)}"
        raise keys.reading.conflict(names, message)
    wanted, fits, hint = _KINDS[kind]
    if not fits(value):
        raise error("E509", f"{what} must be {wanted}, not {spoken(value)}", place, hint)
    assert isinstance(value, bool | int | str)
    if kind == "size" and isinstance(value, int) and not least <= value <= MAX_SIZE:
        bound = f"at least {least}" if value < least else f"at most {MAX_SIZE:,}"
        raise error("E510", f"{what} must be {bound}, not {value}", place, "a size counts something")
    return value


_KINDS: Mapping[str, tuple[str, Callable[[object], bool], str]] = {
    "size": (
        "a whole number",
        lambda value: isinstance(value, int) and not isinstance(value, bool),
        "write it without quotes, a point or an exponent",
    ),
    "flag": ("true or false", lambda value: isinstance(value, bool), "write true or false, without quotes"),
    "word": ("a text", lambda value: isinstance(value, str), "write it in double quotes"),
}
"""What a value of a kind is called, whether one is of it, and how it is written."""
