"""What Spark is about to read and to give, seen in its analysed plan, against what the spec declares.

The texts are analysed before they are voted on, by a parser that is not Spark's. Here Spark
tells what it understood: the relations and columns that it will read, and the columns that it
will give. A difference means that the two read the text differently, and nothing is run.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from pyspark.sql import DataFrame

from .errors import AppError, Code
from .jvm import items, kind, walk
from .spec import Segment

# Nodes whose children's columns are all needed, whatever is needed of their own.
WHOLE = {"Union", "Intersect", "Except", "Distinct", "WithCTE", "CTERelationDef"}


@dataclass
class Found:
    """Columns by relation, both case-folded."""

    # Needed for the result or for which rows it has.
    needed: dict[str, set[str]] = field(default_factory=dict)
    # Named anywhere in the plan; Spark itself names some that it does not need.
    named: dict[str, set[str]] = field(default_factory=dict)


def check(segment: Segment, frame: DataFrame) -> None:
    """Refuses a frame that reads or gives anything but what its segment declares."""
    found = read(frame._jdf.queryExecution().analyzed())
    declared = {r.relation.casefold(): {c.casefold() for c in r.columns} for r in segment.reads}
    if found.needed.keys() != declared.keys():
        differing = min(found.needed.keys() ^ declared.keys())
        raise _differs(segment, f"relation {differing} is " + ("read" if differing in found.needed else "not read"))
    for relation, columns in declared.items():
        if undeclared := found.needed[relation] - columns:
            raise _differs(segment, f"column {min(undeclared)} of {relation} is read")
        if unread := columns - found.named[relation]:
            raise _differs(segment, f"column {min(unread)} of {relation} is not read")
    if tuple(frame.columns) != segment.output:
        raise _differs(segment, f"the columns are {', '.join(frame.columns)}")


def _differs(segment: Segment, what: str) -> AppError:
    return AppError(Code.PLAN_MISMATCH, f"{segment.view}: {what}, against the spec")


def read(root) -> Found:
    """What an analysed plan reads of the views at its leaves."""
    found, owners = Found(), {}
    waiting = [(root, None)]
    # A column is looked up where it is made, which is below where it is needed.
    needed: set[int] = set()
    whole: list[str] = []
    while waiting:
        node, wanted = waiting.pop()
        name = kind(node)
        if name == "View":
            relation = node.desc().identifier().table().casefold()
            found.needed.setdefault(relation, set())
            found.named.setdefault(relation, set())
            for attribute in items(node.output()):
                owners[attribute.exprId().id()] = (relation, attribute.name().casefold())
            if wanted is None:
                needed |= {attribute.exprId().id() for attribute in items(node.output())}
            continue
        for expression in items(node.expressions()):
            whole += _attributes(expression)
        used = _used(node, name, wanted)
        attributes = {a for expression in used for a in _attributes(expression)}
        needed |= attributes
        below = None if name in WHOLE else attributes if name in {"Project", "Aggregate"} else _add(wanted, attributes)
        waiting += [(child, below) for child in items(node.children()) + items(node.innerChildren())]
        waiting += [(plan, None) for plan in items(node.subqueries())]
    for attributes, columns in ((needed, found.needed), (whole, found.named)):
        for attribute in attributes:
            if attribute in owners:
                relation, column = owners[attribute]
                columns[relation].add(column)
    return found


def _add(wanted: set[int] | None, attributes: set[int]) -> set[int] | None:
    return None if wanted is None else wanted | attributes


def _used(node, name: str, wanted: set[int] | None) -> list:
    """The expressions of a node that what is wanted of it rests on."""
    if wanted is None:
        return items(node.expressions())
    if name == "Project":
        return [e for e in items(node.projectList()) if e.exprId().id() in wanted]
    if name == "Aggregate":
        made = [e for e in items(node.aggregateExpressions()) if e.exprId().id() in wanted]
        return made + items(node.groupingExpressions())
    return items(node.expressions())


def _attributes(root) -> Iterator[int]:
    """Ids of the columns in an expression, those of a query around a subquery too."""
    for expression in walk(root, lambda e: items(e.children())):
        name = kind(expression)
        if name == "AttributeReference":
            yield expression.exprId().id()
        elif name == "OuterReference":
            yield expression.e().exprId().id()
