"""Runs the segments in order: what must hold before, the query itself, what must hold after."""

import time
from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f
from pyspark.sql.types import NumericType, StructField, StructType

from . import causes, declared, plan
from .errors import AppError, Code
from .load import TYPES, load
from .spec import Segment, Spec
from .write import write


@dataclass(frozen=True)
class SegmentResult:
    frame: DataFrame
    rows: int
    duration_ms: int


def execute(spark: SparkSession, spec: Spec, progress) -> dict:
    """Does what `spec` says. Returns the manifest, the statistics and the engine for status.json.

    `progress(stage, done, total, label)` is told before each step.
    """
    rows: dict[str, int] = {}
    inputs = []
    mechanisms = _mechanisms(spec)
    for done, source in enumerate(spec.inputs):
        progress("loading", done, len(spec.inputs), source.alias)
        rows[source.alias.casefold()] = load(spark, source)
        inputs.append({"alias": source.alias, "rows": rows[source.alias.casefold()]})

    # Segments of equal order may run side by side. Here they run one after another, in the
    # order of the spec: one local Spark is busy with one of them anyway. So that this makes
    # no difference, a segment sees the views of lower orders only.
    segments = []
    pending: dict[str, int] = {}
    for done, segment in enumerate(spec.segments):
        if done and spec.segments[done - 1].order != segment.order:
            rows |= pending
            pending = {}
        progress("segment", done, len(spec.segments), segment.view)
        if mechanisms is not None and segment is spec.segments[-1]:
            result = run_private(spark, segment, rows, spec.privacy, mechanisms)
        else:
            result = run_segment(spark, segment, rows)
        pending[segment.view.casefold()] = result.rows
        segments.append({"view": segment.view, "rows": result.rows, "duration_ms": result.duration_ms})

    progress("writing", 0, 1, spec.segments[-1].view)
    try:
        files, columns = write(spec.run, result.frame, spec.output)
    except AppError:
        raise
    except Exception as error:
        raise causes.from_engine(error) from error
    if "telemetry" in spec.withheld or mechanisms is not None:
        # The rows of the result stay: its manifest has them anyway. Under differential privacy no
        # other count may leave, and no time that grows with one.
        inputs, segments = [], []
    told = {} if mechanisms is None else {"privacy": mechanisms.record}
    return told | {
        "manifest": {"files": files, "rows": result.rows, "columns": columns},
        "statistics": {"inputs": inputs, "segments": segments, "rows_written": result.rows},
        "engine": {"name": "apache-spark", "version": spark.version},
    }


def _mechanisms(spec: Spec):
    """The noise of the spec, its loss checked before anything is loaded; none where it asks for none."""
    if spec.privacy is None:
        return None
    # Not before here: it takes its time to load, and few specs need it.
    from .noise import Mechanisms

    return Mechanisms(spec.privacy)


def run_private(spark: SparkSession, segment: Segment, rows: dict[str, int], privacy, mechanisms) -> SegmentResult:
    """Runs the segment that reads an input under differential privacy. What it gives is noised, or not there."""
    started = time.monotonic()
    _pre_conditions(segment, rows)
    # An implicit cast that fails would fail the run, and tell of the row that it failed on.
    spark.conf.set("spark.sql.ansi.enabled", "false")
    plan.check_statement(spark, segment.view, segment.sql, set(rows))
    try:
        frame = spark.sql(segment.sql)
        plan.check_analysed(segment.view, frame, set(rows))
        declared.check(segment, frame)
        released = mechanisms.release(row.asDict() for row in frame.toLocalIterator())
        fields = [StructField(c.name, TYPES[c.type], True) for c in privacy.columns]
        noised = spark.createDataFrame(released, StructType(fields))
    except AppError:
        raise
    except Exception as error:
        raise causes.from_segment(error, segment.view) from error
    return SegmentResult(noised, len(released), round((time.monotonic() - started) * 1000))


def run_segment(spark: SparkSession, segment: Segment, rows: dict[str, int]) -> SegmentResult:
    """Runs one segment over the views in `rows` (case-folded name to row count) and makes its view."""
    started = time.monotonic()
    _pre_conditions(segment, rows)
    plan.check_statement(spark, segment.view, segment.sql, set(rows))
    try:
        frame = spark.sql(segment.sql)
        plan.check_analysed(segment.view, frame, set(rows))
        declared.check(segment, frame)
        frame = _post_filtered(segment, frame).persist()
        count = _checked_count(segment, frame)
        frame = frame.drop(*[g.column for g in segment.groups])
        frame.createOrReplaceTempView(segment.view)
    except AppError:
        raise
    except Exception as error:
        raise causes.from_segment(error, segment.view) from error
    return SegmentResult(frame, count, round((time.monotonic() - started) * 1000))


def _pre_conditions(segment: Segment, rows: dict[str, int]) -> None:
    for condition in segment.pre_conditions:
        have = rows.get(condition.view.casefold())
        if have is None:
            raise AppError(Code.PRE_CONDITION_FAILED, f"{segment.view}: no view {condition.view} before it")
        if have < condition.min_rows:
            raise AppError(
                Code.PRE_CONDITION_FAILED,
                f"{segment.view}: {condition.view} has fewer than {condition.min_rows} rows",
            )


def _post_filtered(segment: Segment, frame: DataFrame) -> DataFrame:
    """Keeps the rows at or over each minimum; a null is under it."""
    for rule in segment.post_filters:
        matching = [c for c in frame.schema.fields if c.name.casefold() == rule.column.casefold()]
        if len(matching) != 1:
            raise AppError(Code.POST_FILTER_COLUMN_MISSING, f"{segment.view}: no one column {rule.column}")
        if not isinstance(matching[0].dataType, NumericType):
            raise AppError(Code.POST_FILTER_COLUMN_NOT_NUMERIC, f"{segment.view}: column {rule.column}")
        frame = frame.where(frame[matching[0].name] >= f.lit(rule.minimum))
    return frame


def _checked_count(segment: Segment, frame: DataFrame) -> int:
    """Rows of `frame`, having run it once; refused if a group in any row is under its minimum."""
    for rule in segment.groups:
        if rule.column not in frame.columns:
            raise AppError(Code.GROUP_COLUMN_MISSING, f"{segment.view}: no column {rule.column}")
    small = [f.count_if(~f.coalesce(f.col(g.column) >= f.lit(g.minimum), f.lit(False))) for g in segment.groups]
    count, *violations = frame.agg(f.count(f.lit(1)), *small).first()
    for rule, violating in zip(segment.groups, violations, strict=True):
        if violating:
            raise AppError(
                Code.MINIMUM_GROUP_VIOLATED,
                f"{segment.view}: a group has fewer than {rule.minimum} in {rule.column}",
            )
    return count
