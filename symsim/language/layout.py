"""Placement written out in Megatron-Core's letters: ``Et*3|(tt|)*29,m|L``.

``E`` is the embedding, ``t`` a layer, ``m`` a layer of multi-token prediction, ``L`` head and loss. ``|`` ends
a stage, ``x*n`` repeats a letter or an end, ``(…)*n`` a group; commas mean nothing. Data passes the
stages in the order in which they are written: rank 0 … pp − 1, and again for every virtual chunk.

Source: Megatron-Core, transformer/pipeline_parallel_layer_layout.py.
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

_MARK = re.compile(r"(?P<letter>[EtmL|])|(?P<open>\()|(?P<close>\))|(?P<skip>,)")
_REPEAT = re.compile(r"\*([0-9]{1,9})")


@dataclass(frozen=True, slots=True)
class Layout:
    """``layers`` of every stage in order, and how many layers of multi-token prediction the last one has."""

    layers: tuple[int, ...]
    multi_token: int

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


@dataclass(slots=True)
class _Stage:
    """What one stage holds, and where in the text its letters stand."""

    count: dict[str, int]
    at: dict[str, int]


class _Reader:
    def __init__(self, text: str, place: Place | None) -> None:
        self.text = text
        self.place = place

    def layout(self) -> Layout:
        if len(self.text) > MAX_LETTERS:
            raise self._wrong(0, f"a layout has at most {MAX_LETTERS:,} letters", "write repeats as (tt|)*30")
        stages = self._stages()
        self._ends(stages)
        layers = tuple(stage.count.get("t", 0) for stage in stages)
        changes = sum(a != b for a, b in pairwise(layers))
        if changes > MAX_CHANGES:
            hint = "place stages that hold equally many layers side by side"
            raise self._wrong(0, f"the number of layers changes {changes:,} times from stage to stage", hint)
        return Layout(layers, stages[-1].count.get("m", 0))

    def _stages(self) -> list[_Stage]:
        """Repeats are counted, not written out: a run of letters is one entry of a stage."""
        done: list[_Stage] = [_Stage({}, {})]
        outside: list[_Stage] | None = None
        opened = position = 0
        while position < len(self.text):
            mark = _MARK.match(self.text, position)
            if mark is None:
                shown = self.text[position]
                hint = "the letters are E t m L; | ends a stage, (tt|)*30 repeats"
                raise self._wrong(position, f"'{shown}' is not a letter of a layout", hint)
            after = mark.end()
            if mark["open"]:
                if outside is not None:
                    raise self._wrong(position, "a group is inside a group", "write the inner one out")
                outside, done, opened = done, [_Stage({}, {})], position
            elif mark["close"]:
                if outside is None:
                    raise self._wrong(position, "no group is open here", "open it with (")
                times, after = self._times(after, required=True)
                done, outside = self._repeated(outside, done, times, position), None
            elif mark["letter"]:
                times, after = self._times(after, required=False)
                self._add(done, mark["letter"], times, position)
            position = after
        if outside is not None:
            raise self._wrong(opened, "this group is never closed", "close it with )*n")
        return done

    def _times(self, position: int, required: bool) -> tuple[int, int]:
        found = _REPEAT.match(self.text, position)
        if found is None:
            if required or self.text.startswith("*", position):
                raise self._wrong(position, "a number of repeats is missing here", "for example (tt|)*30 or t*4")
            return 1, position
        times = int(found[1])
        if times < 1:
            raise self._wrong(position, "a repeat is at least 1", "leave out what is not there")
        return times, found.end()

    def _add(self, stages: list[_Stage], letter: str, times: int, position: int) -> None:
        if letter == "|":
            self._bounded(len(stages) + times, MAX_STAGES, "stages", position)
            stages += [_Stage({}, {}) for _ in range(times)]
            return
        stage = stages[-1]
        stage.count[letter] = stage.count.get(letter, 0) + times
        stage.at.setdefault(letter, position)
        self._bounded(stage.count[letter], MAX_LAYERS, "layers of one stage", position)

    def _repeated(self, before: list[_Stage], group: list[_Stage], times: int, position: int) -> list[_Stage]:
        """What stands before a group, and the group so many times: its first stage goes on the last one."""
        self._bounded(len(before) + (len(group) - 1) * times, MAX_STAGES, "stages", position)
        if len(group) == 1:
            self._join(before[-1], group[0], times, position)
            return before
        for _ in range(times):
            self._join(before[-1], group[0], 1, position)
            before += [_Stage(dict(s.count), dict(s.at)) for s in group[1:]]
        return before

    def _join(self, stage: _Stage, more: _Stage, times: int, position: int) -> None:
        for letter, count in more.count.items():
            stage.count[letter] = stage.count.get(letter, 0) + count * times
            stage.at.setdefault(letter, more.at[letter])
            self._bounded(stage.count[letter], MAX_LAYERS, "layers of one stage", position)

    def _bounded(self, amount: int, most: int, what: str, position: int) -> None:
        if amount > most:
            raise self._wrong(position, f"more than {most:,} {what}", "take smaller repeats")

    def _ends(self, stages: list[_Stage]) -> None:
        """One embedding in front, one loss behind, multi-token layers with the loss."""
        for letter, where, end in (("E", "first", 0), ("L", "last", -1)):
            holding = [k for k, stage in enumerate(stages) if letter in stage.count]
            total = sum(stages[k].count[letter] for k in holding)
            if total != 1 or stages[holding[0]] is not stages[end]:
                at = stages[holding[-1 if end == 0 else 0]].at[letter] if holding else 0
                message = f"a layout has one {letter}, the {LETTERS[letter]}, in its {where} stage"
                raise self._wrong(at, message, "for example Et|(tt|)*30L")
        letters = [k for k, c in enumerate(self.text) if c in LETTERS]
        for k, letter in ((letters[0], "E"), (letters[-1], "L")):
            if self.text[k] != letter:
                message = "the embedding comes before all layers, the loss after them"
                raise self._wrong(k, message, "for example Et|(tt|)*30L")
        apart = next((stage for stage in stages[:-1] if "m" in stage.count), None)
        if apart is not None:
            hint = "write them into the last stage: …|mL"
            raise self._wrong(apart.at["m"], "multi-token layers must be in the stage of the loss", hint)

    def _wrong(self, position: int, message: str, hint: str) -> InputError:
        place = self.place
        if place is not None:
            place = Place(place.source, place.line, place.column + position)
        return error("E316", f"layout: {message}", place, hint)
