"""The job spec, version 1: what it holds, and every check made on it before Spark starts."""

import base64
import binascii
import hashlib
import os
from dataclasses import dataclass

from . import canonical, cose, privacy, shape
from .errors import AppError, Code

SPEC_BYTES_MAX = 4 * 1024 * 1024
VERSION = 1
AUDIENCE = "chancery/v1/spark-application"
ITEMS_MAX = 64
COLUMNS_MAX = 1024
GROUP_PREFIX = shape.HIDDEN_PREFIX + "group_"
ROW_PREFIX = shape.HIDDEN_PREFIX + "row_"

FORMATS = shape.choice("csv", "json", "parquet")
ENCRYPTIONS = shape.choice("chunked-aes-256-gcm")
WITHHELD = shape.choice("logging", "telemetry")
PLAIN_TYPES = shape.choice("string", "long", "double", "boolean", "date", "timestamp")


@dataclass(frozen=True)
class Column:
    name: str
    type: str


@dataclass(frozen=True)
class Input:
    alias: str
    dataset: str
    version_digest: str
    format: str
    path: str
    null_value: str | None
    columns: tuple[Column, ...]
    allowed_columns: tuple[str, ...]
    row_identity: bool
    encryption: str | None = None


@dataclass(frozen=True)
class Output:
    dataset: str
    format: str
    path: str
    columns: tuple[Column, ...] | None = None


@dataclass(frozen=True)
class PreCondition:
    view: str
    min_rows: int


@dataclass(frozen=True)
class Minimum:
    """A least value for each row of a column; for a post-filter rows go, for a group the run fails."""

    column: str
    minimum: int


@dataclass(frozen=True)
class Reads:
    """The columns that a segment reads of an input or a view of a lower order."""

    relation: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Segment:
    order: int
    view: str
    sql: str
    reads: tuple[Reads, ...]
    output: tuple[str, ...]
    pre_conditions: tuple[PreCondition, ...]
    post_filters: tuple[Minimum, ...]
    groups: tuple[Minimum, ...]


@dataclass(frozen=True)
class Spec:
    """A spec that passed every check. `digest` is of the file's bytes."""

    digest: str
    run: str
    query_digest: str
    inputs: tuple[Input, ...]
    output: Output
    segments: tuple[Segment, ...]
    withheld: tuple[str, ...]
    privacy: privacy.Privacy | None


@dataclass(frozen=True)
class Authentic:
    """A payload that the pinned executor signed, its fields not checked yet."""

    digest: str
    payload: dict

    @property
    def run(self) -> str | None:
        run = self.payload.get("run")
        return run if type(run) is str and len(run) == 36 else None


def read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(SPEC_BYTES_MAX + 1)
    except OSError as error:
        raise AppError(Code.SPEC_UNREADABLE, type(error).__name__) from error
    if len(data) > SPEC_BYTES_MAX:
        raise AppError(Code.SPEC_UNREADABLE, f"larger than {SPEC_BYTES_MAX} bytes")
    return data


def authenticate(data: bytes, pin: bytes) -> Authentic:
    """Checks envelope, key and signature. The key travels inside; the pin says which one is meant."""
    envelope = cose.parse(data)
    payload = canonical.decode(envelope.payload, "payload")
    if type(payload) is not dict:
        raise AppError(Code.SPEC_MALFORMED, "payload is not a map")
    cose.verify(envelope, _public_key(payload.get("executor_public_key")), pin)
    return Authentic(f"sha256:{hashlib.sha256(data).hexdigest()}", payload)


