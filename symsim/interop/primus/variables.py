"""``${VAR}`` and ``${VAR:default}`` in the values of a YAML, as Primus puts them in.

The environment is asked first, then the default. A text that changed becomes a number or a flag where it looks like
one; ``null`` and lists stay text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from symsim.diagnostics import error
from symsim.interop.json_text import Object

_VARIABLE = re.compile(r"\$\{([^:{}]+)(?::([^}]*))?\}")
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def with_variables(keys: Object, environment: Mapping[str, str]) -> Object:
    """The keys with every variable put in.

    Raises:
        InputError: a variable has neither a value nor a default.
    """
    out = Object()
    out.places.update(keys.places)
    for key, value in keys.items():
        out[key] = _filled(value, key, keys, environment)
    return out


def _filled(value: object, key: str, holder: Object, environment: Mapping[str, str]) -> object:
    if isinstance(value, Object):
        return with_variables(value, environment)
    if isinstance(value, list):
        return [_filled(item, key, holder, environment) for item in value]
    if not isinstance(value, str) or "${" not in value:
        return value

    def known(match: re.Match[str]) -> str:
        name = match[1].strip()
        found = environment.get(name, match[2])
        if found is None:
            hint = f"export {name}=…, or write ${{{name}:default}}"
            raise error("E512", f"'{key}' needs the variable {name[:60]}", holder.places[key], hint)
        return found

    filled = _VARIABLE.sub(known, value)
    return filled if filled == value else _typed(filled)


def _typed(text: str) -> object:
    if _INTEGER.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text):
        return float(text)
    return {"true": True, "false": False}.get(text.lower(), text)
