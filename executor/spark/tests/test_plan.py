"""What a segment's text may be, checked on Spark's plans of it, without the rest of a run."""

import pytest

from chancery_app.errors import AppError
from chancery_app.run import run_segment
from chancery_app.spec import Segment


@pytest.fixture
def refusal(engine):
    """The code that a text is refused with, where only the view `people` is declared."""
    spark = engine.newSession()
    spark.sql("SELECT id, 'red' AS team FROM range(3)").createOrReplaceTempView("people")
    spark.sql("SELECT id AS n FROM range(3)").createOrReplaceTempView("hidden")

    def run(sql: str) -> str:
        with pytest.raises(AppError) as caught:
            run_segment(spark, Segment(1, "result", sql, (), (), (), (), ()), {"people": 3})
        return caught.value.code.value

    return run


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM csv.`/etc/passwd`",
        "SELECT * FROM csv.`file:///etc/passwd`",
        "SELECT id FROM people WHERE team IN (SELECT value FROM text.`/etc/passwd`)",
        "SELECT (SELECT MAX(value) FROM text.`/etc/passwd`) AS m FROM people",
        "SELECT id FROM people WHERE EXISTS (SELECT 1 FROM secrets)",
        "SELECT id FROM people JOIN secrets ON true",
        "SELECT id FROM default.people",
        "SELECT id FROM spark_catalog.default.people",
        "SELECT n FROM hidden",
        "SELECT id FROM result",
    ],
)
def test_a_relation_that_is_not_declared(refusal, sql):
    assert refusal(sql) == "undeclared_relation"


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE t (a INT)",
        "CREATE TEMPORARY VIEW t AS SELECT 1 AS a",
        "DROP VIEW people",
        "INSERT INTO people SELECT * FROM people",
        "INSERT OVERWRITE DIRECTORY '/x' USING csv SELECT id FROM people",
        "SET spark.sql.runSQLOnFiles=true",
        "ADD JAR '/x.jar'",
        "CACHE TABLE people",
        "DESCRIBE people",
        "SHOW TABLES",
        "EXPLAIN SELECT id FROM people",
        "EXECUTE IMMEDIATE 'SELECT 1'",
        "BEGIN SELECT 1; END",
        "SELECT TRANSFORM(id) USING 'cat' AS (x STRING) FROM people",
        "SELECT * FROM range(3)",
        "SELECT * FROM VALUES (1) AS t(a)",
        "SELECT 1 AS a",
        "SELECT n FROM IDENTIFIER('hid' || 'den')",
        "WITH people AS (SELECT 1 AS id) SELECT id FROM people",
        "SELECT x FROM people LATERAL VIEW posexplode(split(team, 'e')) t AS p, x",
        "SELECT id FROM people UNION ALL SELECT * FROM VALUES (1) AS t(a)",
        "SELECT /*+ BROADCAST(people) */ id FROM people",
    ],
)
def test_a_text_that_is_no_plain_query(refusal, sql):
    assert refusal(sql) == "statement_refused"


@pytest.mark.parametrize(
    "call",
    [
        "reflect('java.lang.System', 'lineSeparator')",
        "try_reflect('java.lang.System', 'lineSeparator')",
        "input_file_name()",
    ],
)
def test_a_function_that_reaches_out_of_the_query(refusal, call):
    assert refusal(f"SELECT id, upper({call}) AS x FROM people") == "function_refused"


def test_the_analysed_plan_is_checked_on_its_own(engine):
    """Were the first check to miss a relation, the second does not."""
    from chancery_app.plan import check_analysed

    for frame in (engine.range(3), engine.sql("SELECT * FROM VALUES (1) AS t(a)")):
        with pytest.raises(AppError) as caught:
            check_analysed("result", frame, {"people"})
        assert caught.value.code.value == "undeclared_relation"