def accept(authentic: Authentic, measurement: str, now_ms: int) -> Spec:
    """Checks all else, in the order of the README, for the application that measures `measurement`."""
    payload = authentic.payload
    canonical.data_model(payload)
    # The audience tells which shape to expect, so it goes before the shape.
    if payload.get("audience") != AUDIENCE:
        raise AppError(Code.AUDIENCE_MISMATCH, "the spec is meant for another application")
    # Left out where nothing is withheld, and where no input asks for differential privacy.
    optional = {"withheld", "privacy"} & payload.keys()
    shape.record(payload, "spec", optional | {
        "v", "audience", "collaboration", "run", "query", "query_digest", "application_measurement",
        "executor_public_key", "nonce", "expires_ms", "inputs", "output", "segments",
    })  # fmt: skip
    shape.integer(payload["v"], "v", VERSION, VERSION)
    for key in ("collaboration", "run", "query"):
        shape.uuid(payload[key], key)
    for key in ("query_digest", "application_measurement", "nonce"):
        shape.digest(payload[key], key)
    if shape.count(payload["expires_ms"], "expires_ms") <= now_ms:
        raise AppError(Code.SPEC_EXPIRED, "expires_ms is past")
    if payload["application_measurement"] != measurement:
        raise AppError(Code.MEASUREMENT_MISMATCH, f"this application measures {measurement}")
    inputs = shape.array(payload["inputs"], "inputs", _input, ITEMS_MAX, 1)
    output = _output(payload["output"], "output")
    segments = shape.array(payload["segments"], "segments", _segment, ITEMS_MAX, 1)
    withheld = shape.array(payload["withheld"], "withheld", WITHHELD, 2, 1) if "withheld" in optional else ()
    shape.distinct(withheld, "withheld")
    private = privacy.read(payload["privacy"], "privacy") if "privacy" in optional else None
    _whole(inputs, segments)
    if os.path.lexists(output.path):
        raise AppError(Code.OUTPUT_EXISTS, "output path exists; a run never writes over another")
    ordered = tuple(sorted(segments, key=lambda s: s.order))
    if private is not None:
        _private(private, inputs, ordered)
    return Spec(authentic.digest, payload["run"], payload["query_digest"], inputs, output, ordered, withheld, private)


def _private(private: privacy.Privacy, inputs: tuple[Input, ...], ordered: tuple[Segment, ...]) -> None:
    """Only the last segment reads the input, all that it gives is noised, and nothing else counts rows of it."""
    *earlier, last = ordered
    if private.alias not in {i.alias for i in inputs}:
        raise shape.refused("privacy.alias", "no such input")
    if any(r.relation == private.alias for segment in earlier for r in segment.reads):
        raise shape.refused("privacy.alias", "an earlier segment reads it")
    if any(c.view.casefold() == private.alias.casefold() for s in ordered for c in s.pre_conditions):
        raise shape.refused("privacy.alias", "a pre-condition counts its rows")
    if last.post_filters or last.groups:
        raise shape.refused(f"segment {last.view}", "a filter or a minimum before the noise")
    sources = {key.source for key in private.keys} | {draw.source for draw in private.draws}
    if missing := sorted(sources - set(last.output)):
        raise shape.refused("privacy", f"{last.view} gives no {missing[0]}")


def _whole(inputs: tuple[Input, ...], segments: tuple[Segment, ...]) -> None:
    """What must hold between the parts."""
    shape.distinct([i.alias for i in inputs] + [s.view for s in segments], "aliases and views")
    last = max(s.order for s in segments)
    if sum(s.order == last for s in segments) != 1:
        raise shape.refused("segments", "the last order does not hold exactly one segment")
    groups = {GROUP_PREFIX + i.alias for i in inputs}
    for segment in segments:
        shape.distinct((r.relation for r in segment.reads), f"segment {segment.view} reads")
        if unknown := [g.column for g in segment.groups if g.column not in groups]:
            raise shape.refused(f"segment {segment.view}", f"group column {unknown[0]} names no input")


def _input(value, where: str) -> Input:
    names = set(Input.__dataclass_fields__)
    # Left out where the files are not encrypted.
    if type(value) is not dict or "encryption" not in value:
        names.remove("encryption")
    r = shape.record(value, where, names)
    columns = shape.array(r["columns"], f"{where}.columns", _column, COLUMNS_MAX, 1)
    allowed = shape.array(r["allowed_columns"], f"{where}.allowed_columns", shape.column, COLUMNS_MAX, 1)
    shape.distinct((c.name for c in columns), f"{where}.columns")
    shape.distinct(allowed, f"{where}.allowed_columns")
    if unknown := sorted(set(allowed) - {c.name for c in columns}):
        raise shape.refused(f"{where}.allowed_columns", f"no column {unknown[0]}")
    return Input(
        alias=shape.view(r["alias"], f"{where}.alias"),
        dataset=shape.uuid(r["dataset"], f"{where}.dataset"),
        version_digest=shape.digest(r["version_digest"], f"{where}.version_digest"),
        format=FORMATS(r["format"], f"{where}.format"),
        path=shape.path(r["path"], f"{where}.path"),
        null_value=shape.text_or_null(r["null_value"], f"{where}.null_value"),
        columns=columns,
        allowed_columns=allowed,
        row_identity=shape.boolean(r["row_identity"], f"{where}.row_identity"),
        encryption=ENCRYPTIONS(r["encryption"], f"{where}.encryption") if "encryption" in r else None,
    )


