"""Configurations of Hugging Face, and cases of measurements, that are wrong."""

from __future__ import annotations

import json
import math

from symsim.analysis.fitting.cases_file import PER_STAGE, QUANTITIES
from tests.errors.case import Case, Content

LLAMA = {
    "model_type": "llama",
    "hidden_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "vocab_size": 256,
}


def config(
    name: str, code: str, content: Content, message: str, hint: str, place: str | None, shown: bool = True
) -> Case:
    where = None if place is None else f"config.json:{place}"
    return Case(name, code, ("import", "hf", "config.json"), message, hint, where, {"config.json": content}, shown)


def key(name: str, code: str, changed: str, value: object, message: str, hint: str) -> Case:
    """A configuration of Llama with one key changed; each key has a line."""
    text = json.dumps({**LLAMA, changed: value}, indent=1)
    line = next(k for k, line in enumerate(text.split("\n"), 1) if line.strip().startswith(f'"{changed}"'))
    return config(name, code, text, message, hint, f"{line}:2")


CASE = {"id": "a", "set": "s", "model": "gpt2_xl", "strategy": {}, "system": "h100_sxm", "measured": {}}


def cases(name: str, code: str, content: Content, message: str, hint: str, shown: bool = True) -> Case:
    return Case(name, code, ("validate", "cases.json"), message, hint, None, {"cases.json": content}, shown)


def measured(name: str, values: dict[str, object], message: str) -> Case:
    content = json.dumps([{**CASE, "measured": values}])
    return cases(name, "E602", content, message, "a case has an id", shown=False)


def fit(name: str, code: str, message: str, hint: str, *arguments: str, shown: bool = True, **changed: object) -> Case:
    """``calibrate`` on one case, with something changed in it."""
    content = json.dumps([{**CASE, "measured": {"iteration_s": 1.0}, **changed}])
    chosen = arguments if "--fit" in arguments else ("--fit", "hbm.efficiency", *arguments)
    return Case(name, code, ("calibrate", "cases.json", "-y", "h100_sxm", *chosen), message, hint, None,
                {"cases.json": content}, shown)  # fmt: skip


