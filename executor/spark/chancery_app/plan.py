"""What a segment may be: one query over declared views, seen in Spark's own plans of it.

Twice, because each plan shows what the other hides. The parsed plan is checked before the
analyser touches it, as analysis alone can open a file; the analysed plan shows what each
name was resolved to.
"""

from collections.abc import Iterator

from pyspark.sql import DataFrame, SparkSession

from . import causes
from .errors import AppError, Code

NODES_MAX = 20_000

# An allow-list, so that commands, scripts, table functions, inline tables, hints and
# whatever a later Spark adds are refused without being named here.
STATEMENT_NODES = {
    "Project",
    "Filter",
    "Aggregate",
    "UnresolvedHaving",
    "Join",
    "Sort",
    "GlobalLimit",
    "LocalLimit",
    "Distinct",
    "SubqueryAlias",
    "UnresolvedRelation",
}
# Expressions that reach out of the query into the process or to the names of its files.
REFUSED_EXPRESSIONS = {
    "CallMethodViaReflection",
    "TryReflect",
    "ScalaUDF",
    "PythonUDF",
    "InputFileName",
    "InputFileBlockStart",
    "InputFileBlockLength",
}


def check_statement(spark: SparkSession, view: str, sql: str, declared: set[str]) -> None:
    """Refuses a text that is no plain query, or names a relation outside `declared` (case-folded)."""
    try:
        parsed = spark._jsparkSession.sessionState().sqlParser().parsePlan(sql)
    except Exception as error:
        raise causes.from_segment(error, view) from error
    for node in _nodes(parsed, stop=lambda _: False):
        name = node.getClass().getSimpleName()
        if name not in STATEMENT_NODES:
            raise AppError(Code.STATEMENT_REFUSED, f"{view}: {name} is not part of a plain query")
        if name == "UnresolvedRelation":
            parts = _items(node.multipartIdentifier())
            if len(parts) != 1 or parts[0].casefold() not in declared:
                raise AppError(Code.UNDECLARED_RELATION, f"{view}: relation {'.'.join(parts)} is not declared")


def check_analysed(view: str, frame: DataFrame, declared: set[str]) -> None:
    """Refuses a plan with a leaf that is no declared temporary view, or with a refused expression."""
    nodes = _nodes(frame._jdf.queryExecution().analyzed(), stop=_is_view)
    for node in nodes:
        if _is_view(node):
            name = node.desc().identifier().table()
            if not node.isTempView() or name.casefold() not in declared:
                raise AppError(Code.UNDECLARED_RELATION, f"{view}: relation {name} is not declared")
            continue
        if node.children().isEmpty():
            kind = node.getClass().getSimpleName()
            raise AppError(Code.UNDECLARED_RELATION, f"{view}: {kind} reads no declared relation")
        for expression in _items(node.expressions()):
            _check_expression(view, expression)


def _check_expression(view: str, root) -> None:
    for expression in _walk(root, lambda e: _items(e.children())):
        name = expression.getClass().getSimpleName()
        if name in REFUSED_EXPRESSIONS:
            raise AppError(Code.FUNCTION_REFUSED, f"{view}: {expression.prettyName()}")


def _is_view(node) -> bool:
    return node.getClass().getSimpleName() == "View"


def _nodes(root, stop) -> Iterator:
    """`root` and every plan below it, in subqueries too; nothing below a node that `stop` accepts."""

    def below(node):
        if stop(node):
            return []
        return _items(node.children()) + _items(node.innerChildren()) + _items(node.subqueries())

    return _walk(root, below)


def _walk(root, below) -> Iterator:
    waiting, seen = [root], 0
    while waiting:
        seen += 1
        if seen > NODES_MAX:
            raise AppError(Code.STATEMENT_REFUSED, f"plan has more than {NODES_MAX} nodes")
        node = waiting.pop()
        yield node
        waiting += below(node)


def _items(sequence) -> list:
    """A Scala Seq as a list."""
    return [sequence.apply(i) for i in range(sequence.size())]
