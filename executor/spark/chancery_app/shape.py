"""Checks of single spec fields. Each takes a decoded value and where it stands, and refuses or returns it."""

import posixpath
import re
from collections.abc import Callable
from typing import TypeVar

from .errors import AppError, Code

T = TypeVar("T")

TEXT_CHARS_MAX = 4096
SQL_CHARS_MAX = 256 * 1024
ROWS_MAX = 2**53 - 1
HIDDEN_PREFIX = "__chancery_"
# As in governance/src/decimal.rs.
PRECISION_MAX = 38

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_DECIMAL = re.compile(r"decimal\(([1-9][0-9]?),(0|[1-9][0-9]?)\)")
_VIEW = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


def refused(where: str, why: str) -> AppError:
    return AppError(Code.SPEC_INVALID, f"{where}: {why}")


def record(value, where: str, keys: set[str]) -> dict:
    """A map with exactly `keys`."""
    if type(value) is not dict:
        raise refused(where, "not a map")
    # Sorted, so that the same spec is always refused with the same text.
    if missing := sorted(keys - value.keys()):
        raise refused(where, f"missing key {missing[0]}")
    if unknown := sorted(value.keys() - keys):
        raise refused(where, f"unknown key {unknown[0]}")
    return value


def array(value, where: str, item: Callable[[object, str], T], count_max: int, count_min: int = 0) -> tuple[T, ...]:
    if type(value) is not list:
        raise refused(where, "not an array")
    if not count_min <= len(value) <= count_max:
        raise refused(where, f"not {count_min} to {count_max} items")
    return tuple(item(v, f"{where}[{i}]") for i, v in enumerate(value))


def text(value, where: str, chars_max: int = TEXT_CHARS_MAX) -> str:
    if type(value) is not str:
        raise refused(where, "not text")
    if len(value) > chars_max:
        raise refused(where, f"longer than {chars_max} characters")
    return value


def sql(value, where: str) -> str:
    return text(value, where, SQL_CHARS_MAX)


def text_or_null(value, where: str) -> str | None:
    return None if value is None else text(value, where)


def boolean(value, where: str) -> bool:
    if type(value) is not bool:
        raise refused(where, "not a boolean")
    return value


def integer(value, where: str, least: int = -ROWS_MAX, most: int = ROWS_MAX) -> int:
    if type(value) is not int or not least <= value <= most:
        raise refused(where, f"not an integer from {least} to {most}")
    return value


def count(value, where: str) -> int:
    return integer(value, where, least=0)


def uuid(value, where: str) -> str:
    return _matching(value, where, _UUID, "not a lower-case UUID")


def digest(value, where: str) -> str:
    return _matching(value, where, _DIGEST, "not sha256:<64 hex digits>")


def view(value, where: str) -> str:
    """A name for a temporary view: a plain identifier, outside the reserved prefix."""
    name = _matching(value, where, _VIEW, "not a plain identifier")
    if name.casefold().startswith(HIDDEN_PREFIX):
        raise refused(where, f"begins with the reserved {HIDDEN_PREFIX}")
    return name


def column(value, where: str) -> str:
    """A dataset's column name: printable text, outside the reserved prefix."""
    name = any_column(value, where)
    if name.casefold().startswith(HIDDEN_PREFIX):
        raise refused(where, f"begins with the reserved {HIDDEN_PREFIX}")
    return name


def any_column(value, where: str) -> str:
    """A column's name, hidden ones too."""
    name = text(value, where, 255)
    if not name or not name.isprintable():
        raise refused(where, "not a printable name")
    return name


def decimal(name: str) -> tuple[int, int] | None:
    """Precision and scale of the type `decimal(p,s)`; none where `name` is no such type."""
    found = _DECIMAL.fullmatch(name)
    if not found:
        return None
    precision, scale = int(found[1]), int(found[2])
    return (precision, scale) if scale <= precision <= PRECISION_MAX else None


def choice(*allowed: str) -> Callable[[object, str], str]:
    def check(value, where: str) -> str:
        if type(value) is not str or value not in allowed:
            raise refused(where, "not one of " + ", ".join(allowed))
        return value

    return check


def path(value, where: str) -> str:
    """An absolute, normalised path that Hadoop's file names and globs take as it stands."""
    name = text(value, where)
    if not name.startswith("/") or name.startswith("//") or name == "/" or posixpath.normpath(name) != name:
        raise refused(where, "not an absolute, normalised path")
    if not name.isprintable() or set(name) & set("*?[]{}\\:"):
        raise refused(where, "has a character that a pattern or a URI would take")
    return name


def distinct(names, where: str) -> None:
    """Refuses two names that Spark, which ignores case, would take for one."""
    seen: set[str] = set()
    for name in names:
        if name.casefold() in seen:
            raise refused(where, f"duplicate name {name}")
        seen.add(name.casefold())


def _matching(value, where: str, pattern: re.Pattern[str], why: str) -> str:
    if type(value) is not str or not pattern.fullmatch(value):
        raise refused(where, why)
    return value