def _column(value, where: str) -> Column:
    r = shape.record(value, where, {"name", "type"})
    return Column(shape.column(r["name"], f"{where}.name"), _type(r["type"], f"{where}.type"))


def _type(value, where: str) -> str:
    if type(value) is str and shape.decimal(value):
        return value
    return PLAIN_TYPES(value, where)


def _output(value, where: str) -> Output:
    names = {"dataset", "format", "path"}
    # Left out where no column is a decimal.
    if type(value) is dict and "columns" in value:
        names.add("columns")
    r = shape.record(value, where, names)
    columns = None
    if "columns" in r:
        columns = shape.array(r["columns"], f"{where}.columns", _column, COLUMNS_MAX, 1)
        shape.distinct((c.name for c in columns), f"{where}.columns")
    return Output(
        dataset=shape.uuid(r["dataset"], f"{where}.dataset"),
        format=FORMATS(r["format"], f"{where}.format"),
        path=shape.path(r["path"], f"{where}.path"),
        columns=columns,
    )


def _segment(value, where: str) -> Segment:
    r = shape.record(value, where, {
        "order", "view", "text", "sql", "text_digest", "sql_digest", "reads", "output", "pre_conditions",
        "post_filters", "groups",
    })  # fmt: skip
    for key in ("text", "sql"):
        digest = hashlib.sha256(shape.sql(r[key], f"{where}.{key}").encode()).hexdigest()
        if shape.digest(r[f"{key}_digest"], f"{where}.{key}_digest") != f"sha256:{digest}":
            raise AppError(Code.DIGEST_MISMATCH, f"{where}.{key}_digest is not the digest of {where}.{key}")
    return Segment(
        order=shape.count(r["order"], f"{where}.order"),
        view=shape.view(r["view"], f"{where}.view"),
        sql=r["sql"],
        reads=shape.array(r["reads"], f"{where}.reads", _reads, ITEMS_MAX),
        output=shape.array(r["output"], f"{where}.output", shape.any_column, COLUMNS_MAX, 1),
        pre_conditions=shape.array(r["pre_conditions"], f"{where}.pre_conditions", _pre_condition, ITEMS_MAX),
        post_filters=shape.array(r["post_filters"], f"{where}.post_filters", _minimum, ITEMS_MAX),
        groups=shape.array(r["groups"], f"{where}.groups", _minimum, ITEMS_MAX),
    )


def _reads(value, where: str) -> Reads:
    r = shape.record(value, where, {"relation", "columns"})
    columns = shape.array(r["columns"], f"{where}.columns", shape.any_column, COLUMNS_MAX)
    return Reads(shape.view(r["relation"], f"{where}.relation"), columns)


def _pre_condition(value, where: str) -> PreCondition:
    r = shape.record(value, where, {"view", "min_rows"})
    return PreCondition(shape.view(r["view"], f"{where}.view"), shape.count(r["min_rows"], f"{where}.min_rows"))


def _minimum(value, where: str) -> Minimum:
    r = shape.record(value, where, {"column", "minimum"})
    return Minimum(shape.text(r["column"], f"{where}.column", 255), shape.integer(r["minimum"], f"{where}.minimum"))


def _public_key(value) -> bytes:
    """Raw Ed25519 key from base64url without padding, in its one spelling."""
    try:
        key = base64.urlsafe_b64decode(value + "=") if type(value) is str else b""
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != cose.KEY_BYTES or base64.urlsafe_b64encode(key).rstrip(b"=").decode() != value:
        raise AppError(Code.SPEC_INVALID, "executor_public_key: not 32 bytes in base64url without padding")
    return key
