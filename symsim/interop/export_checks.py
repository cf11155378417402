"""What several exporters ask of a plan: the framework that it is for, the padding of the vocabulary, plain kernels."""

from __future__ import annotations

from collections.abc import Mapping

from symsim.interop.exports import Expressed

OF_AN_ESTIMATE = ("moe_imbalance", "cuda_graph", "overlap_tp", "overlap_p2p", "overlap_moe", "framework_version")
"""Choices that change an estimate, not what runs."""
OF_NO_RUN = frozenset({"fit", "tokens", "price"})
"""Choices that are questions to symsim alone."""


def of_framework(words: Expressed, profile: str) -> None:
    """The plan is one of the tool: its profile says what is held."""
    words.need("framework", profile, reason="what it holds is that of another", hint=f"--set framework={profile}")


def unpadded_vocabulary(words: Expressed) -> None:
    """The tool pads no vocabulary: a multiple may be asked for that it has anyway."""
    multiple, tp = words.asked.size("vocab_multiple"), words.asked.size("tp")
    if words.asked.model.largest("vocab") % (multiple * tp) == 0:
        words.leave_out("vocab_multiple")
    else:
        words.need("vocab_multiple", 1, reason="it pads no vocabulary", hint="--set vocab_multiple=1")


def no_pipeline(words: Expressed, reason: str) -> None:
    """One stage: what a pipeline has is without effect."""
    words.need("pp", 1, reason=reason, hint="--set pp=1")
    for name in ("vp", "schedule", "microbatch_group", "overlap_p2p"):
        words.leave_out(name)


def whole_experts(words: Expressed) -> None:
    """The plan splits no experts over ranks."""
    words.need("ep", 1, reason="it spreads no experts over ranks", hint="--set ep=1")
    words.need("etp", 1, reason="it splits no experts", hint="--set etp=1")


def estimates(words: Expressed, reasons: Mapping[str, str]) -> None:
    """Choices that change an estimate alone: said where they are made, passed over where they are not."""
    for name in OF_AN_ESTIMATE:
        if name not in words.left_out:
            made = words.asked.values[name] not in (None, False, 1)
            words.leave_out(name, reasons.get(name, "it changes the estimate, not the run") if made else "")


def always(words: Expressed, name: str, holds: bool, reason: str) -> None:
    """A flag that the tool sets by itself; another value of the plan changes its estimate."""
    words.leave_out(name, "" if words.asked.values[name] is holds else reason)


def without_experts(words: Expressed) -> bool:
    """Whether the model has no experts, so that choices about them are without effect."""
    if words.asked.model.largest("experts") > 0:
        return False
    for name in ("moe_dispatch", "moe_probs_in_activation", "moe_imbalance"):
        words.leave_out(name)
    return True


def dispatch_of_its_own(words: Expressed) -> None:
    """Experts whose dispatch the tool does not leave to its files."""
    if not without_experts(words):
        words.need("moe_dispatch", "all_to_all", reason="it exchanges tokens all to all")
        words.leave_out("moe_probs_in_activation")


def sequence_parallel_is(words: Expressed, value: bool, reason: str) -> None:
    """With tensor parallelism the tool has sequence parallelism always, or never."""
    if words.asked.values["tp"] == 1:
        words.leave_out("sequence_parallel")
    else:
        words.need("sequence_parallel", value, reason=reason, hint=f"--set sequence_parallel={str(value).lower()}")


def context_exchange(words: Expressed, *known: str, reason: str) -> None:
    """The exchange of context parallelism, where there is any."""
    if words.asked.values["cp"] == 1:
        words.leave_out("cp_comm")
    else:
        words.need("cp_comm", *known, reason=reason, hint=f"--set cp_comm={known[0]}")
