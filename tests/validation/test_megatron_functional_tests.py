"""Bytes of the last rank between steps and at the peak, as Megatron-LM's own functional tests publish them.

Source: NVIDIA/Megatron-LM d98e8a64dd, tests/functional_tests/test_cases/gpt, golden values. The runs here use
expandable segments, so that the allocator adds nothing to large blocks.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import symsim

SMALL = {
    "--num-layers": 12, "--hidden-size": 512, "--num-attention-heads": 8, "--micro-batch-size": 4,
    "--global-batch-size": 32, "--seq-length": 1024, "--max-position-embeddings": 1024, "--bf16": True,
    "--transformer-impl": "transformer_engine", "--deterministic-mode": True,
    "--no-gradient-accumulation-fusion": True, "--attention-softmax-in-fp32": True,
}  # fmt: skip
INTERLEAVED = {"--pipeline-model-parallel-size": 4, "--num-layers-per-virtual-pipeline-stage": 1}
SHARDED = {
    "--use-distributed-optimizer": True,
    "--overlap-grad-reduce": True,
    "--untie-embeddings-and-output-weights": True,
}
SPLIT = {
    "--tensor-model-parallel-size": 2, "--pipeline-model-parallel-size": 2,
    "--no-create-attention-mask-in-dataloader": True,
}  # fmt: skip
ENVIRONMENT = {
    "NVTE_ALLOW_NONDETERMINISTIC_ALGO": 0,
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True",
}
MEASURED: list[tuple[dict[str, Any], str, dict[str, str], int, int]] = [
    (INTERLEAVED, "h100_sxm", {"framework_version": "0.15.0", "te_version": "2.11.0"}, 759_682_560, 2_639_761_408),
    (
        INTERLEAVED | SHARDED,
        "a100_sxm",
        {"framework_version": "0.14.0", "te_version": "2.9.0"},
        519_038_464,
        2_436_866_048,
    ),
    (
        INTERLEAVED | SHARDED,
        "a100_sxm",
        {"framework_version": "0.14.0", "te_version": "1.2.0"},
        519_065_600,
        3_907_909_632,
    ),
    (SPLIT, "a100_sxm", {"framework_version": "0.14.0", "te_version": "2.9.0"}, 482_499_072, 1_401_029_120),
]


@pytest.mark.parametrize(("more", "system", "versions", "static", "peak"), MEASURED)
def test_the_last_rank_holds_what_it_held(
    tmp_path: Path, more: dict[str, Any], system: str, versions: dict[str, str], static: int, peak: int
) -> None:
    path = tmp_path / "args.yaml"
    path.write_text(json.dumps({"ENV_VARS": ENVIRONMENT, "MODEL_ARGS": SMALL | more}), encoding="utf-8")
    found = symsim.evaluate(symsim.load(path, None, system, set={"world": 8, "vocab": 50257, **versions}))
    assert found["static"][-1] == pytest.approx(static, rel=1e-4)
    assert found.memory["stages"][-1]["peak"] == pytest.approx(peak, rel=1e-3)
