"""What Spark says went wrong, by its stable error conditions and never by its texts."""

from .errors import AppError, Code, unexpected

CAUSES_MAX = 32

# Conditions of the data rather than of the engine, by how they begin.
_SCHEMA = (
    "MALFORMED_RECORD_IN_PARSING",
    "MALFORMED_CSV_RECORD",
    "CANNOT_PARSE_JSON_FIELD",
    "FAILED_READ_FILE.PARQUET_COLUMN_DATA_TYPE_MISMATCH",
)
_RAGGED = "MALFORMED_CSV_RECORD"
_NOT_THERE = ("PATH_NOT_FOUND", "FAILED_READ_FILE", "UNABLE_TO_INFER_SCHEMA", "CANNOT_READ_FILE_FOOTER")


def chain(error: BaseException) -> list[tuple[str, str]]:
    """(Java class, error condition or "") of an exception from Spark and of each of its causes."""
    java = getattr(error, "_origin", None) or getattr(error, "java_exception", None)
    links = []
    while java is not None and len(links) < CAUSES_MAX:
        # Only a SparkThrowable has a condition; asking any other is an error in the bridge.
        try:
            condition = java.getCondition() or ""
        except Exception:
            condition = ""
        links.append((java.getClass().getName(), condition))
        java = java.getCause()
    return links


def from_load(error: BaseException, alias: str) -> AppError:
    """A failure while an input was read."""
    links = chain(error)
    conditions = [c for _, c in links if c]
    if any(c.startswith(_SCHEMA) for c in conditions) or _header_refused(links):
        return AppError(Code.DATASET_SCHEMA_MISMATCH, f"{alias}: a record does not match the declared columns")
    if any(c.startswith(_NOT_THERE) for c in conditions):
        return AppError(Code.DATASET_UNREADABLE, f"{alias}: {conditions[0]}")
    return from_engine(error)


def is_ragged(error: BaseException) -> bool:
    """Whether a CSV record has too few or too many fields, so that no one column is at fault."""
    return any(c.startswith(_RAGGED) for _, c in chain(error))


def from_segment(error: BaseException, view: str) -> AppError:
    """A failure while a segment was parsed, analysed or run."""
    links = chain(error)
    kinds = {name.rsplit(".", 1)[-1] for name, _ in links}
    condition = next((c for _, c in reversed(links) if c), "no condition")
    if "ParseException" in kinds:
        return AppError(Code.SEGMENT_PARSE_FAILED, f"{view}: {condition}")
    if kinds & {"AnalysisException", "ExtendedAnalysisException"}:
        return AppError(Code.SEGMENT_ANALYSIS_FAILED, f"{view}: {condition}")
    if any(c for _, c in links):
        return AppError(Code.SEGMENT_EXECUTION_FAILED, f"{view}: {condition}")
    return from_engine(error)


def from_engine(error: BaseException) -> AppError:
    """A failure that no other rule explains: the deepest known cause, by class and condition."""
    links = chain(error)
    if not links:
        return unexpected(error)
    name, _ = links[-1]
    condition = next((c for _, c in reversed(links) if c), "")
    return AppError(Code.ENGINE_ERROR, f"{name} {condition}")


def _header_refused(links: list[tuple[str, str]]) -> bool:
    """Spark's own header check, which has no named condition (header.py cannot see into a compressed file)."""
    return any(n.endswith("SparkIllegalArgumentException") for n, _ in links)
