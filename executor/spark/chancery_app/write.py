"""Writes the result as one file into a folder of its own, which appears whole or not at all."""

import hashlib
import os
import shutil

from pyspark.sql import Column, DataFrame
from pyspark.sql.types import (
    BooleanType,
    ByteType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    ShortType,
    StringType,
    TimestampNTZType,
    TimestampType,
)

from .durable import sync_folder
from .errors import AppError, Code
from .shape import HIDDEN_PREFIX, decimal
from .spec import Column as Declared
from .spec import Output

CHUNK_BYTES = 1 << 20

# Spark's types, as the type of a dataset's column that holds them.
WRITTEN_AS: dict[type[DataType], str] = {
    StringType: "string",
    LongType: "long",
    IntegerType: "long",
    ShortType: "long",
    ByteType: "long",
    DoubleType: "double",
    FloatType: "double",
    BooleanType: "boolean",
    DateType: "date",
    TimestampType: "timestamp",
    TimestampNTZType: "timestamp",
}

OPTIONS: dict[str, dict] = {
    "csv": {
        "header": True,
        "escape": '"',
        "ignoreLeadingWhiteSpace": False,
        "ignoreTrailingWhiteSpace": False,
        # The default drops microseconds.
        "timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX",
    },
    "json": {"ignoreNullFields": False, "timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX"},
    "parquet": {"compression": "snappy"},
}


def write(run: str, frame: DataFrame, output: Output) -> tuple[list[dict], list[dict]]:
    """Writes `frame` to `output.path`. Returns the manifest's files and its columns."""
    columns = output_columns(frame, output.columns)
    frame = frame.select([_cast(frame[c["name"]], c, output.format) for c in columns])
    parent, name = os.path.split(output.path)
    os.makedirs(parent, exist_ok=True)
    # The same run leaves the same folder behind when it is killed, so it clears its own.
    staging = os.path.join(parent, f".{name}.{run}.partial")
    shutil.rmtree(staging, ignore_errors=True)
    try:
        frame.coalesce(1).write.format(output.format).options(**OPTIONS[output.format]).save("file://" + staging)
        files = _settle(staging, output.format)
        # rename() takes the place of an empty folder, so look once more. What is between the
        # two is no race: a run's folder carries its id, and one executor holds a run.
        if os.path.lexists(output.path):
            raise AppError(Code.OUTPUT_EXISTS, "output path appeared while the run was under way")
        os.rename(staging, output.path)
        sync_folder(parent)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return files, columns


def output_columns(frame: DataFrame, declared: tuple[Declared, ...] | None) -> list[dict]:
    """The columns as {name, type}; refuses hidden ones, two of a name, and types no dataset has.

    `declared` are the output's where one of them is a decimal. Where none is, a decimal becomes a double.
    """
    columns = []
    for field in frame.schema.fields:
        if field.name.casefold().startswith(HIDDEN_PREFIX):
            raise AppError(Code.HIDDEN_COLUMN_IN_OUTPUT, f"column {field.name}")
        kind = written_as(field.dataType)
        if kind is None:
            raise AppError(Code.OUTPUT_COLUMNS_INVALID, f"column {field.name}: no {field.dataType.simpleString()}")
        columns.append({"name": field.name, "type": kind})
    names = [c["name"].casefold() for c in columns]
    if len(set(names)) != len(names):
        raise AppError(Code.OUTPUT_COLUMNS_INVALID, "two columns have the same name")
    if declared is None:
        return [c | {"type": "double"} if decimal(c["type"]) else c for c in columns]
    if [c["name"] for c in columns] != [c.name for c in declared]:
        raise AppError(Code.OUTPUT_COLUMNS_INVALID, "the columns are not the declared ones")
    return [_as_declared(*pair) for pair in zip(columns, declared, strict=True)]


def _as_declared(column: dict, declared: Declared) -> dict:
    """The column with its declared type: its own, or a double for a decimal."""
    kind = column["type"]
    if kind != declared.type and not (decimal(kind) and declared.type == "double"):
        detail = f"column {declared.name} is of type {kind}, and {declared.type} is declared"
        raise AppError(Code.OUTPUT_COLUMNS_INVALID, detail)
    return column | {"type": declared.type}


def written_as(kind: DataType) -> str | None:
    """The type of a dataset's column for values of a type of Spark's."""
    if isinstance(kind, DecimalType):
        return f"decimal({kind.precision},{kind.scale})"
    return WRITTEN_AS.get(type(kind))


def _cast(value: Column, column: dict, format: str) -> Column:
    value = value.cast(column["type"])
    if format == "csv" and decimal(column["type"]):
        # As text, since the writer's own would be `1E-8` for small numbers.
        value = value.cast("string")
    return value.alias(column["name"])


def _settle(folder: str, suffix: str) -> list[dict]:
    """Leaves exactly the part files in `folder`, plainly named and on disk; returns their manifest."""
    parts = sorted(n for n in os.listdir(folder) if n.startswith("part-"))
    files = []
    for number, part in enumerate(parts):
        name = f"part-{number:05d}.{suffix}"
        os.rename(os.path.join(folder, part), os.path.join(folder, name))
        files.append({"path": name, **_measured(os.path.join(folder, name))})
    kept = {file["path"] for file in files}
    for name in os.listdir(folder):
        if name not in kept:
            os.unlink(os.path.join(folder, name))
    sync_folder(folder)
    return files


def _measured(path: str) -> dict:
    digest, size = hashlib.sha256(), 0
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
        os.fsync(file.fileno())
    return {"digest": f"sha256:{digest.hexdigest()}", "bytes": size}
