"""One Hugging Face configuration while it is read: checked access to its keys, and what was found."""

from __future__ import annotations

from collections.abc import Mapping

from symsim.diagnostics import InputError, Place, Source, error
from symsim.interop.json_text import Object
from symsim.interop.model_text import Dimension, printable

MAX_SIZE = 10**12
"""Largest dimension that a model may have."""


class Reading:
    """One configuration while it is read: its keys, checked, and the dimensions found so far.

    ``nested`` is the ``text_config`` of a larger one: there Hugging Face leaves out every key that
    has its usual value, so that none is required; ``outer`` is then the larger one.
    """

    def __init__(self, config: Mapping[str, object], source: Source, outer: Mapping[str, object] | None) -> None:
        self.config = config
        self.source = source
        self.outer = outer or {}
        self.nested = outer is not None
        self.dimensions: dict[str, Dimension] = {}
        self.remarks: list[str] = []

    def place(self, key: str) -> Place:
        """Where the key stands, or the beginning of the text."""
        for config in (self.config, self.outer):
            if isinstance(config, Object) and key in config.places:
                return config.places[key]
        return Place(self.source, 1, 1)

    def key(self, *names: str) -> str | None:
        """Which of the names of one key is given.

        Raises:
            InputError: two of them are, with different values.
        """
        given = [n for n in names if n in self.config]
        told = [n for n in given if self.config[n] is not None] or given
        for other in told[1:]:
            if self.config[other] != self.config[told[0]]:
                raise self.conflict(other, f"'{told[0]}' and '{other}' are one key, with two values here")
        return told[0] if told else None

    def size(self, key: str, least: int = 1) -> int:
        """The whole number under a key that is given.

        Raises:
            InputError: it is no whole number, or out of range.
        """
        value = self.config[key]
        if not isinstance(value, int) or isinstance(value, bool):
            message = f"'{key}' must be a whole number, not {spoken(value)}"
            raise error("E509", message, self.place(key), "write it without quotes, a point or an exponent")
        if not least <= value <= MAX_SIZE:
            wanted = f"at least {least}" if value < least else f"at most {MAX_SIZE:,}"
            raise error("E510", f"'{key}' must be {wanted}, not {value}", self.place(key), "a size counts something")
        return value

    def flag(self, key: str, default: bool) -> bool:
        """A flag; null is false, as it is to Python."""
        value = self.config.get(key, default)
        if value is None:
            return False
        if not isinstance(value, bool):
            message = f"'{key}' must be true or false, not {spoken(value)}"
            raise error("E509", message, self.place(key), "write true or false, without quotes")
        return value

    def word(self, key: str, default: str) -> str:
        value = self.config.get(key, default)
        if not isinstance(value, str):
            message = f"'{key}' must be a text, not {spoken(value)}"
            raise error("E509", message, self.place(key), "write it in double quotes")
        return value

    def found(self, dimension: str) -> int:
        """A size that an earlier rule found; silent failure where that rule has failed."""
        value = self.dimensions.get(dimension)
        if not isinstance(value, int):
            raise InputError(())
        return value

    def conflict(self, key: str, message: str, hint: str | None = None) -> InputError:
        return error("E511", message, self.place(key), hint or "one of the two keys is wrong")

    def inexpressible(self, key: str, message: str, hint: str | None = None) -> InputError:
        return error("E512", message, self.place(key), hint or "write the model as a .sym file instead")


def spoken(value: object) -> str:
    """What a value is, in words."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return f"the text '{printable(value, 40)}'"
        case list():
            return "a list"
        case dict():
            return "an object"
    return f"{value}"
