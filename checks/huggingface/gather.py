"""Write what transformers' configuration classes say, as data: ``gather.py OUT [--alone] [TYPE …]``.

With types given, only these are gathered anew; the others stay as they are in OUT. With ``--alone`` no key is varied
together with another one: some minutes in place of hours.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import class_facts
import transformers
import wrapper_facts
from building import CAUSAL, prepare
from cost_keys import COST_KEYS

VERSION = "5.24.0"
"""The version that the committed data were gathered with."""


def main(out: Path, only: list[str], alone: bool) -> None:
    """Gather, write, and say on stderr what could not be built."""
    if transformers.__version__ != VERSION:
        sys.exit(f"transformers is {transformers.__version__}, not {VERSION}: change VERSION to gather anew")
    prepare()
    old = json.loads(out.read_text(encoding="utf-8")) if only and out.exists() else {"types": {}, "wrappers": {}}
    types, wrapped = old["types"], old["wrappers"]
    found = list(wrapper_facts.wrappers())
    decoders = (set(CAUSAL) - wrapper_facts.ENCODERS) | {text for _, _, text, _ in found}
    for entries, known in ((types, decoders), (wrapped, {name for name, *_ in found})):
        for model_type in set(entries) - known:
            del entries[model_type]
    for model_type in sorted(decoders):
        if not only or model_type in only:
            gathered(model_type, types, lambda: class_facts.facts(model_type, alone))  # noqa: B023
            write(out, types, wrapped)
    for model_type, path, text, absent in found:
        if not only or model_type in only or "wrappers" in only:
            gathered(model_type, wrapped, lambda: wrapper_facts.facts(model_type, path, text, absent))  # noqa: B023
            write(out, types, wrapped)
    write(out, types, wrapped)


def gathered(model_type: str, into: dict[str, object], facts: object) -> None:
    begin = time.perf_counter()
    try:
        into[model_type] = facts()
    except Exception as problem:
        print(f"{model_type}: {type(problem).__name__}: {str(problem).strip().splitlines()[0]}", file=sys.stderr)
        into.pop(model_type, None)
    else:
        print(f"{model_type} {time.perf_counter() - begin:.1f} s", file=sys.stderr)


def write(out: Path, types: dict[str, object], wrapped: dict[str, object]) -> None:
    """One line for each type, so that a change of one is a change of one line."""
    common = {
        "inert": sorted(class_facts.COMMON | class_facts.GENERATION),
        "cost": ["partial_rotary_factor", "per_layer_config", "rope_parameters", "rope_scaling"],
        "renamed": {"rope_scaling": "rope_parameters", "torch_dtype": "dtype"},
    }
    lines = ["{", f'"source": {json.dumps("transformers " + VERSION)},', f'"common": {line(common)},']
    lines += [f'"cost": {line(COST_KEYS)},']
    for name, entries, end in (("types", types, ","), ("wrappers", wrapped, "")):
        rows = ",\n".join(f"{json.dumps(key)}: {line(entries[key])}" for key in sorted(entries))
        lines += [f'"{name}": {{', rows, "}" + end]
    out.write_text("\n".join([*lines, "}", ""]), encoding="utf-8")


def line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(", ", ": "))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: gather.py OUT [--alone] [TYPE …]")
    words = [word for word in sys.argv[2:] if word != "--alone"]
    main(Path(sys.argv[1]), words, "--alone" in sys.argv)
