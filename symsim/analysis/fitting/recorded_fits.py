"""What a system file tells of the fits behind its figures, written so that they can be repeated."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from symsim.language.calibrated import RECORD, Fitted
from symsim.language.quoting import one_line


@dataclass(frozen=True, slots=True)
class RecordedFit:
    """The constants with their widths, as ``--fit`` takes them, and the cases that they were fitted to."""

    system: str
    names: tuple[str, ...]
    sets: tuple[str, ...]
    group: str
    framework: str | None = None
    expected: float | None = None

    def __str__(self) -> str:
        about = "" if self.framework is None else f" under {self.framework}"
        expected = "" if self.expected is None else f" expecting {100 * self.expected:g} %"
        sets = ", ".join(map(one_line, self.sets))
        return f"fit {' '.join(self.names)} to {sets} on {self.system} by {self.group}{about}{expected}"

    def takes(self, case: Mapping[str, Any]) -> bool:
        """Whether a case was among those fitted to."""
        framework = case["strategy"].get("framework", "megatron")
        same = case.get("system") == self.system and case["set"] in self.sets
        return same and self.framework in (None, framework)


_RECORDED = re.compile(
    rf"^{RECORD}fit (?P<names>.+?) to (?P<sets>.+?) on (?P<system>\w+) by (?P<group>\w+)"
    r"(?: under (?P<framework>\w+))?(?: expecting (?P<expected>[0-9.]+) %)?$",
    re.MULTILINE,
)


def recorded_fits(text: str) -> list[RecordedFit]:
    """The fits that the text of a system file tells of."""
    return [
        RecordedFit(
            found["system"],
            tuple(found["names"].split()),
            tuple(found["sets"].split(", ")),
            found["group"],
            found["framework"],
            float(found["expected"]) / 100 if found["expected"] else None,
        )
        for found in _RECORDED.finditer(text)
    ]


def fitted_values(result: Mapping[str, Any]) -> dict[str, Fitted]:
    """What is written into a file, from the document of a fit: constants that the data did not move stay."""
    steps = f"{sum(s['before']['n'] for s in result['sets'].values())} steps of {', '.join(result['sets'])}"
    return {
        c["name"]: Fitted(
            c["after"], c["before"], c["unit"], f"+- {100 * c['relative_deviation']:.1f} %, fitted to {steps}"
        )
        for c in result["constants"]
        if c["written"]
    }


def record(result: Mapping[str, Any], fit: RecordedFit, command_line: str) -> str:
    """How the values were found, for the top of the file."""
    lines = [
        "Figures marked 'calibrated' were fitted to measured steps; 'from' is what their source says. Found by",
        f"  {command_line}",
        str(fit),
    ]
    for set_name, found in result["sets"].items():
        name = one_line(set_name)
        before, after, held_out = (found[stage]["mean_abs_pct"] for stage in ("before", "after", "held_out"))
        lines.append(
            f"{name}: {found['before']['n']} steps, mean error {before:.2f} % before, {after:.2f} % after, "
            f"{held_out:.2f} % of steps left out of the fit"
        )
    return "\n".join(lines)
