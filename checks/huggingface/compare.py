"""Compare symsim's importer with counted configurations: ``compare.py SWEEP.json [-v] [TYPE …]``.

The file holds ``{"records": [{"model_type", "kind", "variant", "config", "parameters", "active_parameters"}, …]}``;
a record without ``parameters`` is one that the class refuses. Prints one line for each type; with ``-v`` each record
that is not equal. Exits with 1 unless all is equal.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

from counting import counted

import symsim

GOOD = ("equal", "refused by both")


def main(path: Path, only: set[str], verbose: bool) -> int:
    """Print how each type compares; 0 where all are equal."""
    records = [
        r for r in json.loads(path.read_text(encoding="utf-8"))["records"] if not only or r["model_type"] in only
    ]
    unknown = only - {r["model_type"] for r in records}
    if unknown:
        sys.exit(f"no records of {', '.join(sorted(unknown))}")
    by_type: dict[str, Counter[str]] = {}
    first: dict[str, str] = {}
    for record in records:
        verdict, said = compared(record)
        model_type = record["model_type"]
        by_type.setdefault(model_type, Counter())[verdict] += 1
        if verdict not in GOOD:
            about = " ".join(
                str(word) for word in (record["kind"], record.get("variant"), record.get("change")) if word
            )
            first.setdefault(model_type, f"{verdict}: {about}: {said}")
            if verbose:
                print(f"    {model_type} {about}: {verdict}: {said}")
    for model_type, verdicts in sorted(by_type.items()):
        counts = ", ".join(f"{n} {verdict}" for verdict, n in verdicts.most_common())
        print(f"{model_type:26} {counts}" + (f"   {first[model_type]}" if model_type in first else ""))
    good = sum(1 for verdicts in by_type.values() if not set(verdicts) - set(GOOD))
    total = sum(by_type.values(), Counter())
    print(f"{good} of {len(by_type)} types equal; " + ", ".join(f"{n} {verdict}" for verdict, n in total.most_common()))
    return int(good < len(by_type))


def compared(record: dict) -> tuple[str, str]:
    """One record: a verdict, and the two numbers or the message."""
    wanted = record.get("parameters")
    try:
        found = counted(record["config"])
    except symsim.InputError as problem:
        said = str(problem).splitlines()[0].rpartition("config.json:")[2]
        return ("refused by both", said) if wanted is None else ("refused", said)
    except Exception as problem:
        return "crashed", f"{type(problem).__name__}: {problem}"
    if wanted is None:
        return "accepted where the class refuses", f"{found.parameters:,}"
    if found.parameters != wanted:
        return "differs", f"{found.parameters:,} is {wanted:,} ({found.parameters - wanted:+,})"
    active = record.get("active_parameters")
    if active not in (None, found.active_parameters):
        return "differs", f"active: {found.active_parameters:,} is {active:,} ({found.active_parameters - active:+,})"
    return "equal", ""


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if word != "-v"]
    if not words:
        sys.exit("usage: compare.py SWEEP.json [-v] [TYPE …]")
    sys.exit(main(Path(words[0]), set(words[1:]), "-v" in sys.argv))
