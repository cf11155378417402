"""Answers about many plans: an array for each name, and which of the plans are legal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from symsim.api.arguments import unknown_name
from symsim.api.frames import frame_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ITERATION, PEAK, MFU = "time.iteration", "memory.peak", "throughput.mfu"


@dataclass(frozen=True, eq=False)
class Columns(Mapping[str, "NDArray[np.float64]"]):
    """Arrays by the names of outputs, all of one shape; those of pipeline stages have one more axis, the last.

    Attributes:
        arrays: by name. Bytes, seconds, FLOPs, FLOP/s, as ``units`` says. A plan that breaks a rule is NaN
            everywhere, and so is what lies past the last stage of a plan.
        legal: which plans break no rule; of the same shape.
        illegal: how many plans each message is the first to be true of.
        units: ``bytes``, ``s`` … by name; empty for counts and shares.
        given: the sizes and choices that were given, by name, in the shape of the plans.
    """

    arrays: Mapping[str, NDArray[np.float64]] = field(repr=False)
    legal: NDArray[np.bool_] = field(repr=False)
    illegal: Mapping[str, int]
    units: Mapping[str, str] = field(repr=False)
    given: Mapping[str, NDArray[Any]] = field(repr=False, default_factory=dict)

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        if name not in self.arrays:
            raise unknown_name(name, self.arrays, "column")
        return self.arrays[name]

    def __contains__(self, name: object) -> bool:
        return name in self.arrays

    def __iter__(self) -> Iterator[str]:
        return iter(self.arrays)

    def __len__(self) -> int:
        return len(self.arrays)

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the sizes, broadcast together."""
        return self.legal.shape

    @property
    def iteration_s(self) -> NDArray[np.float64]:
        """Seconds of a step. KeyError without a machine."""
        return self[ITERATION]

    @property
    def peak_bytes(self) -> NDArray[np.float64]:
        """Bytes of the fullest stage at its peak."""
        return self.arrays[PEAK]

    @property
    def mfu(self) -> NDArray[np.float64]:
        """Model FLOPs, full attention, over the peak of the machine; a share. KeyError without a machine."""
        return self[MFU]

    def to_frame(self) -> Any:
        """A data frame of pandas: the sizes that were given, the outputs of one value a plan, and ``legal``.

        Raises:
            InputError: pandas is not installed.
        """
        flat = {n: v.reshape(-1) for n, v in self.arrays.items() if v.shape == self.shape}
        own = {n: v.reshape(-1) for n, v in self.given.items()}
        return frame_of({**own, **flat, "legal": self.legal.reshape(-1)})

    def to_dict(self) -> dict[str, Any]:
        """The columns as lists, ``symsim.columns/1``; what is NaN is ``None``."""
        return {
            "schema": "symsim.columns/1",
            "shape": list(self.shape),
            "values": {n: _listed(v.tolist()) for n, v in self.arrays.items()},
            "units": dict(self.units),
            "legal": self.legal.tolist(),
            "illegal": dict(self.illegal),
        }

    def __repr__(self) -> str:
        shape = " × ".join(map(str, self.shape)) or "one plan"
        return f"<Columns {shape}, {int(self.legal.sum()):,} of {self.legal.size:,} legal, {len(self)} names>"

    def _repr_html_(self) -> str:
        from symsim.report.html import table

        flat = {n: v.reshape(-1) for n, v in self.arrays.items() if v.shape == self.shape}
        rows = [[str(k), *(f"{v[k]:.6g}" for v in flat.values())] for k in range(min(61, self.legal.size))]
        return table(["", *flat], rows, repr(self)[1:-1])


def _listed(value: Any) -> Any:
    if isinstance(value, list):
        return [_listed(v) for v in value]
    return None if value != value else value
