"""Make a failing input small: leave out lines, words and letters as long as it fails in the same way."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain

from fuzzing.inputs import Input

Fails = Callable[[Input], bool]

_SPLITS: Sequence[Callable[[str], list[str]]] = (
    lambda text: text.splitlines(keepends=True),
    lambda text: re.findall(r"\w+|\s+|.", text, re.DOTALL),
    list,
)


class SpentError(Exception):
    """The number of tries is used up."""


def minimised(tried: Input, fails: Fails, tries: int = 400) -> Input:
    """A smaller input for which ``fails`` is still true; at most ``tries`` runs."""
    left = tries

    def still(smaller: Input) -> bool:
        nonlocal left
        left -= 1
        if left < 0:
            raise SpentError
        return fails(smaller)

    best = [tried]
    try:
        for smaller in _passes(lambda: best[-1], still):
            best.append(smaller)
    except SpentError:
        pass
    return best[-1]


def _passes(now: Callable[[], Input], still: Fails) -> Iterator[Input]:
    for name in list(now().files):
        without = replace(now(), files={n: c for n, c in now().files.items() if n != name})
        if still(without):
            yield without
    for text in now().quantities if len(now().quantities) > 1 else ():
        without = replace(now(), quantities=(text,))
        if still(without):
            yield without
            break
    for split in _SPLITS:
        for put, text in chain(_of_files(now()), _of_arguments(now()), _of_quantities(now())):
            for part in _smaller(split(text), lambda parts, put=put: still(put(now(), "".join(parts)))):  # type: ignore[misc]
                yield put(now(), "".join(part))


def _smaller(parts: list[str], fails: Callable[[list[str]], bool]) -> Iterator[list[str]]:
    """Delta debugging: leave out ever smaller runs of the parts."""
    run = max(1, len(parts) // 2)
    while parts and run:
        k = 0
        while k < len(parts):
            shorter = parts[:k] + parts[k + run :]
            if len(shorter) < len(parts) and fails(shorter):
                parts = shorter
                yield parts
            else:
                k += run
        run //= 2


def _of_files(tried: Input) -> Iterator[tuple[Callable[[Input, str], Input], str]]:
    for name, content in tried.files.items():
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            continue

        def put(now: Input, smaller: str, name: str = name) -> Input:
            return replace(now, files={**now.files, name: smaller.encode("utf-8")})

        yield put, text


def _of_arguments(tried: Input) -> Iterator[tuple[Callable[[Input, str], Input], str]]:
    for k, argument in enumerate(tried.arguments):
        if k == 0 or len(argument) < 6 or argument.startswith("-"):
            continue

        def put(now: Input, smaller: str, k: int = k) -> Input:
            arguments = (*now.arguments[:k], smaller, *now.arguments[k + 1 :])
            return replace(now, arguments=arguments, plan=_with_argument(now, now.arguments[k], smaller))

        yield put, argument


def _of_quantities(tried: Input) -> Iterator[tuple[Callable[[Input, str], Input], str]]:
    if len(tried.quantities) == 1:
        yield lambda now, smaller: replace(now, quantities=(smaller,)), tried.quantities[0]


def _with_argument(now: Input, old: str, new: str) -> tuple[str, str | None, str | None, tuple[str, ...]] | None:
    """The plan whose numbers are compared follows the command line."""
    if now.plan is None:
        return None
    model, strategy, system, settings = now.plan
    return (
        new if model == old else model,
        new if strategy == old else strategy,
        system,
        tuple(new if s == old else s for s in settings),
    )
