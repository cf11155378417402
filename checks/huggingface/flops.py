"""Compare FLOPs with torch's counter: ``flops.py SWEEP.json [TYPE …]``; needs symsim, torch and transformers.

Takes the small configuration of each type (``kind`` small0, ``variant`` full) and, if the file has ``flops``, checks
first that these are what is counted here. Counted are matrix products of one sequence on the meta device, forward and
with the backward pass, attention in full (eager), experts as products of the tokens' own ones. Exits with 1 unless all
are equal.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import torch
from building import build, configuration, prepare
from counting import counted
from torch.utils.flop_counter import FlopCounterMode

import symsim

LENGTHS = (128, 4096)
"""Tokens of the sequences that are counted."""


def counted_by_torch(config: Mapping[str, object], seq: int) -> tuple[int, int]:
    """FLOPs of one sequence by torch's counter: forward, and with the backward pass."""
    model_type = str(config["model_type"])
    model = build(model_type, configuration(model_type, config))
    if hasattr(model, "set_experts_implementation"):
        model.set_experts_implementation("batched_mm")
    model.train()
    ids = torch.zeros((1, seq), dtype=torch.long, device="meta")
    with FlopCounterMode(display=False) as forward:
        output = model(input_ids=ids, use_cache=False)
    with FlopCounterMode(display=False) as backward:
        output.logits.sum().backward()
    return forward.get_total_flops(), forward.get_total_flops() + backward.get_total_flops()


def main(path: Path, only: list[str]) -> int:
    """Print each type's FLOPs where they differ; 0 where all are equal."""
    prepare()
    data = json.loads(path.read_text(encoding="utf-8"))
    wrong = 0
    for entry in data.get("flops", ()):
        if not only or entry["model_type"] in only:
            forward, _ = counted_by_torch(entry["config"], entry["seq"])
            if forward != entry["forward_flops"]:
                print(f"{entry['model_type']:26} counted {forward:,}, the file has {entry['forward_flops']:,}")
                wrong += 1
    for record in data["records"]:
        chosen = record["kind"] == "small0" and record["variant"] == "full"
        if chosen and (not only or record["model_type"] in only):
            said = compared(record["config"])
            print(f"{record['model_type']:26} {said}", flush=True)
            wrong += said != "equal"
    return int(wrong > 0)


def compared(config: Mapping[str, object]) -> str:
    """``equal``, or what differs and how."""
    for seq in LENGTHS:
        try:
            forward, training = counted_by_torch(config, seq)
        except Exception as problem:
            return f"torch does not run it on the meta device: {type(problem).__name__}: {str(problem)[:90]}"
        try:
            ours = counted(config, seq)
        except symsim.InputError as problem:
            return f"refused: {str(problem).splitlines()[0].rpartition('config.json:')[2]}"
        for name, found, wanted in (
            ("forward", ours.forward_flops, forward),
            ("training", ours.training_flops, training),
        ):
            if found != wanted:
                off = (found - wanted) / seq
                return f"differs: {name} of {seq:,} tokens: {found:,} is {wanted:,} ({off:+,.1f} a token)"
    return "equal"


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: flops.py SWEEP.json [TYPE …]")
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
