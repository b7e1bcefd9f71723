"""The Spark session: which settings a run needs to be safe, and which only make it quick."""

import logging
from contextlib import contextmanager

# A run's rules rest on these; what spark-submit was given for them does not count.
REQUIRED = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.eventLog.enabled": "false",
    "spark.sql.catalogImplementation": "in-memory",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.caseSensitive": "false",
    "spark.sql.legacy.timeParserPolicy": "CORRECTED",
    # ${env:HOME} in a SQL text would be replaced, after its digest was checked.
    "spark.sql.variable.substitute": "false",
    # SELECT * FROM csv.`/a/path` reads no file. Segment plans are checked as well (plan.py).
    "spark.sql.runSQLOnFiles": "false",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
}

# Only set where spark-submit says nothing, and only for a local master.
LOCAL_DEFAULTS = {
    "spark.sql.shuffle.partitions": "4",
    "spark.default.parallelism": "4",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
}


@contextmanager
def open_session():
    """A session that ends with the block. The master comes from spark-submit."""
    # Imported here: a refused spec must cost no engine, and pyspark takes a second to load.
    from pyspark import SparkConf
    from pyspark.sql import SparkSession

    conf = SparkConf()
    if conf.get("spark.master", "").startswith("local"):
        for key, value in LOCAL_DEFAULTS.items():
            conf.setIfMissing(key, value)
    for key, value in REQUIRED.items():
        conf.set(key, value)
    spark = SparkSession.builder.appName("chancery").config(conf=conf).getOrCreate()
    quiet(spark)
    try:
        yield spark
    finally:
        spark.stop()


def quiet(spark) -> None:
    """Stops Spark's own logging: a failed task's message quotes the row that it failed on."""
    spark.sparkContext.setLogLevel("OFF")
    for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger", "py4j"):
        logging.getLogger(name).disabled = True
