"""Files that are no text, and texts that are not written as they should be."""

from __future__ import annotations

from tests.errors.case import Case, Content
from tests.errors.texts import DIMENSIONS, MODEL, PLAN, SYSTEM


def check(
    name: str, code: str, content: Content, message: str, hint: str, place: str | None = None, shown: bool = True
) -> Case:
    where = None if place is None else f"small.sym:{place}"
    return Case(name, code, ("check", "small.sym"), message, hint, where, {"small.sym": content}, shown)


def hidden(name: str, code: str, value: str, message: str, hint: str, column: int = 30, shown: bool = True) -> Case:
    """A model whose width is ``value``, which begins in column 30."""
    text = MODEL.replace("hidden = 64", f"hidden = {value}")
    return check(name, code, text, message, hint, f"1:{column}", shown)


CASES = [
    check("empty file", "E102", "", "small.sym is empty", "expected model NAME = FAMILY(…)"),
    check("file of blanks", "E102", "\n\n   \n", "small.sym is empty", "expected"),
    check("file of comments", "E102", "# nothing\n", "small.sym is empty", "expected"),
    check("binary file", "E101", bytes(range(256)), "is not a text file", "UTF-8", shown=False),
    check("file with a null byte", "E101", MODEL + "\0", "is not a text file", "UTF-8", shown=False),
    check("file in Latin-1", "E101", "# é\n".encode("latin-1"), "is not a text file", "UTF-8", shown=False),
    check("file in UTF-16", "E101", MODEL.encode("utf-16"), "is not a text file", "UTF-8", shown=False),
    check("file of 10 MB", "E103", b"# " + b"x" * 10_000_000, "small.sym is too large", "at most 256 KiB", shown=False),
    check("file of too many words", "E103", MODEL.replace("64", "+".join("1" * 30_000)), "is too large", "20,000 words",
          shown=False),
    Case("strategy for a model", "E111", ("formula", "s.sym"), "s.sym is a strategy, not a model", "given with -s",
         "s.sym:1:1", {"s.sym": "strategy s\ntp = 8\n"}),
    Case("model for a strategy", "E111", ("eval", "llama3_70b", "-s", "m.sym"), "m.sym is a model, not a strategy",
         "first argument", "m.sym:1:1", {"m.sym": MODEL}),
    Case("system for a strategy", "E111", ("eval", "llama3_70b", "-s", "y.sym"), "y.sym is a system, not a strategy",
         "given with -y", "y.sym:1:1", {"y.sym": SYSTEM}),
    Case("model for a system", "E111", ("eval", "llama3_70b", "-s", PLAN, "-y", "m.sym"), "m.sym is a model, not a system",
         "first argument", "m.sym:1:1", {"m.sym": MODEL}),
    check("JSON", "E111", '{"hidden_size": 64}\n', "no text of this language", "ends in .json", "1:1"),
    check("CSV", "E106", "m,k,n\n1,2,3\n", "unexpected 'm'", "expected block, define", "1:1"),
    check("Python", "E106", "import os\n", "unexpected 'import'", "expected", "1:1"),
    check("YAML", "E106", "tp: 8\n", "unexpected 'tp'", "expected", "1:1"),
    check("HTML", "E106", "<html></html>\n", "unexpected '<'", "expected", "1:1"),
    check("misspelt first word", "E106", MODEL.replace("model", "modle"), "unexpected 'modle'", "did you mean 'model'?", "1:1"),
    check("misspelt phase", "E106", "operator op(x[a]) -> y[a] {\n    forwrd { traffic x }\n}\n", "unexpected 'forwrd'",
          "did you mean 'forward'?", "2:5"),
    check("word alone", "E106", "model\n", "unexpected end of the line", "expected a name", "1:6"),
    check("operator without result", "E106", "operator op(x[a]) { }\n", "unexpected '{'", "expected '->'", "1:19"),
    check("two statements on a line", "E106", "block b { rmsnorm rmsnorm }\n", "unexpected 'rmsnorm'", "a new line", "1:19"),
    check("brace never closed", "E112", "block b {\n    rmsnorm\n\nblock c { rmsnorm }\n", "this '{' is never closed",
          "expected '}'", "1:9"),
    check("parenthesis never closed", "E112", MODEL.replace(")", ""), "this '(' is never closed", "expected ')'", "1:20"),
    check("parenthesis closed by a brace", "E112", "block b { rmsnorm(1 }\n", "this '(' is never closed", "expected ')'", "1:18"),
    check("brace closed twice", "E106", "block b { rmsnorm }}\n", "unexpected '}'", "a new line", "1:20"),
    check("text never closed", "E113", 'model small "Small = llama()\n', "this text is never closed", 'with "', "1:13"),
    check("typographic quotes", "E105", "model small “Small” = llama()\n", "unexpected character '“'", "double quotes", "1:13"),
    check("characters of another alphabet", "E105", "модель small = llama()\n", "CYRILLIC SMALL LETTER EM", "a-z, A-Z", "1:1"),
    check("digits of another alphabet", "E105", MODEL.replace("64", "６４"), "FULLWIDTH DIGIT SIX", "digits are 0-9", "1:30"),
    check("invisible character", "E105", MODEL.replace("small", "small\u200b"), "U+200B (ZERO WIDTH SPACE)", "delete it",
          "1:12", shown=False),
    check("character that turns the line", "E105", MODEL.replace("small", "small\u202e"), "U+202E", "delete it", "1:12",
          shown=False),
    check("no-break space", "E105", MODEL.replace("model ", "model\u00a0"), "NO-BREAK SPACE", "ordinary space", "1:6",
          shown=False),
    check("replacement character", "E101", "# \ufffd\n" + MODEL, "is not a text file", "UTF-8", shown=False),
    check("junk", "E105", "@@@ ???\n", "unexpected character '@'", "hint", "1:1"),
    check("number without its zero", "E105", MODEL.replace("64", ".5"), "unexpected character '.'", "0.5", "1:30"),
    check("attribute of Python", "E105", MODEL.replace("64", '__import__("os").system("id")'), "unexpected character '.'",
          "hint", "1:46"),
    hidden("two divisions", "E106", "64 // 2", "unexpected '/'", "a number", 34),
    hidden("percent", "E106", "50 %", "unexpected ','", "a fraction: 0.9", 34),
    hidden("brackets 200 deep", "E104", "(" * 200 + "64" + ")" * 200, "nest more than 100 deep", "blocks", 129, shown=False),
    hidden("5000 brackets behind a text with #", "E104", "(" * 5000, "nest more than 100 deep", "hint", 129, shown=False),
    hidden("3000 minus signs", "E104", "-" * 3000 + "64", "too long or too deep", "parentheses", 226, shown=False),
    hidden("3000 powers", "E104", "1**" * 3000 + "1", "too long or too deep", "parentheses", 615, shown=False),
    hidden("sum of 5000 terms", "E104", "+".join("1" * 5000), "too long or too deep", "at most 200", shown=False),
    hidden("3000 choices", "E104", "1 if true else " * 3000 + "64", "too long or too deep", "hint", 2955, shown=False),
    hidden("huge power", "E107", "2**10**10", "this power is too large", "10^12"),
    hidden("power of a power", "E107", "(2**1000)**1000", "this power is too large", "10^12"),
    hidden("huge exponent", "E107", "1e999999999", "this number is too large", "40 digits"),
    hidden("tiny exponent", "E107", "1e-999999999", "too small", "40 digits"),
    hidden("5000 digits", "E107", "9" * 5000, "this number is too large", "40 digits", shown=False),
    hidden("product of large numbers", "E107", "*".join(["10**39"] * 20), "this number is too large", "hint"),
    hidden("unknown unit", "E108", "64 Gib", "unknown unit 'Gib'", "did you mean 'GiB'?", 33),
    hidden("unit like no other", "E108", "64 parsecs", "unknown unit 'parsecs'", "GB/s", 33),
    hidden("range of fractions", "E109", "1..2.5", "from one whole number to another", "1..8"),
    hidden("range downwards", "E109", "8..1", "runs downwards", "write 1..8"),
    hidden("huge range", "E206", "1..1000000000000000", "more than 100,000 values", "list the values"),
    hidden("unknown function", "E204", "sqrt(64)", "unknown function 'sqrt'", "ceil, divisors, floor, max, min"),
    hidden("function without arguments", "E205", "min()", "min() takes 1 to 64 arguments, not 0", "min(layers, 8)"),
    hidden("function with too many arguments", "E205", "ceil(1, 2)", "ceil() takes 1 argument, not 2", "ceil(layers / 8)"),
    hidden("divisors of too large a number", "E207", "divisors(10**13)", "up to 10^12", "divisors(96)"),
    hidden("division by zero", "E208", "64 / 0", "division by zero", "the divisor is 0", 35),
    hidden("division by what is zero", "E208", "64 / (layers - 4)", "division by zero", "values given", 36),
    hidden("negative power of zero", "E208", "0 ** -1", "division by zero", "no negative power"),
    hidden("root", "E209", "64 ** 0.5", "an exponent must be a whole number", "x ** 2"),
    hidden("word in arithmetic", "E203", "2 * big", "unknown name 'big'", "a number is expected", 34),
    hidden("text in arithmetic", "E207", '2 * "64"', "expected a number", "0.5 or 2 * 4", 34),
    hidden("set in arithmetic", "E207", "2 * {1}", "expected a number, not a set", "0.5 or 2 * 4", 34),
    hidden("number for a condition", "E207", "1 if 2 else 3", "expected true or false, not 2", "layers > 1", 35),
    hidden("word for a condition", "E203", "1 if big else 3", "unknown name 'big'", "true, false", 35),
    hidden("number for a set", "E207", "1 if 2 in 3 else 4", "expected a set after 'in'", "{1, 2, 4} or 1..8", 40),
    check("model defined twice", "E201", MODEL + MODEL, "'small' is defined twice", "first defined at small.sym:1:7", "2:7"),
    check("block defined twice", "E201", "block b { }\nblock b { }\n", "'b' is defined twice", "small.sym:1:7", "2:7"),
    check("parameter given twice", "E201", "block b(a, a) { }\n", "'a' is given twice", "small.sym:1:9", "1:12"),
    check("dimension given twice", "E201", f"model small = llama({DIMENSIONS}, hidden = 32)\n", "'hidden' is given twice",
          "small.sym:1:21", f"1:{len('model small = llama(' + DIMENSIONS) + 3}"),
    check("name of a formula defined", "E202", 'define dp = 8 "eight"\n', "'dp' cannot be defined", "strategies and formulas", "1:8"),
    check("line of 100,000 characters", "E215", MODEL.replace("layers", " " * 100_000 + "layrs"), "no dimension 'layrs'",
          "did you mean 'layers'?", "1:100034", shown=False),
    check("name of 100,000 characters", "E213", f"model small = {'b' * 100_000}()\n", "no family or model is called 'bbb", "hint",
          "1:15", shown=False),
    check("5000 errors", "E215", f"model small = llama({', '.join(f'a{k} = 1' for k in range(2000))})\n", "no dimension 'a0'",
          "its dimensions are hidden", "1:21", shown=False),
]  # fmt: skip