CASES = [
    Case("no configuration", "E500", ("import", "hf", "config.json"), "cannot read config.json", ""),
    Case("model for a configuration", "E500", ("import", "hf", "m.sym"), "'m.sym' is not a config.json",
         "ends in .json"),
    Case("no configuration to evaluate", "E500", ("formula", "nope.json"), "cannot read nope.json", ""),
    config("folder for a configuration", "E500", None, "config.json is a folder", "the config.json inside it", None),
    config("configuration of 2 MB", "E501", '{"a": "' + "x" * 2_000_000 + '"}', "is too large", "at most 1024 KiB",
           None, False),
    config("binary configuration", "E501", bytes(range(256)), "is not a text file", "UTF-8", None, False),
    config("empty configuration", "E502", "", "the text ends too early", "expected a value", "1:1"),
    config("configuration cut off", "E502", '{"a": ', "the text ends too early", "expected a value", "1:7"),
    config("number of 100,000 digits", "E502", '{"a": ' + "9" * 100_000 + "}", "a number of 100000 characters",
           "no dimension", "1:7", False),
    config("100,000 brackets", "E503", "[" * 100_000, "nested more than 32 deep", "", "1:33", False),
    config("key given twice", "E504", '{"a": 1, "a": 2}', 'the key "a" is given twice', "config.json:1:2", "1:10"),
    config("list for a configuration", "E505", "[]", "holds a list, not an object", "expected { … }", "1:1"),
    config("no model type", "E506", "{}", "no 'model_type'", "Hugging Face writes one", "1:1"),
    config("no sizes, and no class to give them", "E508", '{"model_type": "internlm2"}',
           "the configuration has no 'num_attention_heads'", "no class gives it", "1:1"),
    key("unknown model type", "E507", "model_type", "lama", "model_type 'lama' is not known", "did you mean 'llama'?"),
    key("model type that ends the text", "E507", "model_type", 'llama"\nblock evil { }', "is not known",
        "symsim list types"),
    key("text for a size", "E509", "vocab_size", "256", "'vocab_size' must be a whole number, not the text '256'", ""),
    key("huge number for a size", "E509", "vocab_size", 1e99, "must be a whole number, not 1e+99", ""),
    key("nan for a size", "E509", "vocab_size", float("nan"), "must be a whole number, not nan", ""),
    key("list for a size", "E509", "num_key_value_heads", [1], "must be a whole number, not a list", ""),
    key("text for a flag", "E509", "tie_word_embeddings", "yes", "must be true or false, not the text 'yes'", ""),
    key("negative size", "E510", "hidden_size", -1, "'hidden_size' must be at least 1, not -1", ""),
    key("no layers", "E510", "num_hidden_layers", 0, "'num_hidden_layers' must be at least 1, not 0", ""),
    key("heads that do not divide the width", "E511", "num_attention_heads", 3, "3 heads cannot share 64 features",
        "Hugging Face's own class refuses this file"),
    key("unknown activation", "E512", "hidden_act", "tanhh", "the text 'tanhh' cannot be expressed",
        "known here: gelu"),
    key("activation that ends the text", "E512", "hidden_act", "silu)\nblock evil { }", "cannot be expressed",
        "known here"),
    Case("no cases", "E600", ("validate", "cases.json"), "cannot read cases.json", ""),
    cases("folder for cases", "E600", None, "cannot read cases.json", ""),
    cases("cases cut off", "E601", "[1, 2", "cases.json is not JSON", ""),
    cases("100,000 brackets in cases", "E601", "[" * 100_000, "cases.json is not JSON", "", False),
    cases("binary cases", "E601", bytes(range(256)), "cases.json is not JSON", "", False),
    cases("object for cases", "E602", "{}", "is not a list of cases", ""),
    cases("case without a model", "E602", '[{"id": "a"}]', "lacks", ""),
    cases("case of a file", "E602", json.dumps([{**CASE, "model": "/etc/passwd"}]), "names a file as its model",
          "a case has"),
    cases("case of a system's file", "E602", json.dumps([{**CASE, "system": "../box.sym"}]),
          "names a file as its system", ""),
    cases("number for a system", "E602", json.dumps([{**CASE, "system": 5}]), "has a wrong system", ""),
    cases("list for settings", "E602", json.dumps([{**CASE, "model_set": [1]}]), "has a wrong model_set", ""),
    cases("time of zero", "E602", json.dumps([{**CASE, "measured": {"iteration_s": 0}}]),
          "no positive number as iteration_s", ""),
    *(measured(f"list for {name}", {name: [1.0, 2.0]}, f"has measured a list as {name}, which is one number")
      for name in QUANTITIES if name not in PER_STAGE),
    *(measured(f"one value for {name}", {name: 1e9}, f"has measured one value as {name}, which is a list")
      for name in PER_STAGE),
    *(measured(f"{called} for {name}", {name: [number] if name in PER_STAGE else number},
               f"has measured no positive number as {name}")
      for name in QUANTITIES
      for called, number in (("a number beyond all floats", 10**400), ("a number below all errors", 1e-320),
                             ("a number above all errors", 1e300), ("infinity", math.inf), ("no number", math.nan),
                             ("a flag", True), ("nothing at all", -1))),
    cases("number of 5,000 digits in cases", "E601", f'[{"9" * 5000}]', "a number of 5,000 digits", "", False),
    cases("key given twice in a case", "E601", '[{"id": "a", "id": "b"}]', "the key 'id' is given twice", ""),
    cases("million faulty cases", "E602", f"[{','.join(['1'] * 900_000)}]", "899,981 more faults in its 900,000 cases",
          "", False),
    cases("millions of values in cases", "E600", f"[{','.join(['{}'] * 2_000_000)}]", "is too large",
          "at most 1,000,000 values", False),
    cases("cases of 17 MB", "E600", " " * (17 * 2**20), "is too large", "at most 16 MiB", False),
    cases("call for a model", "E602", json.dumps([{**CASE, "model": "llama(hidden = 64)\nmodel b = gpt2_xl"}]),
          "names a file as its model", ""),
    *(cases(f"key of {field} that brings another", "E602", json.dumps([{**CASE, field: {"tp = 8; pp": 1}}]),
            f"has 'tp = 8; pp' in its {field}, which is not a name", "")
      for field in ("strategy", "model", "model_set", "system_set", "facts")),
    cases("text for a time", "E602", json.dumps([{**CASE, "measured": {"iteration_s": "1"}}]), "no positive number",
          ""),
    fit("cases of another machine", "E603", "no case is of h100_sxm", "cases name a machine", system="b200"),
    fit("cases of another framework", "E603", "no case is of h100_sxm under nanotron", "", "--framework", "nanotron"),
    fit("cases of another set", "E603", "no case of h100_sxm is of the set 'mne'", "did you mean 'mine'?", "--only",
        "mne", set="mine"),
    fit("cases without a time", "E603", "no timed case of h100_sxm can be computed", "measures iteration_s",
        measured={"peak_allocated_bytes": 1e9}),
    fit("case that cannot be computed", "E603", "no timed case of h100_sxm can be computed", "a: ",
        strategy={"world": 8, "tp": 3, "gbs": 8, "seq": 1024}),
    fit("fitting nothing there is", "E604", "states no figure 'hbm.eficiency'", "did you mean 'hbm.efficiency'?",
        "--fit", "hbm.eficiency"),
    fit("fitting a pattern of nothing", "E604", "'hbm.*s' means no figure of h100_sxm", "it has", "--fit", "hbm.*s"),
    fit("fitting a zero", "E604", "'network.all_reduce.latency' is 0", "logarithm", "--fit",
        "network.all_reduce.latency"),
    fit("fitting by an impossible width", "E604", "'wide' is not a width", "hbm.efficiency:50%", "--fit",
        "hbm.efficiency:wide"),
    fit("fitting a fact of no framework", "E604", "no framework is called 'megatrn'", "did you mean 'megatron'?",
        "--fit", "framework.megatrn.late_sequences"),
    fit("fitting a fact that there is not", "E604", "profile fsdp states no 'time.speed'", "add it to the profile",
        "--fit", "framework.fsdp.speed"),
    Case("fitting a table", "E604", ("calibrate", "cases.json", "-y", "b200", "--fit", "matmul.efficiency"),
         "'matmul.efficiency' is a table of b200", "not fitted", None,
         {"cases.json": json.dumps([{**CASE, "system": "b200", "measured": {"iteration_s": 1.0}}])}),
    cases("time on no system", "E602", json.dumps([{**CASE, "system": None, "measured": {"iteration_s": 1}}]),
          "on no system", ""),
]  # fmt: skip
