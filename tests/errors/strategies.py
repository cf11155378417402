"""Strategies: names, values, spaces, plans that no mesh can hold."""

from __future__ import annotations

from tests.errors.case import Case
from tests.errors.texts import PLAN


def plan(
    name: str, code: str, choices: str, message: str, hint: str, column: int | None, model: str = "llama3_70b"
) -> Case:
    """Choices given on the command line."""
    place = None if column is None else f"<strategy>:1:{column}"
    return Case(name, code, ("eval", model, "-s", choices), message, hint, place)


def choice(name: str, code: str, given: str, message: str, hint: str, column: int | None = None) -> Case:
    """One choice before a good plan; the value is what is wrong."""
    return plan(name, code, f"{given},{PLAN}", message, hint, column or given.index("=") + 2)


def compiled(name: str, code: str, given: str, message: str, hint: str) -> Case:
    """One choice before a good plan, which is refused when formulas are made."""
    return plan(name, code, f"{given},{PLAN}", message, hint, 1)


CASES = [
    plan("unknown choice", "E314", "tpp=8,world=8,gbs=8,seq=8192", "'tpp' is not a name", "did you mean 'tp'?", 1),
    plan("misspelt dimension of the model", "E314", "hiddn=8,world=8,gbs=8,seq=8192", "'hiddn' is not a name",
         "'hidden'", 1),
    plan("nothing like a choice", "E314", "qqqqqq=8," + PLAN, "'qqqqqq' is not a name", "names of strategies", 1),
    plan("choice given twice", "E201", "tp=4," + PLAN, "'tp' is given twice", "first given at <strategy>:1:1", 6),
    plan("negative size", "E312", "tp=-8,world=8,gbs=8,seq=8192", "'tp' must be at least 1, not -8", "tp = 8", 4),
    plan("size of zero", "E312", "tp=0,world=8,gbs=8,seq=8192", "'tp' must be at least 1, not 0", "tp = 8", 4),
    plan("fraction of a size", "E312", "tp=1.5,world=8,gbs=8,seq=8192", "'tp' must be a whole number, not 1.5",
         "tp = 8", 4),
    plan("size too large", "E312", "tp=1e12,world=8,gbs=8,seq=8192", "'tp' must be at most 1,000,000,000", "tp = 8", 4),
    plan("a billion stages", "E312", "pp=1000000000,world=1000000000,gbs=8,seq=8192", "'pp' must be at most 10,000",
         "pp = 8", 4),
    plan("huge power", "E107", "tp=2**10**10,world=8,gbs=8,seq=8192", "this power is too large", "10^12", 4),
    plan("unit of a size", "E219", "tp=8 GB,world=8,gbs=8,seq=8192", "'tp' is a plain number", "leave the unit out", 4),
    plan("word for a size", "E207", "tp=eight,world=8,gbs=8,seq=8192", "'tp' is a whole number, not the word 'eight'",
         "tp = 8", 4),
    plan("flag for a size", "E207", "tp=true,world=8,gbs=8,seq=8192", "'tp' is a whole number, not a flag", "tp = 8",
         4),
    plan("set for a size", "E207", "tp={1,2},world=8,gbs=8,seq=8192", "'tp' is a whole number, not a set",
         "tp in {1, 2, 4}", 4),
    choice("negative number", "E312", "moe_capacity=-1", "'moe_capacity' must be positive, not -1",
           "moe_capacity = 1.25"),
    choice("nan for a number", "E207", "moe_capacity=nan", "'moe_capacity' is a number, not the word 'nan'", "hint"),
    choice("word for a number", "E207", "moe_imbalance=high", "'moe_imbalance' is a number, not the word 'high'",
           "hint"),
    choice("misspelt precision", "E313", "precision=bf61", "'precision' cannot be the word 'bf61'",
           "did you mean 'bf16'?"),
    choice("unknown sharding stage", "E313", "zero=4", "'zero' cannot be 4", "known here: 0, 1, 2, 3"),
    choice("version as a number", "E313", "te_version=2.10", "'te_version' cannot be 2.1", "2.8.0"),
    choice("version as a word", "E313", "te_version=new", "'te_version' cannot be the word 'new'", "2.8.0"),
    choice("word for a flag", "E207", "sequence_parallel=yes", "is true or false, not the word 'yes'",
           "sequence_parallel = true"),
    choice("number for a flag", "E207", "sequence_parallel=1", "is true or false, not 1", "sequence_parallel = true"),
    choice("number for regions", "E207", "recompute=5", "none, full or a set of region names, not 5",
           "{core_attn, mlp}"),
    choice("numbers for regions", "E207", "recompute={1}", "'recompute' is a set of region names", "{core_attn, mlp}"),
    choice("sets for regions", "E207", "recompute={{mlp}, {moe}}", "'recompute' is a set of region names",
           "{core_attn, mlp}"),
    compiled("misspelt region", "E242", "recompute={core_atn}", "this model has no region 'core_atn'",
             "did you mean 'core_attn'?"),
    compiled("region of another model", "E242", "recompute={moe}", "has no region 'moe'",
             "attention, core_attn, layernorm, mlp"),
    compiled("full among regions", "E242", "recompute={full, mlp}", "has no region 'full'",
             "attention, core_attn, layernorm, mlp"),
    compiled("misspelt optimizer", "E241", "optimizer=adamm", "no optimizer is called 'adamm'", "did you mean 'adam'?"),
    compiled("schedule without formula", "E301", "schedule=zb_v", "schedule 'zb_v' has no formula yet", "interleaved"),
    choice("misspelt schedule", "E313", "schedule=interleavd", "cannot be the word 'interleavd'",
           "did you mean 'interleaved'?"),
    choice("offloading", "E321", "offload={mlp}", "offloading has no formula yet", "recompute", 1),
    choice("layout", "E321", 'layout="Et|t*80L"', "placement by layout has no formula yet", "first_stage_layers", 1),
    choice("layers to recompute, but nothing recomputed", "E324", "recompute_layers=3", "recompute_layers",
           "add recompute = full", 1),
    choice("virtual stages without a schedule for them", "E324", "schedule=gpipe,vp=2", "schedule = gpipe",
           "schedule = interleaved", 16),
    choice("shards of nothing", "E324", "zero=0,zero_shard=8", "no meaning with zero = 0", "zero = 1, 2 or 3", 8),
    plan("space to search", "E320", "tp in {1,2},world=8,gbs=8,seq=8192", "tp has a set of values", "--set tp=…", 1),
    plan("space of divisors", "E320", "tp in divisors(layers),world=8,gbs=8,seq=8192", "tp has a set of values",
         "--set", 1),
    plan("space of one number", "E207", "tp in 5,world=8,gbs=8,seq=8192", "expected a set after 'in', not 5",
         "{1, 2, 4}", 7),
    plan("space with a zero", "E312", "tp in {0,1},world=8,gbs=8,seq=8192", "'tp' must be at least 1, not 0", "tp = 8",
         8),
    plan("huge space", "E206", "tp in 1..1000000000000000,world=8,gbs=8,seq=8192", "more than 100,000 values",
         "shorter range", 7),
    plan("space of an unknown function", "E204", "tp in divisrs(layers),world=8", "unknown function 'divisrs'",
         "did you mean 'divisors'?", 7),
    Case("two objectives", "E201", ("check", "s.sym"), "a search has one objective", "first given at s.sym:2:1",
         "s.sym:3:1", {"s.sym": "strategy s\nminimize time.iteration\nmaximize throughput.mfu\n"}),
    Case("misspelt name in a strategy's file", "E314", ("check", "s.sym"),
         "'sequence_paralell' is not a name of a strategy", "did you mean 'sequence_parallel'?", "s.sym:2:1",
         {"s.sym": "strategy s\nsequence_paralell = true\n"}),
    plan("set never closed", "E112", "recompute={mlp,tp=8,pp=4", "this '{' is never closed", "expected '}'", 11),
    plan("parenthesis never closed", "E112", "tp=(8,pp=4", "this '(' is never closed", "expected ')'", 4),
    plan("choices without commas", "E106", "tp = 8  pp = 4", "unexpected '='", "a new line", 12),
    plan("value missing", "E106", "tp=", "unexpected end of the text", "a number", 4),
    plan("sizes missing", "E322", "tp=8", "the strategy does not say world, seq, gbs", "add world = …", 1),
    plan("sizes that contradict each other", "E323", PLAN + ",microbatches=7", "microbatches·mbs·dp = 28 contradict",
         "give one of them", 21),
    plan("tensor-parallel size that divides nothing", "E330", "tp=7,pp=4,world=28,gbs=128,seq=8192", "here tp = 7",
         "tp = 4 or 8", 1),
    plan("layers that stages do not divide", "E330", "tp=8,pp=3,world=24,gbs=128,seq=8192", "layers are spread evenly",
         "pp = 2 or 4", 6),
    plan("layers that chunks do not divide", "E330", "tp=8,pp=4,vp=3,world=128,gbs=128,seq=8192", "pp·vp chunks",
         "vp = 2 or 4", 11),
    plan("more stages than layers", "E330", "pp=128,world=128,gbs=128,seq=8192", "layers are spread evenly", "pp = 16",
         1),
    plan("world that the mesh does not divide", "E330", "tp=8,pp=4,world=100,gbs=128,seq=8192",
         "world is a multiple of tp·cp·pp", "world = 64 or 128", 1),
    plan("world smaller than the mesh", "E330", "tp=8,pp=4,world=8,gbs=128,seq=8192", "here pp = 4, tp = 8, world = 8",
         "world = 32", 6),
    plan("batch that ranks do not divide", "E330", "tp=8,pp=4,world=128,gbs=127,seq=8192",
         "gbs is a multiple of mbs·dp", "gbs = 124 or 128", 21),
    plan("sequence that ranks do not divide", "E330", "tp=8,pp=4,world=128,gbs=128,seq=8191",
         "spread the tokens of a sequence", "seq = 8184 or 8192", 29),
    plan("experts that ranks do not divide", "E330", "ep=3,world=48,gbs=48,seq=4096",
         "expert parallelism spreads the experts", "ep = 2 or 4", 1, "mixtral_8x7b"),
    plan("more expert ranks than experts", "E330", "tp=2,ep=16,world=16,gbs=48,seq=4096", "here ep = 16", "ep = 8", 6,
         "mixtral_8x7b"),
    Case("key-value heads that ranks do not divide", "E330", ("eval", "llama3_70b", "-s", PLAN, "--set", "kv_heads=6"),
         "spread the key-value heads", "tp = 2", "<strategy>:1:1"),
    plan("a billion ranks", "E330", "tp=1000000000,world=1000000000,gbs=8,seq=8192", "here tp = 1000000000", "tp = 8",
         1),
    plan("first stage with more layers than there are", "E330", "first_stage_layers=100," + PLAN,
         "the layers left by first and last stage", "first_stage_layers = 80", 1),
]  # fmt: skip
