"""A space for a search without a strategy: what the framework offers, narrowed to what the model and the machine allow.

What a framework offers is text (``strategies/frameworks/NAME.sym``), and so is what is derived: the text is parsed like
any other strategy, so the space that ``--show-space`` prints is the one that is searched. The rules of the formulas
decide what is legal; here values are left out that no legal plan has, or none that is worth its time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from symsim import resources
from symsim.analysis.job_size import usual_sequence, usual_step
from symsim.analysis.searching.contradictions import value_text
from symsim.analysis.searching.model_shape import ModelShape, shape_of
from symsim.analysis.searching.space import Space, space_of
from symsim.analysis.searching.space_text import choice_lines, require_lines
from symsim.diagnostics import Source, error
from symsim.language import tree
from symsim.language.expressions import names_in
from symsim.language.parser import parse_strategy
from symsim.language.source_files import read_source
from symsim.language.strategies import Strategy, elaborate_strategy, load_strategy, members, route_overrides
from symsim.language.systems import load_system
from symsim.loading.model_files import base_model, load_model, source_of
from symsim.records.model import Model
from symsim.records.strategy import CHOICES, Value
from symsim.records.system import System

NODE = 8
"""GPUs of a fast link where no machine is named."""

LONG_SEQUENCE = 16_384
"""Tokens from which on a sequence is worth spreading over context parallelism."""

SHORTEST_PART = 4096
"""Fewest tokens of a sequence that a rank of context parallelism has."""

MOST_TOKENS = 65_536
"""Most tokens of a micro-batch of several sequences."""

ODD_STAGES = 16
"""Most stages whose number neither divides the layers nor is a power of two."""

MIXED_CHUNKS = 4
"""Most virtual chunks of a model whose layers differ: each number of them is a variant of its own."""

PLACING = ("layout", "first_stage_layers", "last_stage_layers", "embedding_in_split", "loss_in_split")
"""Choices that place layers; where one is given no other is derived."""

SIZES = ("tp", "cp", "pp", "vp", "ep", "mbs")
"""Sizes whose values must divide something."""


@dataclass(frozen=True, slots=True)
class Derived:
    """``text`` is the space with all settings; ``notes`` say what was chosen for the user."""

    text: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Line:
    name: str
    text: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class _Job:
    """What values have to divide. Where the GPUs or the tokens are searched too, there are several of each."""

    model: Model
    worlds: tuple[int, ...]
    sequences: tuple[int, ...]
    steps: tuple[int, ...]
    span: int
    shape: ModelShape
    given: Strategy


def derived(model: Model, system: System | None, given: Strategy, simple: bool = False) -> Derived:
    """The text of the space of a model on a machine; ``given`` are the user's settings, which stand in it as they are.

    ``simple``: for one good plan instead of the best, every choice but sizes and recomputation has its plain value,
    the first that the framework offers, and ranks have no virtual chunks.

    Raises:
        InputError: no number of GPUs, or a framework that is searched too.
    """
    worlds = _numbers(given, "world", model)
    if not worlds:
        raise error("E322", "the GPUs of the job are not given", None, "for example --gpus 64")
    if "framework" in given.among:
        hint = "name one, or write the space"
        raise error("E371", "a derived space is of one framework", given.places["framework"], hint)
    framework = str(given.values.get("framework", CHOICES["framework"].default))
    notes = []
    why_seq = why_gbs = ""
    sequences = _numbers(given, "seq", model)
    if not sequences:
        seq, why_seq = usual_sequence(model)
        sequences = (seq,)
        notes.append(f"seq was left out: {seq:,}, {why_seq}")
    steps = _numbers(given, "gbs", model)
    if not steps and "microbatches" not in (*given.values, *given.among):
        gbs, why_gbs = usual_step(max(worlds), max(sequences))
        steps = (gbs,)
        notes.append(f"gbs was left out: {gbs:,}, {why_gbs}")
    lines = [_Line("world", _set("world", worlds)), _Line("seq", _set("seq", sequences), why_seq)]
    if steps:
        lines.append(_Line("gbs", _set("gbs", steps), why_gbs))
    structural = {n: v for n, v in given.values.items() if CHOICES[n].structural}
    shape = shape_of(model, replace(given, values=structural, among={}))
    span = NODE if system is None else int(system.figures["link.span"].value)
    job = _Job(model, worlds, sequences, steps, span, shape, given)
    offered = _offered(framework)
    lines += _choices(job, offered, simple)
    text = _text(job, lines, framework, system, [r for r in offered.requires if _applies(r, lines)])
    return Derived(text, tuple(notes))


def _offered(framework: str) -> Strategy:
    path = resources.root() / "strategies" / "frameworks" / f"{framework}.sym"
    return elaborate_strategy(parse_strategy(read_source(path, f"strategies/frameworks/{path.name}")), framework)


def _choices(job: _Job, offered: Strategy, simple: bool) -> list[_Line]:
    """A line for each choice that the framework offers and the model has a use for."""
    found = {n: members(CHOICES[n], node, {}) for n, node in offered.among.items()}
    found |= {n: (value,) for n, value in offered.values.items()}
    if simple:
        plain = [n for n in found if n not in SIZES and n != "recompute"]
        found |= {n: found[n][:1] for n in plain}
        found.pop("vp", None)
    sizes = _sizes(job, found)
    if found.get("sequence_parallel") == (True,) and _unsequenced(job, sizes.get("tp", (1,)), found):
        found["sequence_parallel"] = (False,)
        sizes = _sizes(job, found)
    rest = {n: _rest(job, n, values, sizes) for n, values in found.items() if n not in SIZES}
    lines = []
    for name in found:
        values = sizes.get(name, ()) if name in SIZES else rest[name]
        if values and (values != (CHOICES[name].default,) or name in SAID):
            lines.append(_Line(name, _set(name, values)))
        if name == "pp":
            last = _last_stages(job, values, sizes.get("vp", (1,)))
            lines += [_Line("last_stage_layers", _set("last_stage_layers", (None, *last)), LAST)] if last else []
    return lines


SAID = ("zero", "sequence_parallel")
"""Choices that are said though they are what the language takes anyway."""

LAST = "where the stages do not divide the layers"


def _sizes(job: _Job, found: Mapping[str, tuple[Value | None, ...]]) -> dict[str, tuple[Value | None, ...]]:
    """The offered sizes that divide what they have to."""
    shape, experts = job.shape, job.model.largest("experts")
    spread = sorted(n for name in ("heads", "kv_heads") for n in job.model.sizes(name) if n)
    shared = found.get("sequence_parallel") == (True,)
    out: dict[str, tuple[Value | None, ...]] = {}

    def keep(name: str, good: Iterable[int]) -> None:
        given = _numbers(job.given, name, job.model)
        if given:
            out[name] = given
        elif name in found:
            fine = set(good)
            out[name] = tuple(v for v in found[name] if v in fine)

    def numbers(name: str) -> list[int]:
        return [v for v in found.get(name, ()) if isinstance(v, int)]

    def divides_world(n: int) -> bool:
        return any(world % n == 0 for world in job.worlds)

    keep(
        "tp",
        (
            n
            for n in numbers("tp")
            if divides_world(n)
            and n <= job.span
            and job.span % n == 0
            and all(size % n == 0 for size in spread)
            and (not shared or any(seq % n == 0 for seq in job.sequences))
        ),
    )
    longest = max(job.sequences)
    parts = [n for n in numbers("cp") if n == 1 or (longest % n == 0 and longest // n >= SHORTEST_PART)]
    keep("cp", (n for n in parts if divides_world(n) and longest >= LONG_SEQUENCE))
    keep("ep", (n for n in numbers("ep") if experts and experts % n == 0 and divides_world(n)))
    keep("pp", (n for n in numbers("pp") if divides_world(n) and _spread(shape, n)))
    most = max(job.steps, default=max(job.worlds))
    keep("mbs", (n for n in numbers("mbs") if n == 1 or (n <= most and n * min(job.sequences) <= MOST_TOKENS)))
    stages = [int(n) for n in out.get("pp", ()) if isinstance(n, int) and n > 1]
    chunks = [v for v in numbers("vp") if v == 1 or (shape.kinds == 1 or v <= MIXED_CHUNKS)]
    keep("vp", (v for v in chunks if v == 1 or any(_chunked(shape, p, v) for p in stages)))
    return out


def _rest(
    job: _Job, name: str, values: tuple[Value | None, ...], sizes: Mapping[str, tuple[Value | None, ...]]
) -> tuple[Value | None, ...]:
    """Values of a choice that means something here; none where it means nothing."""
    several = {n: any(v not in (1, None) for v in vs) for n, vs in sizes.items()}
    needs = {
        "cp_comm": "cp",
        "moe_dispatch": "ep",
        "overlap_tp": "tp",
        "sequence_parallel": "tp",
        "overlap_p2p": "vp" if len(values) > 1 else "pp",
    }
    if name in needs and not several.get(needs[name], False):
        return ()
    if name == "recompute":
        return _regions(job.shape, values)
    if name == "recompute_layers":
        if not _may_be_full(job.given):
            return ()
        return tuple(v for v in values if v is None or (isinstance(v, int) and v <= job.shape.layers))
    return values


def _may_be_full(given: Strategy) -> bool:
    """Whether plans may recompute whole layers, by what the user says of it."""
    if "recompute" in given.among:
        return "full" in members(CHOICES["recompute"], given.among["recompute"], {})
    return given.values.get("recompute", "full") == "full"


def _regions(shape: ModelShape, values: Sequence[Value | None]) -> tuple[Value | None, ...]:
    """Sets of regions cut to those that the model has."""
    cut = (v & shape.regions if isinstance(v, frozenset) else v for v in values)
    return tuple(dict.fromkeys(v for v in cut if v != frozenset()))


def _unsequenced(job: _Job, tp: tuple[Value | None, ...], found: Mapping[str, tuple[Value | None, ...]]) -> bool:
    """No tensor parallelism spreads the tokens, and the model, which has no experts, does not need it to."""
    return tp == (1,) and len(found.get("tp", ())) > 1 and not job.model.largest("experts")


def _spread(shape: ModelShape, stages: int) -> bool:
    """Whether so many stages are worth a try."""
    if stages > shape.layers:
        return False
    if shape.layer_split == "even" and shape.layers % stages and not _last(shape.layers, stages, 1):
        return False
    return shape.layers % stages == 0 or stages & (stages - 1) == 0 or stages <= ODD_STAGES


def _last(layers: int, stages: int, chunks: int) -> int:
    """Layers of the last rank where the others have as few as hold the rest; 0 where that is not possible."""
    each = chunks * -(-layers // (stages * chunks))
    left = layers - each * (stages - 1)
    return left if left > 0 and left % chunks == 0 else 0


def _chunked(shape: ModelShape, stages: int, chunks: int) -> bool:
    if shape.layers % (stages * chunks) == 0:
        return True
    return shape.layer_split == "even" and _last(shape.layers, stages, chunks) > 0


def _last_stages(job: _Job, stages: Sequence[Value | None], chunks: Sequence[Value | None]) -> tuple[Value | None, ...]:
    """Layers of the last stage for numbers of stages and chunks over which layers are not spread evenly."""
    if job.shape.layer_split != "even" or any(_has(job.given, name) for name in PLACING):
        return ()
    layers = job.shape.layers
    pairs = ((p, v) for p in stages for v in chunks if isinstance(p, int) and isinstance(v, int) and p > 1)
    return tuple(sorted({_last(layers, p, v) for p, v in pairs if layers % (p * v)} - {0}, reverse=True))


def _text(
    job: _Job, lines: Sequence[_Line], framework: str, system: System | None, requires: Sequence[tree.Require]
) -> str:
    """The space as a file: derived lines, those that the user gave in their place, and the user's others."""
    given = {**dict(choice_lines(job.given)), **{name: f"{name} = none" for name in job.given.unmade}}
    used = {line.name for line in lines}
    if _has(job.given, "layout"):
        lines = [line for line in lines if line.name not in ("pp", "vp")]
    body = [given.get(line.name) or _commented(line) for line in lines]
    body += [text for name, text in given.items() if name not in used]
    body += require_lines(requires)
    where = f" on {system.name}" if system is not None else ""
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", job.model.name)
    title = f"{name}{where}: what {framework} offers, the model has and the machine allows"
    return "\n".join([f'strategy derived "{title}"', *body]) + "\n"


