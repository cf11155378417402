"""The words of a shell script's commands, each with its place, as far as they can be known without running it.

Assignments are followed in the order of the text: ``NAME=value``, ``NAME=${OTHER:-default}``, arrays, ``$((8 * 2))``.
What only a run can tell (``$(command)``, ``$1``, a variable that nothing sets) stays as it is written. Conditions and
loops are not followed; :attr:`Script.conditions` says where they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from symsim.diagnostics import InputError, Place, Source, error
from symsim.language.expressions import Plain, evaluate
from symsim.language.parser import parse_expression

MAX_LENGTH = 400_000
"""Most characters that variables may grow to, all words together."""

MAX_DEPTH = 16
"""Most values by default inside of each other."""

Letters = list[tuple[str, int]]
"""Characters, each with where it stands in the text."""

_NAME = re.compile(r"[A-Za-z_]\w*")
_ASSIGN = re.compile(r"([A-Za-z_]\w*)(\+?)=")
_CONTROL = frozenset({"if", "for", "while", "until", "case", "elif", "else"})
_PREFIX = frozenset(
    {"then", "do", "else", "{", "!", "time", "exec", "export", "declare", "local", "readonly", "typeset"}
)


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a command."""

    text: str
    place: Place


@dataclass(slots=True)
class Script:
    """What a script runs: the words of every command, the variables it exports, and lines with conditions."""

    commands: list[list[Word]] = field(default_factory=list)
    exported: dict[str, Word] = field(default_factory=dict)
    conditions: list[int] = field(default_factory=list)


def read_script(source: Source) -> Script:
    """Every command of a script.

    Raises:
        InputError: E501, its variables grow without bound.
    """
    return _Reader(source).script()


@dataclass(slots=True)
class _Piece:
    """A word before expansion is over: its letters, and which of them stood in quotes."""

    letters: Letters
    quoted: list[bool]


class _Reader:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._text = source.text
        self._starts = [0, *(m.end() for m in re.finditer("\n", source.text))]
        self._variables: dict[str, Letters] = {}
        self._arrays: dict[str, list[Letters]] = {}
        self._length = 0
        self._depth = 0

    def script(self) -> Script:
        out = Script()
        for words in self._statements():
            self._command(words, out)
        return out

    def _command(self, words: list[tuple[int, str]], out: Script) -> None:
        """Assignments in front of a command, then its words."""
        exports = False
        rest = list(words)
        while rest:
            raw = rest[0][1]
            if raw in _CONTROL:
                out.conditions.append(self._place(rest[0][0], 1).line)
            if raw in _PREFIX or raw in _CONTROL:
                exports = exports or raw == "export"
                rest.pop(0)
                continue
            found = _ASSIGN.match(raw)
            if found is None:
                break
            self._assign(found[1], rest[0], found.end(), bool(found[2]))
            if exports or len(words) > 1:
                place = self._place(rest[0][0], len(raw))
                out.exported[found[1]] = Word("".join(c for c, _ in self._variables.get(found[1], [])), place)
            rest.pop(0)
        expanded = [word for at, raw in rest for word in self._expand(raw, at)]
        if expanded:
            out.commands.append(expanded)

    def _assign(self, name: str, word: tuple[int, str], start: int, adds: bool) -> None:
        at, raw = word
        value, offset = raw[start:], at + start
        if value.startswith("("):
            inner = value[1:-1] if value.endswith(")") else value[1:]
            items = [w for a, part in _split(inner, offset + 1) for w in self._letters_of(part, a, split=True)]
            self._arrays[name] = [*(self._arrays.get(name, []) if adds else []), *items]
            return
        letters = [letter for part in self._letters_of(value, offset, split=False) for letter in part]
        self._variables[name] = [*(self._variables.get(name, []) if adds else []), *letters]

    def _expand(self, raw: str, at: int) -> Iterator[Word]:
        for letters in self._letters_of(raw, at, split=True):
            text = "".join(c for c, _ in letters)
            where = letters[0][1] if letters else at
            yield Word(text, self._place(where, max(1, len(text) if letters else len(raw))))

    def _letters_of(self, raw: str, at: int, split: bool) -> list[Letters]:
        """The words that one word becomes: quotes taken off, variables put in, blanks outside quotes split."""
        words: list[Letters] = [[]]
        started = False
        quote = ""
        k = 0
        while k < len(raw):
            c = raw[k]
            if quote == "'" and c != "'":
                words[-1].append((c, at + k))
                k += 1
                continue
            if c in "'\"" and (not quote or quote == c):
                quote = "" if quote else c
                started = True
                k += 1
                continue
            if c == "\\" and k + 1 < len(raw) and (not quote or raw[k + 1] in '$`"\\\n'):
                if raw[k + 1] != "\n":
                    words[-1].append((raw[k + 1], at + k + 1))
                elif split and not quote and words[-1]:
                    words.append([])
                k += 2
                continue
            if c == "$":
                value, k, listed = self._variable(raw, k, at)
                if listed is not None:
                    for n, item in enumerate(listed):
                        if n:
                            words.append([])
                        if quote or not split:
                            words[-1] += item
                        else:
                            self._split_into(words, item)
                elif quote or not split:
                    words[-1] += value
                else:
                    self._split_into(words, value)
                continue
            if split and not quote and c in " \t\r\n":
                words.append([])
            else:
                words[-1].append((c, at + k))
            k += 1
        self._length += sum(map(len, words)) + len(words)
        if self._length > MAX_LENGTH:
            message = f"the words of the script grow to more than {MAX_LENGTH:,} characters"
            raise error("E501", message, self._place(at, 1), "write the arguments out")
        return [w for w in words if w or (started and len(words) == 1)]

    @staticmethod
    def _split_into(words: list[Letters], value: Letters) -> None:
        for c, where in value:
            if c in " \t\r\n":
                if words[-1]:
                    words.append([])
            elif c != "\\":
                words[-1].append((c, where))

    def _variable(self, raw: str, k: int, at: int) -> tuple[Letters, int, list[Letters] | None]:
        """What a ``$…`` stands for, and where the text goes on; a list for an array."""
        as_written: Letters = [(raw[k], at + k)]
        if raw.startswith("$((", k):
            end = raw.find("))", k)
            if end > 0:
                return self._computed(raw[k + 3 : end], at + k), end + 2, None
        if raw.startswith("$(", k):
            end = _closing(raw, k + 1)
            return [(c, at + k + n) for n, c in enumerate(raw[k:end])], end, None
        braced = raw.startswith("${", k)
        if not braced:
            name = _NAME.match(raw, k + 1)
            if name is None:
                return as_written, k + 1, None
            known = self._variables.get(name[0])
            listed = self._arrays.get(name[0])
            if known is None and listed:
                known = listed[0]
            own = [(c, at + k + n) for n, c in enumerate(raw[k : name.end()])]
            return own if known is None else known, name.end(), None
        end = _closing(raw, k + 1)
        inner = raw[k + 2 : end - 1]
        own = [(c, at + k + n) for n, c in enumerate(raw[k:end])]
        found = re.fullmatch(r"([A-Za-z_]\w*)(?:\[([@*])\])?(?:(:?[-=])(.*))?", inner, re.DOTALL)
        if found is None:
            return own, end, None
        name_, listing, _, default = found.groups()
        if listing:
            return [], end, self._arrays.get(name_, [])
        known = self._variables.get(name_)
        if known is not None:
            return known, end, None
        if default is not None and self._depth < MAX_DEPTH:
            shift = at + k + 2 + found.start(4)
            self._depth += 1
            words = self._letters_of(default, shift, split=False)
            self._depth -= 1
            return [letter for word in words for letter in word], end, None
        return own, end, None

    def _computed(self, inner: str, at: int) -> Letters:
        """``$((A * 2))``, where its names are known."""
        names: Mapping[str, str] = {n: "".join(c for c, _ in v) for n, v in self._variables.items()}
        text = _NAME.sub(lambda m: names.get(m[0], m[0]), inner.replace("$", "").replace("{", "").replace("}", ""))
        try:
            value = evaluate(parse_expression(Source("", text[:200])), Plain({}))
        except InputError:
            value = None
        whole = int(value) if isinstance(value, int | Fraction) and not isinstance(value, bool) else None
        return [(c, at) for c in (f"$(({inner}))" if whole is None else str(whole))]

    def _statements(self) -> Iterator[list[tuple[int, str]]]:
        """Words of each command as they are written, with where they begin."""
        words: list[tuple[int, str]] = []
        for at, raw in _split(self._text, 0, statements=True):
            if raw in ("\n", ";", "&", "|"):
                if words:
                    yield words
                words = []
            else:
                words.append((at, raw))
        if words:
            yield words

    def _place(self, at: int, width: int) -> Place:
        from bisect import bisect_right

        line = bisect_right(self._starts, at)
        return Place(self._source, line, at - self._starts[line - 1] + 1, width)


