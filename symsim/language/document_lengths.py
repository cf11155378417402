"""The lengths of documents as a strategy writes them: ``lengths = [repeat 30 512, repeat 50 2048, 8192]``."""

from __future__ import annotations

from symsim.diagnostics import error
from symsim.language import tree
from symsim.language.expressions import Plain, Value, describe, evaluate
from symsim.records.document_lengths import MAX_LENGTHS, Documents

HINT = "a list of tokens, with how often: lengths = [repeat 30 512, repeat 50 2048, 8192]"


def document_lengths(node: tree.Expression) -> Value:
    """The canonical text of a list of lengths, or the word ``none``.

    Raises:
        InputError: no list, lengths that are no whole numbers from 1 on, or too many different ones.
    """
    items = [(i.value, i.times) for i in node.items] if isinstance(node, tree.ListOf) else [(node, 1)]
    found: list[tuple[int, int]] = []
    for item, times in items:
        value = evaluate(item, Plain({}))
        if value == "none" and len(items) == 1:
            return value
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 10**9:
            raise error("E312", f"the length of a document is a whole number, not {describe(value)}", item.place, HINT)
        found.append((value, times))
    documents = Documents.of(found)
    if len(documents.counts) > MAX_LENGTHS:
        message = f"{len(documents.counts)} different lengths of documents"
        raise error("E312", message, node.place, f"at most {MAX_LENGTHS} are distinguished: round them")
    return documents.text
