"""Placement written out in Megatron-Core's letters: ``Et*3|(tt|)*29,m|L``.

``E`` is the embedding, ``t`` a layer, ``m`` a layer of multi-token prediction, ``L`` head and loss. ``|`` ends
a stage, ``x*n`` repeats a letter or an end, ``(…)*n`` a group; commas mean nothing. Data passes the
stages in the order in which they are written: rank 0 … pp − 1, and again for every virtual chunk.

As in Megatron-Core, groups are written out first and letters repeated then, so ``(t*2|)*3`` is ``tt|tt|tt|`` and a
repeat behind a group's repeat is one of its last letter; ``t*0`` is no letter.

Source: Megatron-Core 0.16.1, transformer/pipeline_parallel_layer_layout.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from symsim.diagnostics import InputError, Place, error

LETTERS = {"E": "embedding", "t": "layer", "m": "layer of multi-token prediction", "L": "loss"}
MAX_LETTERS = 4096
"""Longest text of a layout."""
MAX_STAGES = 10_000
"""Most stages that a layout describes."""
MAX_LAYERS = 10**6
"""Most layers of one stage."""
MAX_CHANGES = 256
"""Most neighbouring stages that hold different numbers of layers: each is a term of a formula."""

MAX_WRITTEN_OUT = 200_000
"""Most letters of all groups with their repeats."""

_GROUP = re.compile(r"\(([^)]+)\)\*([0-9]+)")
_REPEAT = re.compile(r"(.)\*([0-9]+)")


@dataclass(frozen=True, slots=True)
class Layout:
    """``layers`` of every stage in order, and how many layers of multi-token prediction one of them has, and which.

    Without any, ``multi_token_stage`` is the last.
    """

    layers: tuple[int, ...]
    multi_token: int
    multi_token_stage: int

    @property
    def stages(self) -> int:
        return len(self.layers)


@lru_cache(maxsize=16)
def parse_layout(text: str, place: Place | None = None) -> Layout:
    """The stages that a layout describes; ``place`` is where its text begins.

    Raises:
        InputError: E316, with a caret at the letter that is wrong.
    """
    return _Reader(text, place).layout()


@dataclass(frozen=True, slots=True)
class _Run:
    """A letter so many times, and where it stands in the text."""

    letter: str
    times: int
    position: int


class _Reader:
    def __init__(self, text: str, place: Place | None) -> None:
        self.text = text
        self.place = place

    def layout(self) -> Layout:
        if len(self.text) > MAX_LETTERS:
            raise self._wrong(0, f"a layout has at most {MAX_LETTERS:,} letters", "write repeats as (tt|)*30")
        runs = self._runs(self._without_groups())
        for run in runs:
            if run.letter not in LETTERS and run.letter != "|":
                raise self._not_a_letter(run)
        self._order([run for run in runs if run.letter != "|"])
        return self._placed(runs)

    def _without_groups(self) -> list[tuple[str, int]]:
        """Letters and their positions, commas left out, with each group as often as it repeats."""
        marks = [(letter, k) for k, letter in enumerate(self.text) if letter != ","]
        out: list[tuple[str, int]] = []
        behind = 0
        for group in _GROUP.finditer("".join(letter for letter, _ in marks)):
            out += marks[behind : group.start()]
            inside = marks[group.start(1) : group.end(1)]
            times, at = self._times(group[2]), marks[group.end(1)][1]
            ends = sum(letter == "|" for letter, _ in inside)
            self._bounded(times * ends, MAX_STAGES, "stages", at)
            self._bounded(len(out) + times * len(inside), MAX_WRITTEN_OUT, "letters", at)
            out += inside * times
            behind = group.end()
        return out + marks[behind:]

    def _runs(self, marks: list[tuple[str, int]]) -> list[_Run]:
        """Letters with the repeats that follow them."""
        out: list[_Run] = []
        behind = 0
        for repeat in _REPEAT.finditer("".join(letter for letter, _ in marks)):
            out += [_Run(mark[0], 1, mark[1]) for mark in marks[behind : repeat.start()]]
            letter, position = marks[repeat.start()]
            times = self._times(repeat[2])
            if times:
                out.append(_Run(letter, times, position))
            behind = repeat.end()
        return out + [_Run(mark[0], 1, mark[1]) for mark in marks[behind:]]

    def _times(self, digits: str) -> int:
        """A number of repeats; one of more digits than any bound has is as good as the largest of nine."""
        return int(digits) if len(digits) < 10 else 10**9

    def _not_a_letter(self, run: _Run) -> InputError:
        """What is wrong where a letter is left that no rule of groups and repeats takes."""
        text, opened = self.text, -1
        for k, letter in enumerate(text):
            behind = text[k + 1 :].replace(",", "")
            repeated = behind[:1] == "*" and behind[1:2].isdigit()
            if letter == "(":
                if opened >= 0:
                    return self._wrong(k, "a group is inside a group", "write the inner one out")
                opened = k
            elif letter == ")":
                if opened < 0:
                    return self._wrong(k, "no group is open here", "open it with (")
                if not text[opened + 1 : k].replace(",", ""):
                    return self._wrong(opened, "a group without letters", "leave it out")
                if not repeated:
                    return self._wrong(k + 1, "a number of repeats is missing here", "for example (tt|)*30 or t*4")
                opened = -1
            elif letter == "*" and not behind[:1].isdigit():
                return self._wrong(k, "a number of repeats is missing here", "for example (tt|)*30 or t*4")
        if opened >= 0:
            return self._wrong(opened, "this group is never closed", "close it with )*n")
        hint = "the letters are E t m L; | ends a stage, (tt|)*30 repeats"
        return self._wrong(run.position, f"'{run.letter}' is not a letter of a layout", hint)

    def _order(self, runs: list[_Run]) -> None:
        """One embedding before everything, one loss after it, and no layer behind those of multi-token prediction.

        Which stage the letters E and L stand in changes nothing: the embedding is on the first, the loss on the last.
        """
        for letter, end in (("E", 0), ("L", -1)):
            found = [run for run in runs if run.letter == letter]
            where = "before" if letter == "E" else "after"
            if sum(run.times for run in found) != 1 or runs[end].letter != letter:
                wrong = [run for run in found if run is not runs[end]] or found
                message = f"a layout has one {letter}, the {LETTERS[letter]}, {where} all layers"
                raise self._wrong(wrong[0].position if wrong else 0, message, "for example Et|(tt|)*30L")
        ahead = next((k for k, run in enumerate(runs) if run.letter == "m"), len(runs))
        late = next((run for run in runs[ahead:] if run.letter == "t"), None)
        if late is not None:
            hint = "write m behind all t: …t|m|L"
            raise self._wrong(late.position, "a layer comes after one of multi-token prediction", hint)

    def _placed(self, runs: list[_Run]) -> Layout:
        layers, predicted = [0], [0]
        position: dict[tuple[str, int], int] = {}
        for run in runs:
            if run.letter == "|":
                self._bounded(len(layers) + run.times, MAX_STAGES, "stages", run.position)
                layers += [0] * run.times
                predicted += [0] * run.times
            elif run.letter in "tm":
                held = layers if run.letter == "t" else predicted
                held[-1] += run.times
                position.setdefault((run.letter, len(held)), run.position)
                self._bounded(held[-1], MAX_LAYERS, "layers of one stage", run.position)
        stages = [k for k, count in enumerate(predicted) if count]
        if len(stages) > 1:
            hint = "write all m into one stage: …|mmL"
            at = position["m", stages[1] + 1]
            raise self._wrong(at, "layers of multi-token prediction are in several stages", hint)
        changes = sum(a != b for a, b in pairwise(layers))
        if changes > MAX_CHANGES:
            hint = "place stages that hold equally many layers side by side"
            raise self._wrong(0, f"the number of layers changes {changes:,} times from stage to stage", hint)
        return Layout(tuple(layers), sum(predicted), stages[0] if stages else len(layers) - 1)

    def _bounded(self, amount: int, most: int, what: str, position: int) -> None:
        if amount > most:
            raise self._wrong(position, f"more than {most:,} {what}", "take smaller repeats")

    def _wrong(self, position: int, message: str, hint: str) -> InputError:
        place = self.place
        if place is not None:
            place = Place(place.source, place.line, place.column + position)
        return error("E316", f"layout: {message}", place, hint)
