"""Spark's plans over the bridge to its JVM: sequences, kinds of nodes, bounded walks."""

from collections.abc import Iterator

from .errors import AppError, Code

NODES_MAX = 20_000


def kind(node) -> str:
    """The class of a plan node or an expression."""
    return node.getClass().getSimpleName()


def items(sequence) -> list:
    """A Scala Seq as a list."""
    return [sequence.apply(i) for i in range(sequence.size())]


def walk(root, below) -> Iterator:
    """`root` and everything below it, up to a bound."""
    waiting, seen = [root], 0
    while waiting:
        seen += 1
        if seen > NODES_MAX:
            raise AppError(Code.STATEMENT_REFUSED, f"plan has more than {NODES_MAX} nodes")
        node = waiting.pop()
        yield node
        waiting += below(node)
