"""Mutants of one source file: one small change each, written into the text so that nothing else of it moves."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

FOLDERS = ("symsim/compiler", "symsim/emit", "symsim/analysis")

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
_ARITHMETIC: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div,),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Mult,),
    ast.Mod: (ast.Mult,),
    ast.Pow: (ast.Mult,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,),
}
_SWAPPED = {
    **{"min": "max", "max": "min", "any": "all", "all": "any", "minimum": "maximum", "maximum": "minimum"},
    **{"less": "at_most", "at_most": "less", "floor": "ceiling", "ceiling": "floor", "ceil": "floor"},
    **{"stage_max": "stage_sum", "stage_sum": "stage_max"},
}


@dataclass(frozen=True)
class Mutant:
    """One change. ``key`` names it whatever lines are added elsewhere in the file."""

    file: str
    within: str
    line: int
    begin: int
    end: int
    old: str
    new: str
    nth: int = 0

    @property
    def key(self) -> str:
        again = f" #{self.nth + 1}" if self.nth else ""
        return f"{self.file} | {self.within} | {_flat(self.old)} -> {_flat(self.new)}{again}"

    def written(self, source: bytes) -> bytes:
        return source[: self.begin] + self.new.encode() + source[self.end :]

    def parses(self, tree: Path) -> bool:
        try:
            ast.parse(self.written((tree / self.file).read_bytes()))
        except SyntaxError:
            return False
        return True


def _flat(text: str) -> str:
    return " ".join(text.split())


def of_tree(tree: Path) -> list[Mutant]:
    """Every mutant of the folders that are looked at, in a fixed order."""
    return [m for folder in FOLDERS for path in sorted((tree / folder).rglob("*.py")) for m in of_file(tree, path)]


def of_file(tree: Path, path: Path) -> list[Mutant]:
    """The mutants of a file."""
    source = path.read_bytes()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    seen: Counter[str] = Counter()
    found: list[Mutant] = []
    for within, node, new in _changes(ast.parse(source)):
        begin = starts[node.lineno - 1] + node.col_offset
        end = starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
        old = source[begin:end].decode()
        mutant = Mutant(path.relative_to(tree).as_posix(), within, node.lineno, begin, end, old, new)
        seen[mutant.key] += 1
        found.append(replace(mutant, nth=seen[mutant.key] - 1))
    return found


Change = tuple[str, "ast.expr | ast.stmt", str]


def _changes(module: ast.Module) -> Iterator[Change]:
    yield from _in_body(module.body, "")


def _in_body(body: list[ast.stmt], within: str) -> Iterator[Change]:
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            inner = f"{within}.{statement.name}".lstrip(".")
            if isinstance(statement, ast.FunctionDef):
                for default in (*statement.args.defaults, *(d for d in statement.args.kw_defaults if d is not None)):
                    yield from _in_expression(default, inner)
            yield from _in_body(statement.body, inner)
        elif not _is_left_out(statement):
            yield from _of_statement(statement, within)
            yield from _inside(statement, within)


def _is_left_out(statement: ast.stmt) -> bool:
    """Imports, texts that document, asserts (what cannot happen) and what only a type checker reads."""
    if isinstance(statement, ast.If) and isinstance(statement.test, ast.Name) and statement.test.id == "TYPE_CHECKING":
        return True
    documents = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return documents or isinstance(statement, ast.Import | ast.ImportFrom | ast.Assert | ast.Pass | ast.Global)


def _inside(statement: ast.stmt, within: str) -> Iterator[Change]:
    """The expressions and the bodies of a statement."""
    for name, value in ast.iter_fields(statement):
        if name == "annotation":
            continue
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, ast.stmt):
                yield from _in_body([part], within)
            elif isinstance(part, ast.expr):
                yield from _in_expression(part, within)
            elif isinstance(part, ast.match_case):
                yield from _in_expression(part.guard, within) if part.guard is not None else ()
                yield from _in_body(part.body, within)
            elif isinstance(part, ast.ExceptHandler):
                yield from _in_body(part.body, within)
            elif isinstance(part, ast.withitem):
                yield from _in_expression(part.context_expr, within)


def _of_statement(statement: ast.stmt, within: str) -> Iterator[Change]:
    match statement:
        case ast.If(test=test, body=[ast.Raise()], orelse=[]):
            yield within, test, "False"
        case ast.If(test=test) | ast.While(test=test):
            yield within, test, f"not ({ast.unparse(test)})"
        case ast.Raise() | ast.AugAssign() | ast.Delete():
            yield within, statement, "pass"
        case ast.Expr(value=ast.Call()):
            yield within, statement, "pass"
        case ast.Return(value=value) if value is not None and not _is_none(value):
            yield within, value, "None"
        case ast.Continue():
            yield within, statement, "break"
        case ast.Break():
            yield within, statement, "continue"


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def _in_expression(root: ast.expr, within: str) -> Iterator[Change]:
    """``strict`` of zip is an assert: what it says cannot happen is left out like other asserts."""
    if isinstance(root, ast.JoinedStr):
        return
    yield from ((within, root, new) for new in _of_expression(root))
    if isinstance(root, ast.Lambda):
        yield from _in_expression(root.body, within)
        return
    for part in ast.iter_child_nodes(root):
        if isinstance(part, ast.expr):
            yield from _in_expression(part, within)
        elif isinstance(part, ast.keyword) and part.arg != "strict":
            yield from _in_expression(part.value, within)
        elif isinstance(part, ast.comprehension):
            yield from _in_expression(part.iter, within)
            for condition in part.ifs:
                yield within, condition, "True"
                yield from _in_expression(condition, within)


def _of_expression(node: ast.expr) -> Iterator[str]:
    """What may stand in place of an expression, in brackets where that matters."""
    match node:
        case ast.Compare(ops=[operator], left=left, comparators=right):
            for other in _COMPARISONS[type(operator)]:
                yield f"({ast.unparse(ast.Compare(left, [other()], right))})"
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _ARITHMETIC:
            for swapped in _ARITHMETIC[type(operator)]:
                yield f"({ast.unparse(ast.BinOp(left, swapped(), right))})"
        case ast.BoolOp(op=op, values=values):
            opposite = ast.Or() if isinstance(op, ast.And) else ast.And()
            yield f"({ast.unparse(ast.BoolOp(opposite, values))})"
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield f"({ast.unparse(operand)})"
        case ast.IfExp(test=test, body=body, orelse=orelse):
            yield f"({ast.unparse(ast.IfExp(ast.UnaryOp(ast.Not(), test), body, orelse))})"
        case ast.Constant(value=bool(value)):
            yield str(not value)
        case ast.Constant(value=int(value)):
            yield f"{value + 1}"
            yield f"({value - 1})"
        case ast.Constant(value=float(value)):
            yield f"{value * 2 + 1!r}"
        case ast.Call(func=ast.Name(id=name)) if name in _SWAPPED:
            new = ast.Call(ast.Name(_SWAPPED[name], ast.Load()), node.args, node.keywords)
            yield ast.unparse(new)
