"""The syntax tree: what a file says, every node with its place, nothing interpreted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass

from symsim.diagnostics import Place
from symsim.language.tree.configs import ConfigItem, Inert, Refuse, Remark, WordMap
from symsim.language.tree.expressions import (
    Apply,
    Binary,
    Calibrated,
    Choose,
    Expression,
    ListOf,
    Name,
    Number,
    Range,
    Repeated,
    SetOf,
    Text,
    Unary,
)
from symsim.language.tree.files import (
    Assign,
    FigureEntry,
    Group,
    Header,
    Objective,
    SourceEntry,
    StrategyFile,
    SystemEntry,
    SystemFile,
)
from symsim.language.tree.items import (
    BlockItem,
    DefaultsItem,
    DefineItem,
    EfficiencyItem,
    Fact,
    FamilyItem,
    Item,
    ModelItem,
    OperatorItem,
    OptimizerItem,
    ProfileItem,
    WordsItem,
)
from symsim.language.tree.operators import (
    Apart,
    Buffer,
    Compute,
    Counted,
    Exchange,
    Holds,
    Local,
    Message,
    Node,
    Output,
    Passes,
    Phase,
    Saves,
    State,
    TensorShape,
    Traffic,
    Weight,
    Workspace,
)
from symsim.language.tree.statements import (
    Argument,
    Bind,
    Body,
    Call,
    If,
    Let,
    NoteItem,
    Parameter,
    Region,
    Repeat,
    Require,
)

__all__ = [
    "Apart",
    "Apply",
    "Argument",
    "Assign",
    "Binary",
    "Bind",
    "BlockItem",
    "Body",
    "Buffer",
    "Calibrated",
    "Call",
    "Choose",
    "Compute",
    "ConfigItem",
    "Counted",
    "DefaultsItem",
    "DefineItem",
    "EfficiencyItem",
    "Exchange",
    "Expression",
    "Fact",
    "FamilyItem",
    "FigureEntry",
    "Group",
    "Header",
    "Holds",
    "If",
    "Inert",
    "Item",
    "Let",
    "ListOf",
    "Local",
    "Message",
    "ModelItem",
    "Name",
    "Node",
    "NoteItem",
    "Number",
    "Objective",
    "OperatorItem",
    "OptimizerItem",
    "Output",
    "Parameter",
    "Passes",
    "Phase",
    "ProfileItem",
    "Range",
    "Refuse",
    "Region",
    "Remark",
    "Repeat",
    "Repeated",
    "Require",
    "Saves",
    "SetOf",
    "SourceEntry",
    "State",
    "StrategyFile",
    "SystemEntry",
    "SystemFile",
    "TensorShape",
    "Text",
    "Traffic",
    "Unary",
    "Weight",
    "WordMap",
    "WordsItem",
    "Workspace",
    "descendants",
]


def descendants(node: object) -> Iterator[object]:
    """A node and everything in it, in the order of the text."""
    yield node
    for inner in fields(node) if is_dataclass(node) else ():
        value = getattr(node, inner.name)
        for part in value if isinstance(value, tuple) else (value,):
            if is_dataclass(part) and not isinstance(part, Place):
                yield from descendants(part)