def _split(text: str, shift: int, statements: bool = False) -> Iterator[tuple[int, str]]:
    """Words of a text at blanks outside quotes and brackets; ends of statements as words of their own."""
    k, start = 0, -1
    while k <= len(text):
        c = text[k] if k < len(text) else "\n"
        if c == "\\" and text[k : k + 2] in ("\\\n", "\\\r") and start < 0:
            k += 2 if text[k : k + 2] == "\\\n" else 3
            continue
        if c == "#" and start < 0:
            end = text.find("\n", k)
            k = len(text) if end < 0 else end
            continue
        if c in " \t\r\n;&|" or k == len(text):
            if start >= 0:
                yield shift + start, text[start:k]
                start = -1
            if statements and c in "\n;&|":
                yield shift + k, c
            k += 1
            continue
        if start < 0:
            start = k
        k = _skipped(text, k)


def _skipped(text: str, k: int) -> int:
    """Where the text goes on after a character, a quoted stretch, or a bracket."""
    c = text[k]
    if c == "\\":
        return k + 2
    if c == "'":
        end = text.find("'", k + 1)
        return len(text) if end < 0 else end + 1
    if c == '"':
        k += 1
        while k < len(text) and text[k] != '"':
            k += 2 if text[k] == "\\" else 1
        return k + 1
    if c == "(" or text.startswith("${", k):
        return _closing(text, k if c == "(" else k + 1)
    return k + 1


def _closing(text: str, k: int) -> int:
    """Behind the bracket that closes the one at ``k``; quotes and comments inside are passed over."""
    close = {"(": ")", "{": "}"}[text[k]]
    depth = 0
    while k < len(text):
        c = text[k]
        if c in "({":
            depth += 1
        elif c in ")}":
            depth -= 1
            if depth == 0 and c == close:
                return k + 1
        elif c in "'\"\\":
            k = _skipped(text, k)
            continue
        elif c == "#" and text[k - 1] in " \t\n":
            end = text.find("\n", k)
            k = len(text) if end < 0 else end
            continue
        k += 1
    return len(text)
