"""Element types: how many bytes one element of a tensor takes."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

ELEMENT_BYTES: Final[dict[str, Fraction]] = {
    "fp64": Fraction(8),
    "fp32": Fraction(4),
    "bf16": Fraction(2),
    "fp16": Fraction(2),
    "fp8": Fraction(1),
    "remainder": Fraction(2),
    "int64": Fraction(8),
    "int32": Fraction(4),
    "byte": Fraction(1),
    "bool": Fraction(1),
}
"""Bytes of one element; a boolean mask takes a byte in torch. A remainder is the half of an fp32 master
copy that the bf16 weight does not hold (Megatron-Core, store_param_remainders)."""

OPERAND_BYTES: Final[dict[str, Fraction]] = {
    "bf16": Fraction(2),
    "fp16": Fraction(2),
    "fp32": Fraction(4),
    "fp8": Fraction(1),
    "mxfp8": Fraction(33, 32),
    "nvfp4": Fraction(9, 16),
}
"""Bytes of one GEMM operand element by precision, block scales included: mxfp8 has one byte for 32
elements (OCP Microscaling Formats 1.0), nvfp4 one for 16 (NVIDIA NVFP4 format)."""


OPERAND_BLOCK: Final[dict[str, int]] = {"fp8": 16, "mxfp8": 32, "nvfp4": 16}
"""Elements of a dimension that a quantised GEMM takes at once. Source: TransformerEngine, utils.py
(assert_dim_for_fp8_exec), tensor/mxfp8_tensor.py and tensor/nvfp4_tensor.py (is_quantizable)."""

QUANTISED_PRECISIONS: Final = frozenset(OPERAND_BLOCK)
"""Precisions whose GEMM operands are quantised copies of bf16 tensors."""

STATE_CHOICES: Final = ("main_params_dtype", "exp_avg_dtype", "exp_avg_sq_dtype")
"""Choices of a strategy that stand for the element type of an optimizer's state."""


def element_bytes(element: str, precision: str) -> Fraction:
    """Bytes of one element of a type as the library names it.

    ``activation`` is the type of the residual stream (fp32 only when the whole run is in fp32),
    ``operand`` that of a quantised GEMM operand.
    """
    if element == "activation":
        return ELEMENT_BYTES["fp32" if precision == "fp32" else "bf16"]
    if element == "operand":
        return OPERAND_BYTES[precision]
    return ELEMENT_BYTES[element]


ELEMENT_NAMES: Final = (*ELEMENT_BYTES, "activation", "operand")
