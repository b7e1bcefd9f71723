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
from .shape import HIDDEN_PREFIX
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
    DecimalType: "double",
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
    columns = output_columns(frame)
    frame = frame.select([_cast(frame[c["name"]], c) for c in columns])
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


def output_columns(frame: DataFrame) -> list[dict]:
    """The columns as {name, type}; refuses hidden ones, two of a name, and types no dataset has."""
    columns = []
    for field in frame.schema.fields:
        if field.name.casefold().startswith(HIDDEN_PREFIX):
            raise AppError(Code.HIDDEN_COLUMN_IN_OUTPUT, f"column {field.name}")
        kind = WRITTEN_AS.get(type(field.dataType))
        if kind is None:
            raise AppError(Code.OUTPUT_COLUMNS_INVALID, f"column {field.name}: no {field.dataType.simpleString()}")
        columns.append({"name": field.name, "type": kind})
    names = [c["name"].casefold() for c in columns]
    if len(set(names)) != len(names):
        raise AppError(Code.OUTPUT_COLUMNS_INVALID, "two columns have the same name")
    return columns


def _cast(value: Column, column: dict) -> Column:
    return value.cast(column["type"]).alias(column["name"])


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
