"""Machines: figures, units and measured tables."""

from __future__ import annotations

from pathlib import Path

from tests.errors.case import Case, Content
from tests.errors.texts import PLAN, SYSTEM


def machine(
    name: str,
    code: str,
    old: str,
    new: str,
    message: str,
    hint: str,
    place: str,
    files: dict[str, Content] | None = None,
) -> Case:
    """A good machine with one thing replaced."""
    assert SYSTEM.count(old) == 1, old
    text = SYSTEM.replace(old, new)
    return Case(name, code, ("eval", "llama3_70b", "-s", PLAN, "-y", "box.sym"), message, hint,
                f"box.sym:{place}" if place[0].isdigit() else place, {"box.sym": text, **(files or {})})  # fmt: skip


def table(name: str, code: str, content: Content, message: str, hint: str, place: str, shown: bool = True) -> Case:
    """A machine whose GEMMs are measured in a table."""
    files = {"box.sym": SYSTEM.replace("0.7", 'table("gemm.csv")'), "gemm.csv": content}
    return Case(name, code, ("eval", "llama3_70b", "-s", PLAN, "-y", "box.sym"), message, hint, place, files, shown)


def table_at(
    name: str, code: str, given: str, message: str, hint: str, files: dict[str, Content] | None = None
) -> Case:
    return machine(name, code, "0.7", given, message, hint, "5:43", files)


def setting(name: str, code: str, given: str, message: str, hint: str, column: int) -> Case:
    """A figure of a shipped machine, changed on the command line."""
    arguments = ("eval", "llama3_70b", "-s", PLAN, "-y", "h100_sxm", "--set", given)
    return Case(name, code, arguments, message, hint, f"<--set>:1:{column}")


HEADER = "m,k,n,efficiency\n"
PHASED: dict[str, Content] = {
    "gemm.csv": "phase,m,k,n,efficiency\nforward,1,1,1,0.5\n",
    "a.csv": "phase,m,k,n,efficiency\nforward,1,1,1,0.5\n",
    "ring.csv": "phase,ranks,efficiency\nforward,8,0.5\n",
}

