"""A launch line of torchtitan: flags with the sections of the configuration in their names.

``--training.seq_len 8192`` and ``--training.seq-len=8192`` are one flag; ``--compile.enable`` is true without a value,
and ``--parallelism.no-enable-sequence-parallel`` false; ``activation-checkpoint:full`` is a word of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from symsim.diagnostics import Place, Source
from symsim.interop.json_text import Object
from symsim.interop.shell_text import Script, Word, read_script

_FLAG = re.compile(r"--([A-Za-z_][\w.\-]*)(?:=(.*))?", re.DOTALL)
_POLICY = re.compile(r"activation[-_]checkpoint:([\w-]+)")
OF_LAUNCHER = ("nproc_per_node", "nnodes")
"""Flags of torchrun that give the ranks."""
VARIABLES = {"MODULE": "module", "CONFIG": "config", "CONFIG_FILE": "config_file"}
"""What run_train.sh takes from the environment."""


@dataclass(slots=True)
class Launch:
    """What a line says: its flags by section, the registered configuration or file that they change, and the ranks."""

    keys: Object
    place: Place
    module: str | None = None
    config: str | None = None
    config_file: str | None = None
    ranks: int | None = None


def is_launch(source: Source) -> bool:
    """Whether a text starts torchtitan."""
    text = source.text
    return "torchtitan" in text or "run_train.sh" in text or bool(re.search(r"--module[ =]\S+.*--config[ =]", text))


def launch_of(source: Source) -> Launch | None:
    """The first command of a script that starts torchtitan."""
    script = read_script(source)
    for words in script.commands:
        if _has(words, "--module") or _has(words, "--job.config_file") or any(_starts(w.text) for w in words):
            return _read(words, script, source)
    return None


def _starts(word: str) -> bool:
    """Whether a word of a command is what trains; 'cd torchtitan' and 'pip install torchtitan' have none."""
    return word.endswith("run_train.sh") or word == "torchtitan.train" or word.endswith("torchtitan/train.py")


def _has(words: Sequence[Word], flag: str) -> bool:
    return any(w.text == flag or w.text.startswith(f"{flag}=") for w in words)


def _read(words: Sequence[Word], script: Script, source: Source) -> Launch:
    out = Launch(Object(), words[0].place)
    sizes: dict[str, int] = {}
    for name, word in script.exported.items():
        if name in VARIABLES and word.text:
            setattr(out, VARIABLES[name], word.text)
        if name == "NGPU" and word.text.isdecimal():
            sizes["nproc_per_node"] = int(word.text[:9])
    for name, value, place in _flags(words, out):
        plain = name.replace("-", "_")
        if plain in OF_LAUNCHER:
            if isinstance(value, int) and not isinstance(value, bool):
                sizes[plain] = value
        elif plain in ("module", "config"):
            setattr(out, plain, str(value))
        elif plain == "job.config_file":
            out.config_file = str(value)
        elif "." in plain:
            _put(out.keys, plain.split("."), value, place)
    if "nproc_per_node" in sizes:
        out.ranks = sizes["nproc_per_node"] * sizes.get("nnodes", 1)
    return out


def _flags(words: Sequence[Word], out: Launch) -> Iterator[tuple[str, object, Place]]:
    """Each flag with its value, or true without one."""
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        if found := _POLICY.fullmatch(word.text):
            out.keys["activation_checkpoint"] = _policy(found[1], word.place)
            out.keys.places["activation_checkpoint"] = word.place
            continue
        found = _FLAG.fullmatch(word.text)
        if found is None:
            continue
        name, value = found[1], found[2]
        if value is None and at < len(words) and not words[at].text.startswith("--") and not _is_policy(words[at]):
            value = words[at].text
            at += 1
        yield name, True if value is None else _typed(value), word.place


def _is_policy(word: Word) -> bool:
    return _POLICY.fullmatch(word.text) is not None


def _policy(kind: str, place: Place) -> Object:
    out = Object()
    out["mode"] = kind.replace("-", "_")
    out.places["mode"] = place
    return out


def _put(keys: Object, path: Sequence[str], value: object, place: Place) -> None:
    """A value inside its sections; ``no_NAME`` is NAME switched off."""
    *sections, last = path
    if last.startswith("no_") and value is True:
        last, value = last[3:], False
    inside = keys
    for name in sections:
        held = inside.get(name)
        if not isinstance(held, Object):
            held = Object()
            inside[name] = held
            inside.places[name] = place
        inside = held
    inside[last] = value
    inside.places[last] = place


def _typed(value: str) -> object:
    if re.fullmatch(r"-?[0-9]{1,18}", value):
        return int(value)
    return {"None": None, "True": True, "False": False, "true": True, "false": False}.get(value, value)