def _commented(line: _Line) -> str:
    return line.text + (f"  # {line.why}" if line.why else "")


def _applies(require: tree.Require, lines: Sequence[_Line]) -> bool:
    """Whether every choice that a requirement of the framework asks about is in the space."""
    return names_in(require.condition) <= {line.name for line in lines}


def _set(name: str, values: Sequence[Value | None]) -> str:
    if len(values) == 1:
        return f"{name} = {value_text(values[0])}"
    return f"{name} in {{{', '.join(value_text(v) for v in values)}}}"


def _has(given: Strategy, name: str) -> bool:
    return name in given.values or name in given.among or name in given.unmade


def _numbers(given: Strategy, name: str, model: Model) -> tuple[int, ...]:
    """What a size is, or may be, by the user's settings."""
    if name in given.among:
        found = members(CHOICES[name], given.among[name], model.dimensions)
        return tuple(v for v in found if isinstance(v, int))
    value = given.values.get(name)
    return (value,) if isinstance(value, int) and not isinstance(value, bool) else ()


def load_derived_space(
    model: str, system: str | None, settings: tuple[str, ...], simple: bool = False
) -> tuple[Space, Derived]:
    """The space of a command line that names no strategy; see :func:`derived`.

    Raises:
        InputError: anything that cannot be read, no number of GPUs.
    """
    source = source_of(model)
    given = load_strategy(None, settings)
    base = base_model(source, given)
    for_model, for_system = route_overrides(given, base.dimensions, {})
    loaded = load_model(source, for_model) if for_model else base
    if for_system and system is None:
        name = next(iter(for_system))
        raise error("E315", f"'{name}' belongs to a machine, and none is given", given.places[name], "add -y")
    machine = load_system(system, for_system, given.places) if system is not None else None
    found = derived(loaded, machine, given, simple)
    chosen = elaborate_strategy(parse_strategy(Source("<derived space>", found.text)), "derived")
    return space_of(loaded, replace(chosen, notes=given.notes), machine), found
