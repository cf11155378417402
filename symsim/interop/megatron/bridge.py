"""A ``run_config.yaml`` of Megatron-Bridge as arguments of Megatron-LM's parser.

Fields of its sections are written onto the parser's names by ``formats/megatron/bridge.csv``. A saved file holds every
field, derived ones included. What ``comm_overlap`` and ``mixed_precision`` say is written over the other sections when
a run starts, so it counts here too.
Source: megatron-bridge 0.3.1, training/config.py, training/mixed_precision.py, utils/yaml_utils.py.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from symsim import resources
from symsim.diagnostics import Place, error, nearest
from symsim.interop.foreign_file import ForeignFile
from symsim.interop.json_text import Object
from symsim.interop.megatron.argument_table import NONE, TOOL, by_name
from symsim.interop.megatron.arguments import ENVIRONMENT, PEFT, Arguments, give_named
from symsim.interop.megatron.log_block import DTYPES

SECTIONS = ("model", "train", "optimizer", "ddp", "dist", "comm_overlap", "mixed_precision")
"""Sections whose fields may have the names of arguments, in the order in which they count."""
EITHER = frozenset({"use_distributed_optimizer", "use_megatron_fsdp"})
"""Fields of two sections; one that is true counts."""
LAYERS = {"embedding": "E", "decoder": "t", "mtp": "m", "loss": "L"}
"""Words of a layout's list → letters."""
ACTIVATIONS = {
    (True, "silu"): "swiglu",
    (True, "swish"): "swiglu",
    (True, "quick_gelu"): "quick_geglu",
    (False, "gelu"): None,
    (False, "squared_relu"): "squared_relu",
}
"""Gated or not, and the function → the switch of the parser."""


ADAPTERS = {"linear_qkv": "qkv", "linear_proj": "output", "linear_fc1": "up", "linear_fc2": "down"}
"""Modules that adapters stand next to → the operators here; strategy.sym reads them so."""


def is_run_config(file: ForeignFile) -> bool:
    """Whether a file is a ConfigContainer, or has some of its sections."""
    keys = file.keys or Object()
    if ".ConfigContainer" in str(keys.get("_target_")):
        return True
    model = keys.get("model")
    if not isinstance(model, dict) or sum(isinstance(keys.get(s), dict) for s in SECTIONS) < 2:
        return False
    known = sum(name in by_name() or name == "_target_" for name in model)
    return known >= 2 and not any(str(model.get(k, "")).startswith("nemo") for k in ("_target_",))


def read_run_config(file: ForeignFile, lenient: bool) -> Arguments:
    """The arguments that a file stands for.

    Raises:
        InputError: a field that is not known, or a value of another type.
    """
    out = Arguments(file.source)
    keys = file.keys or Object()
    _tell_what_bridge_takes(out, keys)
    for section in (*SECTIONS, *(k for k in keys if k not in SECTIONS)):
        fields = keys.get(section)
        if section == "mixed_precision" and isinstance(fields, str):
            fields = _precision(fields, keys.places[section])
        if isinstance(fields, Object):
            for field, value in fields.items():
                _field(section, field, _plain(value), fields.places[field], out, lenient)
        elif fields is not None and section not in ("_target_", *_whole_sections()):
            _unknown(section, keys.places[section], out, lenient)
    _activation(out, keys)
    _sequence(out, keys)
    if isinstance(adapters := keys.get("peft"), Object):
        out.put(PEFT, adapters, keys.places["peft"])
    return out.checked()


def _tell_what_bridge_takes(out: Arguments, keys: Object) -> None:
    """What its classes take where a shorter file is silent, and Megatron-LM's parser does not."""
    place = Place(out.source, 1, 1)
    out.put("cross_entropy_loss_fusion", True, place)
    out.put("pad_vocab_size", False, place)
    model = keys.get("model")
    hidden = model.get("hidden_size") if isinstance(model, dict) else None
    if isinstance(hidden, int) and isinstance(model, dict):
        out.put("ffn_hidden_size", 4 * hidden, place)
        groups, heads = model.get("num_query_groups"), model.get("num_attention_heads")
        out.put("group_query_attention", groups is not None and groups != heads, place)


def _field(section: str, field: str, value: Any, place: Place, out: Arguments, lenient: bool) -> None:
    if section == "env_vars":
        before = out.keys.get(ENVIRONMENT)
        out.environment({**(before if isinstance(before, dict) else {}), field: value}, place)
        return
    argument, effect = _meaning(section, field)
    if field == "pipeline_model_parallel_layout" and isinstance(value, list):
        value = _layout(value)
    if argument is None and not effect:
        if value not in (None, False, 0, "", [], {}):
            _unknown(f"{section}.{field}", place, out, lenient)
        return
    if argument is None:
        if effect != NONE and value not in (None, False, 0, "", []):
            out.remarks.append(f"{section}.{field} is not modelled: {effect}")
        return
    name = argument.removeprefix("not ")
    if value is None and section in ("comm_overlap", "optimizer"):
        return
    if name == "ffn_hidden_size" and value is None:
        return
    if name != argument:
        value = not value
    if name in EITHER:
        value = bool(value) or bool(out.keys.get(name))
    if name == "fp8_param_gather" and value is None:
        return
    if name.endswith("_dtype") and isinstance(value, str):
        value = {**DTYPES, "half": "fp16"}.get(value, value)
    if field == "grad_reduce_in_fp32":
        out.put("accumulate_allreduce_grads_in_fp32", not value, place)  # what it means under fp16
    give_named(name, value, place, out, lenient)


