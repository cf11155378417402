"""Models that ask a family for what it is not, and circles of definitions."""

from __future__ import annotations

from tests.errors.case import Case
from tests.errors.texts import DIMENSIONS, INLINE, MODEL, PLAN, family
from tests.errors.writing import check, hidden


def dimension(name: str, code: str, given: str, message: str, hint: str) -> Case:
    """A model with one more dimension, whose value begins behind its name."""
    text = f"model small = llama({DIMENSIONS}, {given})\n"
    return check(name, code, text, message, hint, f"1:{text.rindex('= ') + 3}")


CASES = [
    Case("library for a model", "E211", ("formula", "lib.sym"), "lib.sym defines no model", "model NAME = FAMILY(…)",
         "lib.sym:1:7", {"lib.sym": "block b { rmsnorm }\n"}),
    check("model defined by itself", "E212", "model small = small(hidden = 64)\n", "'small' is defined by itself",
          "the circle is small → small", "1:15"),
    check("circle of models", "E212", "model a = b()\nmodel b = a()\n", "model 'a' is defined by itself", "a → b → a",
          "1:11"),
    hidden("circle through a default", "E212", "head_dim * heads", "dimension 'hidden' is defined by itself",
           "hidden → head_dim → hidden"),
    check("circle of dimensions", "E212", MODEL.replace("64", "ffn").replace("128", "hidden"), "is defined by itself",
          "hidden → ffn → hidden", "1:30"),
    check("unknown family", "E213", MODEL.replace("llama", "lama"), "no family or model is called 'lama'",
          "did you mean 'llama'?", "1:15"),
    check("nothing like a family", "E213", "model small = zzz()\n", "called 'zzz'", "symsim list library", "1:15"),
    check("name of Python for a family", "E213", 'model small = __import__("os")\n', "called '__import__'", "hint",
          "1:15"),
    check("dimension without a name", "E214", "model small = llama3_8b(64)\n", "which dimension this is", "layers = 32",
          "1:25"),
    check("misspelt dimension", "E215", MODEL.replace("hidden", "hiden"), "family 'llama' has no dimension 'hiden'",
          "did you mean 'hidden'?", "1:21"),
    check("missing dimensions", "E216", "model small = llama(hidden = 64)\n", "'llama' needs layers, heads, ffn, vocab",
          "add layers = …", "1:15"),
    hidden("fraction", "E217", "64.5", "'hidden' must be a whole number, not 64.5", "hidden = 64"),
    check("heads that do not divide the width", "E217", MODEL.replace("64", "65"),
          "'head_dim' must be a whole number, not 16.25", "it follows from heads = 4, hidden = 65", "1:15"),
    Case("heads that do not divide, set", "E217", ("eval", INLINE, "-s", PLAN, "--set", "heads=3"),
         "'head_dim' must be a whole number, not 64/3", "give head_dim itself", "<--set>:1:7"),
    hidden("negative size", "E218", "-64", "'hidden' must be at least 1, not -64", "hidden = 64"),
    check("no layers", "E218", MODEL.replace("layers = 4", "layers = 0"), "'layers' must be at least 1, not 0",
          "layers = 64", "1:43"),
    hidden("size too large", "E218", "10**13", "'hidden' must be at most 1,000,000,000,000", "hidden = 64"),
    Case("size of zero, set", "E218", ("eval", "llama3_70b", "-s", PLAN, "--set", "layers=0"),
         "'layers' must be at least 1", "hint", "<--set>:1:8"),
    hidden("unit where there is none", "E219", "64 GiB", "'hidden' is a plain number, without a unit",
           "leave the unit out"),
    hidden("unit in arithmetic", "E219", "2 * 32 KiB", "'hidden' is a plain number", "leave the unit out", 34),
    hidden("word for a size", "E203", "big", "unknown name 'big'", "'hidden' is a number"),
    hidden("nan for a size", "E203", "nan", "unknown name 'nan'", "'hidden' is a number"),
    hidden("inf for a size", "E203", "inf", "unknown name 'inf'", "'hidden' is a number"),
    hidden("text for a size", "E207", '"64"', "'hidden' is a size, not the word '64'", "hidden = 64"),
    hidden("flag for a size", "E207", "true", "'hidden' is a size, not a flag", "hidden = 64"),
    hidden("set for a size", "E207", "{1, 2}", "'hidden' is a size, not a set", "hidden = 64"),
    hidden("comparison for a size", "E207", "64 == 64", "'hidden' is a size, not a flag", "hidden = 64"),
    dimension("unknown word", "E252", "activation = silu", "'activation' cannot be 'silu'", "did you mean 'swiglu'?"),
    Case("unknown word, set", "E252", ("eval", "gpt_oss_20b", "-s", PLAN, "--set", "norm=batch"),
         "'norm' cannot be 'batch'", "known here: layer, layer_bare, layer_gain, rms, rms_bare", "<--set>:1:6"),
    check("condition that never holds", "E252",
          "block b(ffn) {\n    if activation == swigul { mlp(ffn) } else { rmsnorm }\n}\n",
          "'activation' cannot be 'swigul'", "did you mean 'swiglu'?", "2:22"),
    check("layers that differ, too many", "E254",
          family("").replace("norm = rms", "width[] = 2 + layer, norm = rms").replace("layers = 4,", "layers = 2000,"),
          "the 2,000 layers differ by 'width'", "at most 1,024 layers may differ"),
    check("word of no list", "E253", family("").replace("norm = rms", "mixing = conv, norm = rms"),
          "'mixing' is a word, and nothing says which",
          "words mixing { conv, … }"),
    dimension("number for a flag", "E207", "tied = 1", "'tied' is true or false, not 1", "tied = false"),
    dimension("number for a flag of a flag", "E207", "qkv_bias = 5", "'qkv_bias' is true or false, not 5", "hint"),
    dimension("flag of Python", "E203", "tied = True", "unknown name 'True'", "did you mean 'true'?"),
    dimension("number for a word", "E207", "norm = 3", "'norm' is a word, not 3", "norm = rms"),
    check("dimension called like a size", "E202", family("").replace("norm = rms", "tp = 5"), "'tp' cannot be the name",
          "strategies and formulas", "2:86"),
    check("dimension with a point", "E202", family("").replace("norm = rms", "a.b = 5"), "'a.b' cannot be the name",
          "no point", "2:86"),
    check("definition called like a dimension", "E202", f'define layers = 5 "five"\n{MODEL}',
          "'layers' cannot be defined", "family 'llama' has a dimension", "1:8"),
    check("family without a vocabulary", "E245",
          "family mine(layers) { repeat layers { rmsnorm } }\nmodel m = mine(layers = 2)\n", "no dimension 'vocab'",
          "mine(vocab, …)", "1:8"),
]  # fmt: skip
