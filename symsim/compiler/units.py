"""Units as a stage holds them under the strategy's recomputation."""

from __future__ import annotations

from dataclasses import dataclass

import sympy
from sympy import Expr, Integer

from symsim.compiler.after_layers import MULTI_TOKEN
from symsim.compiler.kept_outputs import PER_OPERATOR
from symsim.compiler.phases import NOT_REGIONS, Phased, phase
from symsim.compiler.rounding import rounded_up
from symsim.compiler.stages import Part, Stages
from symsim.functions import less, maximum, minimum
from symsim.records.graph import PHASES, Work
from symsim.records.strategy import Structure
from symsim.symbols import symbol

MULTI_TOKEN_REGIONS = frozenset({"multi_token"})
"""What ``recompute = full`` with ``recompute_method = uniform`` runs again of a layer of multi-token prediction; with
``block`` nothing of it. Source: Megatron-Core 0.16.1, multi_token_prediction.py (_checkpointed_forward)."""


@dataclass(frozen=True, slots=True)
class Held:
    """One way in which a stage holds units of a kind: ``count`` of them, each ordered in this way.

    ``chunk`` units in a row are recomputed from one kept input (Megatron's uniform method), or as many
    as there are; ``before`` of them hold what they save when the last one runs backward.
    """

    part: Part
    count: Expr
    phased: Phased
    suffix: str
    title: str
    chunk: Expr
    before: Expr
    in_chunks: tuple[Expr, ...]
    alike: Expr
    copies: int

    @property
    def kept_count(self) -> Expr:
        """How many of them keep what they save: one of each recomputed chunk."""
        return self.count if self.chunk == 1 else sympy.Add(*self.kept_in_chunks)

    @property
    def kept_in_chunks(self) -> tuple[Expr, ...]:
        """The same for each virtual chunk of the rank; what is recomputed does not reach over its end."""
        if self.chunk == 1:
            return self.in_chunks
        return tuple(self.alike * rounded_up(c / (self.alike * self.chunk)) for c in self.in_chunks)

    @property
    def passed(self) -> Expr:
        """How many of them one micro-batch passes on the rank, in the mean over the pipeline's copies."""
        return self.count / self.copies

    @property
    def present(self) -> Expr:
        """1 on a stage that holds any of them."""
        return less(0, self.count) if self.part.is_layer else self.count

    @property
    def works(self) -> tuple[Work, ...]:
        """The work of every phase of every operator, forward passes that run again included."""
        own = (o.work[phase] for o in self.part.unit.operators for phase in PHASES)
        return (*own, *(o.work["forward"] for o in self.phased.replayed))

    def qualified(self, operator: str) -> str:
        """An operator's name in formulas: with its unit's, where the model has several."""
        unit = self.part.unit.name
        return operator if not self.suffix or operator.startswith(f"{unit}.") else f"{unit}.{operator}"

    def follows(self, other: Held) -> bool:
        """Whether these all come after those on every stage.

        Of one kind, the recomputed ones are the first of a stage.
        """
        if self.part is other.part:
            return self.phased.recomputed < other.phased.recomputed
        return self.part.segments[0] > other.part.segments[1]


def held_units(stages: Stages, structure: Structure) -> tuple[Held, ...]:
    """Units as they run under the strategy's recomputation; partly recomputed kinds come twice."""
    chosen = structure["recompute"]
    regions = chosen if isinstance(chosen, frozenset) else frozenset[str]()
    regions |= {PER_OPERATOR} if chosen == PER_OPERATOR else frozenset()
    away = structure["offload"]
    offload = away - NOT_REGIONS if isinstance(away, frozenset) else frozenset()
    parts = bool(structure["distribute_saved_activations"])
    smallest = "min_offloaded_tensor_size"
    least = symbol(smallest) if smallest in structure.symbols else None
    uniform = structure["recompute_method"] == "uniform" and "recompute_layers" in structure.symbols
    chunk = symbol("recompute_layers") if uniform else Integer(1)
    before = minimum(chunk, _most_layers(stages)) - 1 if uniform else Integer(0)
    alone = sum(p.is_layer for p in stages.parts) == 1
    out: list[Held] = []
    for part in stages.parts:
        name = part.unit.name
        plain = part.is_layer and alone
        suffix = "" if plain else f"_{name}"
        title = "layer" if plain else f"{name} layer" if part.is_layer else name
        some_left = part.recomputed != part.count
        if part.recomputed != 0:
            whole = phase(part.unit, frozenset(), True, offload, parts, least)
            again = (suffix + "_recomputed", f"recomputed {title}") if some_left else (suffix, title)
            chunks = part.recomputed_in_chunks
            out.append(Held(part, part.recomputed, whole, *again, chunk, before, chunks, stages.alike, stages.copies))
        if some_left:
            ahead = uniform and chosen == "full" and name == MULTI_TOKEN
            of_layers = regions if part.is_layer else regions - {PER_OPERATOR}
            again_inside = MULTI_TOKEN_REGIONS if ahead else of_layers
            kept = phase(part.unit, again_inside, False, offload, least=least)
            rest = part.count - part.recomputed
            chunks = tuple(a - b for a, b in zip(part.in_chunks, part.recomputed_in_chunks, strict=True))
            out.append(
                Held(part, rest, kept, suffix, title, Integer(1), Integer(0), chunks, stages.alike, stages.copies)
            )
    return tuple(out)


def _most_layers(stages: Stages) -> Expr:
    """Layers of any kind in one virtual chunk of the rank, or in the one with most of them."""
    layers = [part.in_chunks for part in stages.parts if part.is_layer]
    amounts = list(dict.fromkeys(sympy.Add(*kinds) / stages.alike for kinds in zip(*layers, strict=True)))
    return maximum(*amounts) if len(amounts) > 1 else amounts[0]
