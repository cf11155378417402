"""``docs/errors.md``: every code, what to do about it, and an example as it is printed."""

from __future__ import annotations

import shlex

from tests.errors.case import Case, outcome
from tests.errors.table import CASES

INTRODUCTION = """# Errors

What does an error mean, and what fixes it? Find its code below.

An error says where it is (file, line and column, with the line and a caret), what is wrong, and what would be right.
It goes to standard error; the exit status is 2 and standard output stays empty. All errors of a file are reported
together, up to twenty. Exit status 1 is not an error: the answer is no, such as a plan that does not fit. Status 3 is a
fault of symsim itself, and 130 says that Ctrl-C stopped the command.

`<--set>`, `<strategy>` and `<model>` are texts of the command line. `symsim check FILE…` reports the errors of files
without evaluating anything.

This page is written by `SYMSIM_REFRESH_GOLDEN=1 pytest tests/errors/test_every_code.py`; each example is a test.
"""

SECTIONS = {
    "E0": "The command line",
    "E1": "Reading a file",
    "E2": "Models, blocks and operators",
    "E3": "Strategies and plans",
    "E4": "Machines and tables",
    "E5": "Hugging Face configurations",
    "E6": "Measured cases",
}

CODES = {
    "E001": ("unknown command", "Use one of the commands that `symsim --help` lists."),
    "E002": ("no strategy", "Give the plan to evaluate with `-s`: a shipped name, a file, or choices."),
    "E003": ("wrong use of a command", "`symsim COMMAND --help` shows the arguments and options of a command."),
    "E004": ("the answer cannot be written", "Make room on the disk that standard output goes to."),
    "E005": ("no machine", "Name the machine with `-y`: a trace has times."),
    "E006": (
        "an optional package is not installed",
        "Install it as the hint says, or leave out the option: `--plot`, `--parquet`, `--engine dask`.",
    ),
    "E007": ("unknown kind of picture", "Charts are written as `.png`, `.pdf` or `.svg`."),
    "E008": (
        "the system refuses something",
        "Raise the limit that the message names (`ulimit -a` shows them), or ask for less.",
    ),
    "E009": ("the memory ran out", "Ask for fewer values at once, or take fewer `--workers`."),
    "E010": (
        "limit of the cache",
        "Write an amount such as `500 MB`, or `0` to keep nothing ([design.md](design.md#the-cache)).",
    ),
    "E100": ("a file cannot be read", "Check the path: it must be a file that you may read, not a folder."),
    "E101": ("not a text file", "Save the file as text in UTF-8."),
    "E102": ("empty file", "Write at least one statement; comments alone are not enough."),
    "E103": ("file too large", "Split the file, or leave out what the model does not use."),
    "E104": ("nested too deep", "Give inner parts names of their own with `let`, or put them into blocks."),
    "E105": (
        "unexpected character",
        "Replace it: names, numbers and marks are plain ASCII. Comments may hold anything.",
    ),
    "E106": ("unexpected word or mark", "Write what the hint lists at this place."),
    "E107": ("number too large or too small", "Sizes go up to 10^12, figures of machines to 10^30."),
    "E108": (
        "unknown unit",
        "Units are `B`, `FLOP`, `bit/s` and `s` with a prefix: `GB/s`, `GiB`, `TFLOP/s`, `us`. "
        "A network of 400 Gbps is `400 Gbit/s`, or `50 GB/s`.",
    ),
    "E109": ("wrong range", "Write whole numbers, the smaller one first: `1..8`."),
    "E110": ("formula grows too large", "Simplify the expression; shipped operators stay below a tenth of the bound."),
    "E111": (
        "wrong kind of file",
        "Give each file in its place: the model first, a strategy with `-s`, a machine with `-y`.",
    ),
    "E112": ("bracket never closed", "Close the bracket that the caret shows."),
    "E113": ("text never closed", "Close the text on its own line with a double quote."),
    "E201": ("given or defined twice", "Keep one of the two."),
    "E202": ("name already in use", "Choose another name: formulas use this one for something else."),
    "E203": ("unknown name", "Use a name that is defined here, or a number."),
    "E204": (
        "unknown function",
        "Of numbers: `min`, `max`, `ceil`, `floor`, `divisors`, `several`. Of a plan also `max_stages`, `sum_stages`.",
    ),
    "E205": ("wrong number of arguments", "Write the function as in the hint."),
    "E206": ("range too long", "Take a shorter range, or list the values."),
    "E207": ("wrong kind of value", "Write a number, a word, a flag or a set, as the hint says."),
    "E208": ("division by zero", "Change the divisor; it is zero with the sizes given."),
    "E209": ("exponent that is not a number", "Use a whole number as the exponent."),
    "E210": ("unknown model", "`symsim list models` shows the names; a file is given by its path."),
    "E211": ("no model in the file", "Add a line such as `model mine = llama(…)`."),
    "E212": ("definition in a circle", "Give one of the names in the circle a value of its own."),
    "E213": ("unknown family", "`symsim list library` shows the families."),
    "E214": ("dimension without a name", "Write the name before the value: `layers = 32`."),
    "E215": ("unknown dimension", "Use the dimensions that the family declares."),
    "E216": ("missing dimension", "Add the dimensions that have no default."),
    "E217": ("dimension that is not whole", "Change what it is computed from, or give it itself."),
    "E218": ("dimension out of range", "A size is at least 1 and at most 10^12."),
    "E219": ("unit on a plain number", "Leave the unit out: sizes are counts."),
    "E220": (
        "a size decides the structure",
        "Decide by a dimension or a structural choice: sizes stay symbols in formulas.",
    ),
    "E221": ("tensor of the wrong shape", "Give the operator a tensor with as many dimensions as it declares."),
    "E222": ("unknown element type", "Use a type such as `bf16`, `fp32`, `int32`, `bool` or `activation`."),
    "E223": ("unknown tensor", "Use an input, an output, or a tensor that the operator declares."),
    "E224": ("unknown exchange", "The exchanges are `gather`, `scatter`, `copy`, `reduce` and `all_to_all`."),
    "E225": ("unknown axis", "The axes are `tp`, `cp`, `cp_a2a`, `cp_ring`, `ep` and `etp`."),
    "E226": ("layer after the layers", "Put all layers into `repeat`, before the head."),
    "E227": ("family without layers", "Add `repeat layers { … }` to the family."),
    "E228": ("wrong number of repetitions", "Use a whole number within the bound."),
    "E229": ("statement between layers", "Put it into a layer."),
    "E230": ("wrong number of names", "Write as many names before the `=` as the call gives tensors."),
    "E231": ("repeat in a block", "Write `unroll` in a block; `repeat` makes pipeline layers, in a family."),
    "E232": ("blocks that call each other", "End the circle of calls."),
    "E233": ("unknown block or operator", "`symsim list library` shows what is shipped."),
    "E234": ("unexpected body, or missing body", "Only a block that is declared `with body` takes one."),
    "E235": ("wrong number of tensors", "Give the tensors that the block or operator declares."),
    "E236": ("too many operators or statements", "Use `repeat` for layers instead of writing them out."),
    "E237": ("one value too many", "Leave it out, or give it by its name."),
    "E238": ("unknown parameter", "Use the parameters that the block declares."),
    "E239": ("missing value", "Give the parameter that has no default."),
    "E240": ("condition of the library", "Change the dimension or the choice that the condition is about."),
    "E241": ("unknown optimizer", "`symsim list library` shows the optimizers; a model's file may add one."),
    "E242": ("unknown region", "Recompute regions that this model has; the hint lists them."),
    "E243": ("tensors of different sizes", "Sizes that the operator gives one name must be equal."),
    "E245": ("dimension that every model has", "Declare it as a parameter of the family."),
    "E246": ("layer without operators", "Call an operator or a block in the layer."),
    "E247": ("tensor without a size", "Put a part that may be absent into an `if`."),
    "E250": (
        "efficiency of the wrong sizes",
        "Give an operator's `as CLASS(…)` and `efficiency CLASS(…)` the same sizes.",
    ),
    "E251": ("efficiency of an unknown phase", "The phases are `forward`, `input_grad` and `weight_grad`."),
    "E252": ("unknown word of a dimension", "Use one of the words that `words NAME { … }` lists."),
    "E253": ("dimension whose words are not listed", "Say which words it may be: `words NAME { … }`."),
    "E254": ("too many layers that differ", "Give the dimension one value for all layers, or take fewer layers."),
    "E310": ("unknown strategy", "`symsim list strategies` shows the names; a file is given by its path."),
    "E311": ("wrong setting", "Write `--set NAME=VALUE`, once for each name."),
    "E312": ("size or number out of range", "Sizes are whole and at least 1."),
    "E313": ("unknown word", "Use one of the words of this choice."),
    "E314": (
        "unknown name in a strategy",
        "Use a name of a strategy, a dimension of the model, or a figure of the machine.",
    ),
    "E315": ("figure of a machine without a machine", "Name the machine with `-y`."),
    "E316": ("layout that cannot be read", "Write stages as in `Et|(tt|)*30L`: one `E` first, one `L` last."),
    "E317": ("layout that does not fit", "Place every layer once, on a multiple of pp stages."),
    "E320": ("space instead of one plan", "Give one value for each choice."),
    "E321": ("choice without a formula", "Take one of the choices that the hint names."),
    "E322": ("missing sizes", "Add the sizes that the plan needs."),
    "E323": ("sizes that contradict each other", "Give `gbs` or `microbatches`, not both."),
    "E324": ("choices that contradict each other", "Change one of the two as the hint says."),
    "E330": (
        "impossible plan",
        "Change one of the sizes; the hint has the nearest values with which the plan is possible.",
    ),
    "E331": ("formula without a value", "Change the sizes, or the operator that divides by what they make zero."),
    "E340": ("unknown size to keep", "`--keep` takes dimensions of the model that are numbers, or `all`."),
    "E341": ("stage that is not there", "Stages are counted from 0 to pp − 1."),
    "E342": ("trace too long", "Trace fewer micro-batches of the step, as the hint says."),
    "E343": ("time without a machine", "The time of a step is that of a machine; memory needs none."),
    "E345": ("a number that differs between stages", "Make one number of it: `max_stages(x)` or `sum_stages(x)`."),
    "E350": (
        "nothing to solve for",
        "`--for` takes a size of the strategy, a dimension of the model or a figure of the machine.",
    ),
    "E351": (
        "question that cannot be solved",
        "Say what must hold; give each dimension of a model of your own as a number.",
    ),
    "E352": ("too much to try", "Give `--from` and `--to` around the values of interest."),
    "E353": ("options that exclude each other", "One strategy has conditions; two are compared in a quantity."),
    "E355": (
        "unknown name to vary",
        "`--with-respect-to` takes figures, sizes and dimensions that the plan's formulas have as numbers.",
    ),
    "E356": ("a name that follows from others", "Use the names that it follows from."),
    "E357": ("derivative of a condition", "Ask for a number: `memory.peak`, not `memory.peak <= 60 GiB`."),
    "E358": ("an expression that needs a machine", "Name the machine with `-y`; memory and FLOPs need none."),
    "E359": ("no derivative here", "Change the sizes or the expression, so that nothing in it is divided by 0."),
    "E360": ("not two plans", "Give two strategies, or two machines, or two of both."),
    "E361": ("condition instead of a number", "Give the number that the condition is about."),
    "E370": ("empty set", "Give the set a value, or the choice one value with `=`."),
    "E371": (
        "set of a name that cannot be searched",
        "A search is of one model; of a machine it takes figures that its file states.",
    ),
    "E372": ("space too large", "Give the sets that the hint names fewer values."),
    "E373": (
        "a file cannot be written",
        "Name a file in a folder that exists and that you may write to; make room on the disk.",
    ),
    "E374": ("workers die", "Use fewer processes (`--workers`), or give them more memory."),
    "E375": ("no Dask scheduler", "Check the address; `--engine dask` starts workers on this machine."),
    "E376": ("unknown engine", "The engines are `local`, `processes`, `dask` and `dask://HOST:PORT`."),
    "E377": ("wrong Pareto front", "Name two or three different values, with commas between them."),
    "E378": ("no plan of this rank", "Save a plan that the answer lists."),
    "E379": ("workers without symsim", "Install symsim on the workers of the cluster, of the same version as here."),
    "E380": (
        "a name that Python cannot set here",
        "`symsim.compile(plan).inputs` are the sizes that may be given; other choices belong to `symsim.load`.",
    ),
    "E381": ("a value that Python cannot set here", "Sizes are whole numbers of at least 1, alone or in arrays."),
    "E382": (
        "arrays that do not fit together",
        "Give columns one length, or sizes that broadcast like arrays of numpy.",
    ),
    "E383": (
        "a table of too many structures",
        "Each combination of structural choices, dimensions and figures is compiled: give them fewer values.",
    ),
    "E385": (
        "argument of another kind",
        "Functions about a plan take what `symsim.load` gives; `load` and `search` take names, paths and texts.",
    ),
    "E386": ("no pandas", "`pip install pandas`, or use `to_dict()`."),
    "E384": ("no table", "Give `symsim.evaluate` a dictionary of arrays, a data frame or an Arrow table."),
    "E401": ("missing table", "Put the CSV file into the folder of the system file, or below it."),
    "E402": ("table too large", "Keep the rows that are used."),
    "E403": ("table that is not text", "Save the table as CSV in UTF-8."),
    "E404": ("empty table", "Give a header and at least one row."),
    "E405": ("wrong header", "Name every column once; the last one is the value."),
    "E406": ("wrong number of cells", "Give each row a cell for every column."),
    "E407": ("unknown phase", "The phases are `forward`, `input_grad` and `weight_grad`."),
    "E408": ("wrong dimension in a table", "Dimensions are whole numbers from 1 on."),
    "E409": ("wrong value in a table", "Values are positive numbers; times may be zero."),
    "E410": ("impossible efficiency in a table", "Efficiencies are fractions of the peak, not per cent."),
    "E411": ("row given twice", "Keep one of the two rows."),
    "E420": ("unknown system", "`symsim list systems` shows the names; a file is given by its path."),
    "E421": ("missing figure", "Add what the hint shows."),
    "E422": ("unknown figure to set", "Set a figure that the machine states."),
    "E423": ("unknown figure", "Use the figures of its group."),
    "E424": ("wrong unit", "Write the figure in the unit of the hint, or in one with another prefix."),
    "E425": (
        "figure out of range",
        "Figures are positive; latencies may be zero; counts are whole; shares are at most 1.",
    ),
    "E426": ("impossible efficiency", "Efficiencies are fractions of the peak, not per cent."),
    "E427": (
        "wrong use of a table",
        'Write `efficiency = table("FILE.csv")`; so may `latency`, `fixed`, `fill`, `shared` and `contention`.',
    ),
    "E428": (
        "table outside of its folder",
        "Put the table into the folder of the system file, or below; no other file is read.",
    ),
    "E429": ("table with the wrong dimensions", "Name the columns as the hint does, in this order."),
    "E430": ("figure that a plan needs", "Add the figure to the machine, or choose what it has figures for."),
    "E431": (
        "coefficients without a level",
        "State either one `efficiency` of a class of kernels, or its `level` and what shapes it.",
    ),
    "E432": ("nothing to fit", "Only measured tables can be fitted; `symsim efficiency SYSTEM` shows what is stated."),
    "E500": ("a configuration cannot be read", "Give the path of a `config.json`."),
    "E501": (
        "configuration too large, or not text",
        "Give the `config.json` of a model, not its weights or tokenizer.",
    ),
    "E502": ("not JSON", "Fix the JSON at the caret."),
    "E503": ("JSON nested too deep", "Give the `config.json` of a model."),
    "E504": ("key given twice", "Keep one of the two."),
    "E505": ("not a JSON object", "A configuration is an object: `{ … }`."),
    "E506": ("no model type", "Add the `model_type`; symsim has to know which architecture the sizes belong to."),
    "E507": ("unknown model type", "Write the model as a `.sym` file, or use a `model_type` of the hint."),
    "E508": ("missing key", "Add the key."),
    "E509": ("wrong kind of value", "Write a number, a flag, a text or a list, as the message says."),
    "E510": ("size out of range", "Sizes are at least 1 and at most 10^12."),
    "E511": ("keys that contradict each other", "Change one of the two."),
    "E512": ("model that cannot be expressed", "Write the model as a `.sym` file, with blocks of its own."),
    "E520": ("file of another kind", "Name the tool that the file is of, or give one of the kinds that are listed."),
    "E521": ("file that is not read", "Do what the hint says; symsim reads no such files."),
    "E522": (
        "key that is not known",
        "Correct the key, or take it out; with `--lenient` an unknown key is a remark, and what it means is left out.",
    ),
    "E523": (
        "plan that another tool cannot express",
        "Change the choice, or write for a tool that has it. What changes an estimate alone is left out and said.",
    ),
    "E530": ("no training command", "Give the script whose last command runs `pretrain_….py` with its arguments."),
    "E600": ("cases cannot be read", "Give the path of a JSON file of measured cases."),
    "E601": ("cases that are not JSON", "Fix the JSON."),
    "E602": (
        "case of a wrong form",
        "A case has `id`, `set`, `model`, `strategy` and `measured`; its model and machine are shipped ones.",
    ),
    "E603": ("no case to fit", "Name a machine, sets and a framework of which the file has timed cases."),
    "E604": ("constant that cannot be fitted", "Name figures of the machine that are numbers above 0."),
}
"""Code → what it is, and what to do."""


def document() -> str:
    out = [INTRODUCTION]
    shown, hidden = [c for c in CASES if c.shown], [c for c in CASES if not c.shown]
    examples = {case.code: case for case in (*reversed(hidden), *reversed(shown))}
    section = ""
    for code, (title, advice) in CODES.items():
        if code[:2] != section:
            section = code[:2]
            out.append(f"## {SECTIONS[section]}\n")
        out.append(f"### {code} {title}\n\n{advice}\n")
        if code in examples:
            out.append(f"```text\n{_example(examples[code])}\n```\n")
    return "\n".join(out)


def _example(case: Case) -> str:
    files = [
        f"# {name}\n{content.rstrip()}\n"
        for name, content in case.files.items()
        if isinstance(content, str) and case.shown and _needed(case, name)
    ]
    return "\n".join([*files, f"$ symsim {shlex.join(case.arguments)}", outcome(case).err.rstrip()])


def _needed(case: Case, name: str) -> bool:
    """A file is shown where the message does not show the line of it that is wrong."""
    return f"{name}:" not in outcome(case).err
