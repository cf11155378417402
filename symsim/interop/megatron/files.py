"""The kinds of Megatron's files."""

from __future__ import annotations

from symsim.interop.formats import Kind

KINDS: tuple[Kind, ...] = ()
