"""Spaces that cannot be searched, and searches that are asked for what they cannot do."""

from __future__ import annotations

from tests.errors.case import Case

PLAN = "world=8,gbs=64,seq=2048"
SETS = f"{PLAN},tp in {{4, 8}}"


def space(name: str, code: str, sets: str, message: str, hint: str, column: int | None, *more: str) -> Case:
    """Sets before a good plan, on a machine."""
    place = None if column is None else f"<strategy>:1:{column}"
    return Case(
        name, code, ("search", "llama3_8b", "-s", f"{sets},{PLAN}", "-y", "h100_sxm", *more), message, hint, place
    )


def asked(name: str, code: str, more: tuple[str, ...], message: str, hint: str, place: str | None = None) -> Case:
    """A good space with options that are wrong."""
    return Case(name, code, ("search", "llama3_8b", "-s", SETS, "-y", "h100_sxm", *more), message, hint, place)


CASES = [
    Case("no GPUs at all", "E312", ("search", "llama3_8b", "-y", "h100_sxm", "--gpus", "0"),
         "--gpus must be at least 1, not 0", "--gpus 512", shown=False),
    Case("a part of a GPU", "E312", ("eval", "llama3_8b", "-y", "h100_sxm", "--gpus", "3.5"),
         "--gpus must be a whole number, not 3.5", "--gpus 512", shown=False),
    Case("price below 0", "E312", ("eval", "llama3_8b", "-s", "world=8,gbs=8,seq=4096", "--price=-2"),
         "--price must be positive, not -2", "--price 2.5", shown=False),
    Case("tokens in bytes", "E219", ("eval", "llama3_8b", "-s", "world=8,gbs=8,seq=4096", "--tokens", "10B"),
         "'--tokens' is a plain number", "ten billion are 10G", shown=False),
    Case("plan for no machine", "E002", ("eval", "llama3_8b", "--gpus", "8"),
         "the plan is chosen for a machine", "-y h100_sxm", shown=False),
    Case("cost without a price", "E322",
         ("search", "llama3_8b", "-s", "world=8,gbs=8,seq=4096,tp in {1, 2},tokens=1T", "-y", "h100_sxm",
          "--minimize", "run.cost"),
         "'run.cost' needs price", "--price 2.5", shown=False),
    Case("two frameworks without a space", "E371",
         ("search", "llama3_8b", "-y", "h100_sxm", "--gpus", "8", "--set", "framework in {megatron, fsdp}"),
         "of one framework", "name one", shown=False),
    Case("no space", "E002", ("search", "llama3_8b"), "search needs a space", "tp in {1,2,4,8}"),
    space("empty set", "E370", "tp in {}", "a set to search has at least one value", "{1, 2, 4} or 1..8", 7),
    space("sets over dimensions", "E371", "layers in {16, 32}", "'layers' is a dimension of the model",
          "--set layers=…", 1),
    space("set of a figure that is not stated", "E371", "pcie_switch.bandwidth in {1 GB/s}",
          "does not state", "hint", 1),
    space("figures without a unit", "E424", "network.bandwidth in {25, 50}", "is measured in B/s", "50 GB/s", 23),
    space("figures below zero", "E425", "network.bandwidth in {-1 GB/s}", "must be positive", "50 GB/s", 23),
    space("set of no one", "E314", "tpp in {1, 2}", "'tpp' is not a name of a strategy", "did you mean 'tp'?", 1),
    Case("figures without a machine", "E315", ("search", "llama3_8b", "-s", f"{SETS},hbm.bandwidth in {{3 TB/s}}"),
         "'hbm.bandwidth' belongs to a machine", "-y", "<strategy>:1:38"),
    Case("space without sizes", "E322", ("search", "llama3_8b", "-s", "tp in {1, 2}", "-y", "h100_sxm"),
         "the strategy does not say world, seq, gbs", "add world = …", "<strategy>:1:1"),
    space("a space beyond all numbers", "E372",
          ",".join(f"{n} in 1..100000" for n in ("cp", "ep", "tp", "mbs")), "points", "fewer values", None),
    space("too many structures", "E372",
          ",".join(f"{n} in {{true,false}}" for n in (
              "sequence_parallel", "dropout", "cuda_graph", "overlap_tp", "overlap_p2p", "overlap_moe", "loss_in_split",
              "overlap_grad_reduce", "overlap_param_gather", "fused_cross_entropy", "fp8_params", "embedding_in_split",
              "moe_probs_in_activation")) + ",zero in {0,1,2}",
          "the space has 24,576 combinations of structural choices", "give some structural choices one value", None),
    asked("pareto of every stage", "E345", ("--pareto", "peak,time.iteration"), "this differs between pipeline stages",
          "memory.peak is the largest of peak", "<--pareto>:1:1"),
    asked("pareto of one value", "E377", ("--pareto", "memory.peak"), "--pareto takes two or three values",
          "--pareto time.iteration,memory.peak"),
    asked("pareto of four values", "E377", ("--pareto", "tp,pp,cp,ep"), "two or three values, not 'tp,pp,cp,ep'",
          "for example"),
    asked("pareto of an unknown name", "E203", ("--pareto", "time.itration,memory.peak"),
          "unknown name 'time.itration'", "did you mean 'time.iteration'?", "<--pareto>:1:1"),
    asked("pareto of a condition", "E207", ("--pareto", "tp < 2,memory.peak"), "expected a number, not a condition",
          "memory.peak", "<--pareto>:1:1"),
    asked("objective that does not parse", "E106", ("--minimize", "time.iteration +"), "unexpected end", "hint",
          "<--minimize>:1:17"),
    asked("requirement that is a number", "E207", ("--require", "tp + 1"), "expected a condition, not a number",
          "memory.peak <= 60 GiB", "<--require>:1:1"),
    asked("two objectives", "E201", ("--minimize", "tp", "--maximize", "pp"), "a search has one objective", "give"),
    Case("objective without a machine", "E343",
         ("search", "llama3_8b", "-s", SETS, "--minimize", "time.iteration"), "'time.iteration' needs a machine", "-y",
         "<--minimize>:1:1"),
    asked("folder that is not there", "E373", ("--csv", "results/plans.csv"), "cannot write 'results/plans.csv'",
          "make the folder first"),
    Case("folder for a file", "E373", ("search", "llama3_8b", "-s", SETS, "-y", "h100_sxm", "--save", "plans"),
         "cannot write 'plans': it is a folder", "plans/FILE", files={"plans": None}),
    asked("unknown engine", "E376", ("--engine", "procesess"), "there is no engine 'procesess'",
          "did you mean 'processes'?"),
    asked("engine without an address", "E376", ("--engine", "dask://"), "there is no engine 'dask://'", "dask://HOST:PORT"),
    asked("engine without a port", "E376", ("--engine", "dask://nowhere"), "no engine", "dask://HOST:PORT"),
    asked("no picture", "E007", ("--plot", "front.txt"), "cannot write a picture as 'front.txt'",
          "known here: .png"),
    asked("no plans", "E003", ("--top", "0"), "'--top'", "search --help'"),
]  # fmt: skip
