"""The arguments that Megatron prints into its log: a line for each, between two lines of dashes.

A line is two spaces, the name, dots, and the value from column 53 on; a name of 48 letters or more has no dots. What
a value spills into further lines is not read. Launchers may put a prefix before each line.
Source: Megatron-LM d98e8a64dd, megatron/training/global_vars.py and arguments.py, _print_args.
"""

from __future__ import annotations

import re
from typing import Any

from symsim.diagnostics import InputError, Place, Source, error
from symsim.interop.megatron.argument_table import Argument, by_name
from symsim.interop.megatron.arguments import Arguments
from symsim.interop.megatron.values import value_of

FIRST = re.compile(r"-{20,} arguments -{20,}")
LAST = re.compile(r"-{10,} end of arguments -{10,}")
_LINE = re.compile(r"  ([A-Za-z_]\w*) (\.+ )?(.*)")

DERIVED = {"world_size": "int", "data_parallel_size": "int"}
"""What stands in the block and is no argument: type."""


PASSED_OVER = frozenset(
    {
        "consumed_train_samples", "consumed_valid_samples", "skipped_train_samples", "params_dtype", "rank",
        "transformer_pipeline_model_parallel_size", "virtual_pipeline_model_parallel_size", "variable_seq_lengths",
        "gtp_weight_remat_size", "expert_gtp_weight_remat_size", "use_dist_ckpt",
    }
)  # fmt: skip
"""Names that Megatron's checks add, which follow from others."""
LAYER_WISE = "use_layer_wise_distributed_optimizer"
"""What the checks make of the distributed optimizer, which they turn off, where whole parameters are dealt out."""

DTYPES = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16", "uint8": "fp8"}
"""Types as torch prints them → the words of the arguments."""


def is_log(text: str) -> bool:
    return FIRST.search(text) is not None


def read_log(source: Source) -> Arguments:
    """The first block of arguments of a log.

    Values are those after Megatron's own checks. A name that is no argument of the known parser is one of the run's
    own program, or of a later version: it is named in the remarks.

    Raises:
        InputError: a value of the wrong type.
    """
    out = Arguments(source)
    lines = source.text.split("\n")
    begin = next(k for k, line in enumerate(lines) if FIRST.search(line))
    match = FIRST.search(lines[begin])
    assert match is not None
    prefix = match.start()
    unknown: list[str] = []
    for number, line in enumerate(lines[begin + 1 :], begin + 2):
        if LAST.search(line):
            break
        found = _LINE.match(line[prefix:].rstrip("\r"))
        if found is None:
            continue
        name, value = found[1], found[3].strip()
        place = Place(source, number, prefix + found.start(3) + 1, max(1, len(value)))
        if name in DERIVED and value.isdigit():
            out.put(name, int(value[:12]), place)
            continue
        if name == LAYER_WISE:
            if value == "True":
                out.put("use_distributed_optimizer", True, place)
            continue
        argument = by_name().get(name)
        if argument is None:
            unknown += [name] if name not in PASSED_OVER else []
            continue
        try:
            out.put(name, _value(argument, value, place), place)
        except InputError as problem:
            out.problems += problem.diagnostics
    if unknown:
        out.remarks.append(
            f"names of the log that are no arguments known here, and left out: {', '.join(unknown[:20])}"
        )
    return out.checked()


_ITEM = re.compile(r"""\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|([^\s,'"\[\]()]+))\s*(?:,|$)""")
"""One value of a list of Python: a text in quotes, or a number or a word; then a comma or the end."""


def _list(text: str) -> list[Any] | None:
    """The values of a flat list as Python prints it; ``None`` where it is none."""
    if text[-1] != {"[": "]", "(": ")"}[text[0]]:
        return None
    inner, out, at = text[1:-1], [], 0
    while at < len(inner):
        found = _ITEM.match(inner, at)
        if found is None or found.end() == at:
            return None
        single, double, word = found.groups()
        out.append(_word(word) if word is not None else single if single is not None else double)
        at = found.end()
    return out


def _word(text: str) -> Any:
    """A number, a flag or null; any other word as it stands, such as the name of an enumeration."""
    plain = {"None": None, "True": True, "False": False}
    if text in plain:
        return plain[text]
    if re.fullmatch(r"-?\d{1,18}", text):
        return int(text)
    return float(text) if re.fullmatch(r"-?\d{1,18}\.\d{0,18}(e[+-]?\d{1,3})?", text) else text


def _value(argument: Argument, text: str, place: Place) -> Any:
    """A value as Python prints it."""
    if text in ("None", "True", "False"):
        return {"None": None, "True": True, "False": False}[text]
    if text.startswith(("[", "(")) and len(text) < 100_000:
        listed = _list(text)
        if listed is None:
            raise error("E509", f"{argument.name} is a list, not '{text[:40]}'", place, "as Python prints it")
        return listed
    if argument.sets is not None:
        raise error("E509", f"{argument.name} is True or False, not '{text[:40]}'", place, "as Python prints it")
    if text.startswith("torch."):
        text = DTYPES.get(text.removeprefix("torch."), text)
    return value_of(argument, [text.rpartition(".")[2] if argument.choices and "." in text else text], place)