def field_of(name: str) -> tuple[str, str, bool]:
    """Where an argument of the parser is written: section, field, and whether the field is its opposite."""
    for field, argument, _ in _rows():
        if argument.removeprefix("not ") == name and "*" not in field:
            return (*_cut(field), argument != name)
    return "model", name, False


def _cut(path: str) -> tuple[str, str]:
    section, _, field = path.partition(".")
    return section, field


def _meaning(section: str, field: str) -> tuple[str | None, str]:
    """The argument of a field, or what the field does; neither where nobody knows it."""
    path = f"{section}.{field}"
    rows = [row for row in _rows() if "*" not in row[0] and row[0] == path]
    if not rows and section in SECTIONS and field in by_name():
        return field, ""
    rows = rows or [row for row in _rows() if "*" in row[0] and fnmatchcase(path, row[0])]
    return (rows[0][1] or None, rows[0][2]) if rows else (None, "")


def _unknown(path: str, place: Place, out: Arguments, lenient: bool) -> None:
    if lenient:
        out.remarks.append(f"{path} is no field that is known, and left out")
        return
    section, _, field = path.partition(".")
    known = [*by_name(), *(row[0].partition(".")[2] for row in _rows())]
    near = nearest(field, known) if field else nearest(section, [*SECTIONS, *_whole_sections()])
    hint = near or "--lenient leaves it out and says so"
    out.problems += error("E522", f"unknown field '{path[:80]}'", place, hint).diagnostics


def _activation(out: Arguments, keys: Object) -> None:
    model = keys.get("model")
    if not isinstance(model, Object):
        return
    gated = bool(model.get("gated_linear_unit"))
    given = _plain(model.get("activation_func")) or ("silu" if gated else "gelu")
    name = str(given).rpartition(".")[2]
    place = model.places.get("activation_func") or model.places.get("gated_linear_unit") or Place(out.source, 1, 1)
    if (gated, name) not in ACTIVATIONS:
        shown = f"{'gated ' if gated else ''}{name[:40]}"
        out.problems += error("E512", f"activation_func {shown} is not read", place, "write the model").diagnostics
        return
    switch = ACTIVATIONS[gated, name]
    if switch is not None:
        out.put(switch, True, place)


def _sequence(out: Arguments, keys: Object) -> None:
    """The length of the data's sequences where the model says none."""
    data = keys.get("dataset")
    if out.keys.get("seq_length") is None and isinstance(data, Object):
        for field in ("seq_length", "sequence_length"):
            if isinstance(data.get(field), int):
                out.put("seq_length", data[field], data.places[field])
                return


def _plain(value: Any) -> Any:
    """The value of an object that a file describes: the name of an enumeration's member, of a type or a function."""
    if isinstance(value, dict) and "_target_" in value:
        if "_name_" in value:
            return value["_name_"]
        last = str(value["_target_"]).rpartition(".")[2]
        return last if value.get("_call_") is False else value
    return value


def _layout(value: list[Any]) -> str:
    """A layout's list as letters: one list for each stage."""
    stages = value if all(isinstance(v, list) for v in value) else [value]
    return "|".join("".join(LAYERS.get(str(_plain(part)), "?") for part in stage) for stage in stages)


def _precision(word: str, place: Place) -> Object:
    """The fields of a precision that is named."""
    fields = _precisions().get(word.replace("-", "_"))
    if fields is None:
        raise error("E509", f"mixed_precision cannot be '{word[:60]}'", place, nearest(word, _precisions()))
    out = Object()
    for name, value in fields.items():
        out[name] = value
        out.places[name] = place
    return out


@cache
def _rows() -> tuple[tuple[str, str, str], ...]:
    return tuple((row["field"], row["argument"], row["effect"]) for row in _table("bridge.csv"))


@cache
def _whole_sections() -> frozenset[str]:
    return frozenset(row[0].partition(".")[0] for row in _rows())


@cache
def _precisions() -> Mapping[str, Mapping[str, Any]]:
    flags = {"true": True, "": False}
    out: dict[str, dict[str, Any]] = {}
    for row in _table("bridge_precision.csv"):
        word = row.pop("word")
        out[word] = {n: (v or None) if n in ("fp8", "fp8_recipe", "fp4") else flags[v] for n, v in row.items()}
    return out


def _table(name: str) -> Iterator[dict[str, str]]:
    text = resources.format_file(TOOL, name).read_text(encoding="utf-8")
    return csv.DictReader(line for line in text.splitlines() if line.strip() and not line.startswith("#"))
