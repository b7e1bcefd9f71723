"""Reads each input in full by its declared schema and makes it a view of its allowed columns only."""

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f
from pyspark.sql.types import (
    BooleanType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from . import causes
from .errors import AppError, Code
from .files import check_csv_headers, data_files
from .shape import decimal
from .spec import ROW_PREFIX, Input

TYPES: dict[str, DataType] = {
    "string": StringType(),
    "long": LongType(),
    "double": DoubleType(),
    "boolean": BooleanType(),
    "date": DateType(),
    "timestamp": TimestampType(),
}

CSV_OPTIONS = {
    "header": True,
    # A header that differs from the schema is an error, not a hint.
    "enforceSchema": False,
    # Pruned, the parser would not see that a record has too many or too few fields.
    "columnPruning": False,
    # RFC 4180: a quote in a quoted field is doubled.
    "escape": '"',
}


def spark_type(name: str) -> DataType:
    """The type of a dataset's column, as Spark has it."""
    digits = decimal(name)
    return DecimalType(*digits) if digits else TYPES[name]


def load(spark: SparkSession, source: Input) -> int:
    """Makes the view `source.alias`; returns its rows.

    Reading is lazy, so the rows are counted here, over a cache of all the allowed columns:
    a value that does not parse fails now, under this input's name, and the row ids that
    the cache holds are the same for every segment.
    """
    files = data_files(source)
    if source.format == "csv":
        check_csv_headers(source, files)
    try:
        if source.format == "parquet":
            _check_parquet_schemas(spark, source, files)
        frame = _read(spark, source, source.allowed_columns)
        if source.row_identity:
            frame = frame.withColumn(ROW_PREFIX + source.alias, f.monotonically_increasing_id())
        frame = frame.persist()
        rows = frame.count()
        if source.format == "json":
            _check_json_names(spark, source, frame, rows)
    except AppError:
        raise
    except Exception as error:
        raise _explain(spark, source, error) from error
    frame.createOrReplaceTempView(source.alias)
    return rows


def _read(spark: SparkSession, source: Input, names: tuple[str, ...]) -> DataFrame:
    schema = StructType([StructField(c.name, spark_type(c.type), True) for c in source.columns])
    # No partition columns from folder names: they are in no declared schema.
    reader = spark.read.schema(schema).option("mode", "FAILFAST").option("recursiveFileLookup", True)
    if source.format == "csv":
        reader = reader.options(**CSV_OPTIONS)
        if source.null_value is not None:
            reader = reader.option("nullValue", source.null_value)
    # With the scheme, so that no default file system of the cluster is taken instead.
    return reader.format(source.format).load("file://" + source.path).select([_column(n) for n in names])


def _check_parquet_schemas(spark: SparkSession, source: Input, files: list[str]) -> None:
    """Spark reads a column that a file lacks as null; here it is an error, as is any other type."""
    for file in files:
        found = {field.name: field.dataType for field in spark.read.parquet("file://" + file).schema.fields}
        for column in source.columns:
            if column.name not in found:
                raise _mismatch(source, column.name, "is missing")
            if found[column.name] != spark_type(column.type):
                raise _mismatch(source, column.name, f"is not of type {column.type}")


def _check_json_names(spark: SparkSession, source: Input, frame: DataFrame, rows: int) -> None:
    """An absent key of a record is null; a key that is in no record at all is a missing column."""
    if rows == 0:
        return
    seen = frame.agg(*[f.count(_column(n)).alias(f"c{i}") for i, n in enumerate(source.allowed_columns)]).first()
    empty = [n for i, n in enumerate(source.allowed_columns) if seen[i] == 0]
    if not empty:
        return
    reader = spark.read.option("recursiveFileLookup", True).option("mode", "FAILFAST")
    present = reader.json("file://" + source.path).columns
    for name in empty:
        if name not in present:
            raise _mismatch(source, name, "is missing")


def _explain(spark: SparkSession, source: Input, error: Exception) -> AppError:
    """The failure's code; for a mismatch also its column, found by reading the columns one by one.

    Spark does not tell the column without the row's values, and this costs nothing unless
    the input is refused anyway.
    """
    failure = causes.from_load(error, source.alias)
    if failure.code is not Code.DATASET_SCHEMA_MISMATCH or causes.is_ragged(error):
        return failure
    # A read that matches a cached plan is answered from that plan, and so fails as it did.
    spark.catalog.clearCache()
    faulty = [n for n in source.allowed_columns if not _reads(spark, source, n)]
    # Where every column fails, the record is at fault rather than the first of them.
    if not faulty or (len(faulty) == len(source.allowed_columns) and len(faulty) > 1):
        return failure
    kind = next(c.type for c in source.columns if c.name == faulty[0])
    return _mismatch(source, faulty[0], f"has a value that is not a {kind}")


def _reads(spark: SparkSession, source: Input, name: str) -> bool:
    try:
        _read(spark, source, (name,)).agg(f.count(_column(name))).first()
    except Exception:
        return False
    return True


def _column(name: str):
    """A column by its exact name: dots and back quotes are part of it."""
    return f.col("`" + name.replace("`", "``") + "`")


def _mismatch(source: Input, column: str, why: str) -> AppError:
    return AppError(Code.DATASET_SCHEMA_MISMATCH, f"{source.alias}: column {column} {why}")
