import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]


@pytest.fixture(scope="session")
def engine(tmp_path_factory):
    """One Spark for all tests: it takes longer to start than any of them to run."""
    from pyspark import SparkConf, SparkContext

    from chancery_app.session import open_session

    conf = {
        "spark.master": "local[2]",
        "spark.sql.warehouse.dir": str(tmp_path_factory.mktemp("warehouse")),
        "spark.driver.memory": "1g",
    }
    SparkContext._ensure_initialized(conf=SparkConf(loadDefaults=False).setAll(list(conf.items())))
    system = SparkContext._jvm.java.lang.System
    for key, value in conf.items():
        system.setProperty(key, value)
    with open_session() as spark:
        yield spark


@pytest.fixture
def session(engine):
    """Opens what the application takes for a new session: its own views, the shared engine."""

    @contextmanager
    def opened():
        yield engine.newSession()
        engine.catalog.clearCache()

    return opened


@pytest.fixture
def no_session():
    """For specs that must be refused before anything of Spark starts."""

    def opened():
        raise AssertionError("Spark was started for a spec that had to be refused")

    return opened
