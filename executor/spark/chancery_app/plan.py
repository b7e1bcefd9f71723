"""What a segment may be: one query over declared views, seen in Spark's own plans of it.

Twice, because each plan shows what the other hides. The parsed plan is checked before the
analyser touches it, as analysis alone can open a file; the analysed plan shows what each
name was resolved to.
"""

from collections.abc import Iterator

from pyspark.sql import DataFrame, SparkSession

from . import causes
from .errors import AppError, Code
from .jvm import items, kind, walk

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
    "UnresolvedSubqueryColumnAliases",
    "UnresolvedRelation",
    "UnresolvedWith",
    "Union",
    "Intersect",
    "Except",
    "Generate",
}
# The one generator that the analysis reads, by its two functions.
GENERATORS = {"explode"}
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
    nodes = list(_nodes(parsed, stop=lambda _: False))
    tables = _with_tables(view, nodes, declared)
    for node in nodes:
        name = kind(node)
        if name not in STATEMENT_NODES:
            raise AppError(Code.STATEMENT_REFUSED, f"{view}: {name} is not part of a plain query")
        if name == "UnresolvedRelation":
            parts = items(node.multipartIdentifier())
            if len(parts) != 1 or parts[0].casefold() not in declared | tables:
                raise AppError(Code.UNDECLARED_RELATION, f"{view}: relation {'.'.join(parts)} is not declared")
        if name == "Generate" and node.generator().prettyName().casefold() not in GENERATORS:
            raise AppError(Code.STATEMENT_REFUSED, f"{view}: {node.generator().prettyName()} in a lateral view")


def _with_tables(view: str, nodes: list, declared: set[str]) -> set[str]:
    """The names of WITH tables, none of which may hide another relation."""
    names = [r._1() for n in nodes if kind(n) == "UnresolvedWith" for r in items(n.cteRelations())]
    tables: set[str] = set()
    for name in names:
        if name.casefold() in declared | tables:
            raise AppError(Code.STATEMENT_REFUSED, f"{view}: two relations are named {name}")
        tables.add(name.casefold())
    return tables


def check_analysed(view: str, frame: DataFrame, declared: set[str]) -> None:
    """Refuses a plan with a leaf that is no declared temporary view, or with a refused expression."""
    nodes = list(_nodes(frame._jdf.queryExecution().analyzed(), stop=_is_view))
    tables = {n.id() for n in nodes if kind(n) == "CTERelationDef"}
    for node in nodes:
        if _is_view(node):
            name = node.desc().identifier().table()
            if not node.isTempView() or name.casefold() not in declared:
                raise AppError(Code.UNDECLARED_RELATION, f"{view}: relation {name} is not declared")
            continue
        if kind(node) == "CTERelationRef" and node.cteId() in tables:
            continue
        if node.children().isEmpty():
            raise AppError(Code.UNDECLARED_RELATION, f"{view}: {kind(node)} reads no declared relation")
        for expression in items(node.expressions()):
            _check_expression(view, expression)


def _check_expression(view: str, root) -> None:
    for expression in walk(root, lambda e: items(e.children())):
        if kind(expression) in REFUSED_EXPRESSIONS:
            raise AppError(Code.FUNCTION_REFUSED, f"{view}: {expression.prettyName()}")


def _is_view(node) -> bool:
    return kind(node) == "View"


def _nodes(root, stop) -> Iterator:
    """`root` and every plan below it, in subqueries too; nothing below a node that `stop` accepts."""

    def below(node):
        if stop(node):
            return []
        return items(node.children()) + items(node.innerChildren()) + items(node.subqueries())

    return walk(root, below)