CASES = [
    machine("bandwidth in bytes", "E424", "3 TB/s", "3 TB", "measured in B/s, not 'B'", "for example 50 GB/s", "4:19"),
    machine("bandwidth without unit", "E424", "3 TB/s", "3000", "measured in B/s, not no unit", "50 GB/s", "4:19"),
    machine("units that do not fit", "E424", "3 TB/s", "3 TB/s + 1 TB", "not units that do not fit together", "50 GB/s",
            "4:19"),
    machine("efficiency with a unit", "E424", "0.9", "0.9 GB", "measured in no unit, not 'B'", "0.8", "4:40"),
    machine("unknown unit", "E108", "3 TB/s", "3 TBps", "unknown unit 'TBps'", "bytes per second are 3 TB/s", "4:21"),
    machine("percentage", "E106", "0.9", "90 %", "unexpected '}'", "a fraction: 0.9", "4:45"),
    machine("impossible efficiency", "E426", "0.9", "9", "an efficiency of 9 is not possible", "fraction of the peak",
            "4:40"),
    machine("negative efficiency", "E425", "0.9", "-0.9", "'hbm.efficiency' must be positive", "0.8", "4:40"),
    machine("no bandwidth at all", "E425", "= 50 GB/s", "= 0 GB/s", "'network.bandwidth' must be positive", "50 GB/s",
            "7:23"),
    machine("negative bandwidth", "E425", "3 TB/s", "-3 TB/s", "'hbm.bandwidth' must be positive", "50 GB/s", "4:19"),
    machine("more than all wires shared", "E425", "span = 8", "shared = 1.5; span = 8",
            "'link.shared' is a share of a whole, and 1.5 is more", "at most 1", "6:19"),
    machine("half a GPU", "E425", "gpus_per_node = 8", "gpus_per_node = 8.5", "must be a whole number", "for example 8",
            "2:17"),
    machine("no GPU", "E425", "gpus_per_node = 8", "gpus_per_node = 0", "must be positive", "hint", "2:17"),
    machine("huge figure", "E107", "80 GiB", "1e39 GiB", "this figure is too large", "hint", "3:21"),
    machine("figure beyond every float", "E107", "gpus_per_node = 8", "gpus_per_node = 10**500", "is too large", "hint",
            "2:17"),
    machine("word for a figure", "E203", "0.9", "high", "unknown name 'high'", "a number is expected", "4:40"),
    machine("text for a figure", "E207", "0.9", '"0.9"', "expected a number, not the word '0.9'", "0.5 or 2 * 4",
            "4:40"),
    machine("set for a figure", "E207", "0.9", "{0.9}", "expected a number, not a set", "0.5 or 2 * 4", "4:40"),
    machine("wave beyond a wave", "E425", "efficiency = 0.7", "level = 0.7; wave = 1.5", "'matmul.wave' is at most 1",
            "for example 0.5", "5:50"),
    machine("negative ramp", "E425", "efficiency = 0.7", "level = 0.7; ramp_k = -5", "must be positive or zero", "hint",
            "5:52"),
    machine("half a tile", "E425", "efficiency = 0.7", "level = 0.7; tile_m = 64.5", "must be a whole number", "for",
            "5:52"),
    machine("no multiprocessors", "E425", "gpus_per_node = 8", "gpus_per_node = 8\nsms = 0", "'sms' must be positive",
            "hint", "3:7"),
    machine("level in per cent", "E426", "efficiency = 0.7", "level = 74", "an efficiency of 74 is not possible",
            "fraction of the peak", "5:38"),
    machine("misspelt coefficient", "E423", "efficiency = 0.7", "level = 0.7; wawe = 0.5",
            "unknown figure 'matmul.wawe'", "hint", "5:43"),
    machine("coefficient of no phase", "E423", "efficiency = 0.7", "level = 0.7; fwd { ramp_k = 5 }",
            "unknown figure 'matmul.fwd.ramp_k'", "hint", "5:49"),
    machine("coefficient beside one efficiency", "E431", "= 0.7", "= 0.7; ramp_k = 100",
            "'matmul' has an efficiency for every size, and 'matmul.ramp_k'", "write matmul.level instead", "5:48"),
    machine("coefficient without a level", "E431", "efficiency = 0.7", "forward { ramp_k = 100 }",
            "'matmul.forward.ramp_k' shapes an efficiency that has no level", "state matmul.level", "5:40"),
    Case("fit of a machine without tables", "E432", ("efficiency", "h100_sxm", "--fit"),
         "system 'h100_sxm' has no table of efficiencies", "transferred", None),
    machine("nan for a figure", "E203", "0.9", "nan", "unknown name 'nan'", "a number is expected", "4:40"),
    machine("misspelt figure", "E423", "network { bandwidth", "network { bandwith", "unknown figure 'network.bandwith'",
            "did you mean 'network.bandwidth'?", "7:11"),
    machine("misspelt group", "E423", "network {", "netwrk {", "unknown figure 'netwrk.bandwidth'",
            "did you mean 'network.bandwidth'?", "7:10"),
    machine("figure outside of a group", "E423", "gpus_per_node = 8", "gpus_per_node = 8\nspeed = 3",
            "unknown figure 'speed'", "figures are written in groups", "3:1"),
    machine("figure of another group", "E423", "80 GiB", "80 GiB; latency = 3 us", "unknown figure 'memory.latency'",
            "hint", "3:29"),
    machine("missing figure", "E421", "network { bandwidth = 50 GB/s }\n", "", "does not say network.bandwidth",
            "add network { bandwidth = 50 GB/s }", "1:8"),
    machine("figure beside the phase of a table", "E201", "efficiency = 0.7",
            'efficiency = table("gemm.csv"); forward { efficiency = 0.5 }',
            "'matmul.forward.efficiency' is given twice", "first given at box.sym:5:43", "5:72", PHASED),
    machine("two tables with phases", "E201", "efficiency = 0.7",
            'forward { level = 0.5 }; efficiency = table("a.csv"); efficiency = table("gemm.csv")',
            "'matmul.efficiency' is given twice", "first given at box.sym:5:55", "5:84", PHASED),
    machine("phase of a link's table given twice", "E201", "bandwidth = 450 GB/s",
            'bandwidth = 450 GB/s; all_reduce { efficiency = table("ring.csv"); forward { efficiency = 0.5 } }',
            "'link.all_reduce.forward.efficiency' is given twice", "first given at", "6:97", PHASED),
    machine("figure given twice", "E201", "span = 8", "span = 8; span = 4", "'link.span' is given twice",
            "box.sym:6:10", "6:20"),
    machine("two links", "E201", "network {", "pcie { bandwidth = 32 GB/s }\nnetwork {",
            "'link.bandwidth' is given twice", "nvlink and pcie are one link", "7:8"),
    machine("two links of other makers", "E201", "network {", "ici { bandwidth = 32 GB/s }\nnetwork {",
            "'link.bandwidth' is given twice", "nvlink and ici are one link", "7:7"),
    machine("more unmeasured than all", "E425", "gpus_per_node = 8", "gpus_per_node = 8\nunmeasured = 2",
            "'unmeasured' is a share of a whole, and 2 is more", "at most 1", "3:14"),
    machine("no header", "E106", "system box\n", "", "unexpected 'gpus_per_node'", "expected system", "1:1"),
    machine("group never closed", "E112", "80 GiB }", "80 GiB", "this '{' is never closed", "expected '}'", "3:8"),
    machine("two headers", "E106", "hbm {", "system other\nhbm {", "unexpected 'other'", "'='", "4:8"),
    Case("header alone", "E421", ("check", "box.sym"), "system 'box' does not say gpus_per_node, memory.capacity",
         "gpus_per_node = 8; memory", "box.sym:1:8", {"box.sym": "system box\n"}),
    Case("precision that the machine lacks", "E430",
         ("eval", "llama3_70b", "-s", PLAN + ",precision=fp8", "-y", "box.sym"), "does not say 'matmul.fp8'", "", None,
         {"box.sym": SYSTEM}),
    Case("precision that the chip lacks", "E430",
         ("eval", "llama3_70b", "-s", PLAN + ",precision=fp8", "-y", "a100_sxm"),
         "NVIDIA A100 SXM4 80 GB has no fp8 matrix products", "choose bf16, fp16, fp32; source: NVIDIA", None),
    machine("no bandwidth, in a word", "E203", "3 TB/s", "none", "unknown name 'none'", "a number is expected", "4:19"),
    machine("no bf16", "E421", "bf16 = 989 TFLOP/s", "bf16 = none", "does not say matmul.bf16", "add matmul", "1:8"),
    setting("misspelt figure, set", "E422", "network.bandwith=25 GB/s", "no figure 'network.bandwith'",
            "did you mean 'network.bandwidth'?", 1),
    setting("dimension for a figure, set", "E422", "hidden.x=5", "no figure 'hidden.x'", "it has gpus_per_node", 1),
    setting("figure without unit, set", "E424", "network.bandwidth=25", "measured in B/s, not no unit", "50 GB/s", 19),
    setting("impossible efficiency, set", "E426", "matmul.efficiency=5", "an efficiency of 5", "fraction of the peak",
            19),
    setting("table, set", "E204", 'matmul.efficiency=table("/etc/passwd")', "unknown function 'table'", "hint", 19),
    table_at("missing table", "E401", 'table("gemm.csv")', "there is no table 'gemm.csv'",
             "from the folder of the system file"),
    table_at("missing table, one like it", "E401", 'table("gem.csv")', "there is no table 'gem.csv'",
             "did you mean 'gemm.csv'?", {"gemm.csv": HEADER}),
    table_at("folder for a table", "E401", 'table("gemm")', "there is no table 'gemm'", "hint", {"gemm": None}),
    table_at("table without a name", "E401", 'table("")', "there is no table ''", "hint"),
    table_at("table with too long a name", "E401", f'table("{"x" * 300}")', "there is no table 'xxx", "hint"),
    table_at("table in the folder above", "E428", 'table("../gemm.csv")', "is outside of the system file's folder",
             "without '..'"),
    table_at("table at an absolute path", "E428", 'table("/etc/passwd")', "is outside of the system file's folder",
             "without '..'"),
    table_at("link to elsewhere", "E428", 'table("gemm.csv")', "is outside of the system file's folder",
             "a link to elsewhere", {"gemm.csv": Path("/etc/passwd")}),
    table_at("folder that is a link to elsewhere", "E428", 'table("tables/passwd")',
             "is outside of the system file's folder", "a link to elsewhere", {"tables": Path("/etc")}),
    table_at("two tables in one", "E427", 'table("a.csv", "b.csv")', "a table takes one name of a file",
             'table("FILE.csv")'),
    table_at("table of a word", "E427", "table(gemm)", "a table takes one name of a file", 'table("FILE.csv")'),
    machine("table of a bandwidth", "E427", "= 50 GB/s", '= table("b.csv")', "'network.bandwidth' cannot be a table",
            "efficiency, latency, fixed, fill, shared or contention", "7:23"),
    machine("table in arithmetic", "E204", "0.7", '2 * table("gemm.csv")', "unknown function 'table'", "known here",
            "5:47"),
    table("table of other dimensions", "E429", "ranks,efficiency\n8,0.5\n", "has the dimensions ranks",
          "[phase,] m, k, n and the value", "box.sym:5:43"),
    table("table of 10 MB", "E402", HEADER.encode() + b"1,1,1,0.5\n" * 1_200_000, "over 10 MB", "keep the shapes",
          "gemm.csv:1:1", shown=False),
    table("binary table", "E403", bytes(range(256)), "is not text", "CSV in UTF-8", "gemm.csv:2:118", shown=False),
    table("empty table", "E404", "", "the table is empty", "give a header", "gemm.csv:1:1"),
    table("table without rows", "E404", HEADER, "the table has no rows", "give a row", "gemm.csv:1:1"),
    table("header with a number", "E405", "m,k,7,efficiency\n1,1,1,0.5\n", "'7' is not a column's name",
          "the header names", "gemm.csv:1:5"),
    table("row too short", "E406", HEADER + "1,1,0.5\n", "3 cells under 4 columns", "m, k, n, efficiency",
          "gemm.csv:2:1"),
    table("unknown phase", "E407", "phase," + HEADER + "forwards,1,1,1,0.5\n", "'forwards' is not a phase",
          "did you mean 'forward'?", "gemm.csv:2:1"),
    table("dimension of zero", "E408", HEADER + "0,1,1,0.5\n", "'0' is not a dimension", "integers from 1",
          "gemm.csv:2:1"),
    table("nan in a table", "E409", HEADER + "1,1,1,nan\n", "'nan' is not a value", "a positive number",
          "gemm.csv:2:7"),
    table("percentages in a table", "E410", HEADER + "1,1,1,75\n", "an efficiency of 75 is not possible",
          "fractions of the peak", "gemm.csv:2:7"),
    table("percentages under another name", "E426", "m,k,n,value\n1,1,1,75\n", "an efficiency of 75",
          "fraction of the peak", "box.sym:5:43"),
    table("row given twice", "E411", HEADER + "1,1,1,0.5\n1,1,1,0.6\n", "line 2 already gives", "keep one",
          "gemm.csv:3:1"),
]  # fmt: skip
