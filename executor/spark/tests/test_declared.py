"""Spark's own reading of a text against what the spec declares of it."""

import pytest

from chancery_app.declared import read
from job import changed, dataset, payload, run, segment, sign

SEGMENT = ("segments", 0)
PEOPLE = {"id": "long", "team": "string", "pay": "double"}
TEAMS = {"team": "string", "city": "string"}


@pytest.fixture
def honest(tmp_path) -> dict:
    """A spec that runs: two inputs, of which the text reads some columns."""
    inputs = []
    for name, columns, rows in (("people", PEOPLE, "1,red,2.5\n"), ("teams", TEAMS, "red,Oslo\n")):
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True)
        (folder / "a.csv").write_text(",".join(columns) + "\n" + rows)
        inputs.append(dataset(name, folder, columns))
    sql = "SELECT t.city AS city, COUNT(*) AS n FROM people AS p JOIN teams AS t ON p.team = t.team GROUP BY t.city"
    reads = [
        {"relation": "people", "columns": ["team"]},
        {"relation": "teams", "columns": ["city", "team"]},
    ]
    return payload(inputs, [segment(1, "result", sql, reads=reads, output=["city", "n"])], tmp_path / "out" / "run")


def text(spec: dict, sql: str) -> dict:
    """The spec with another text, of which the rest of it knows nothing."""
    other = segment(1, "result", sql)
    for key in ("text", "sql", "text_digest", "sql_digest"):
        spec = changed(spec, (*SEGMENT, key), other[key])
    return spec


def test_the_honest_spec_runs(honest, tmp_path, session):
    assert run(tmp_path, sign(honest), session).exit_code == 0


@pytest.mark.parametrize(
    ("sql", "detail"),
    [
        (
            "SELECT t.city AS city, COUNT(p.pay) AS n FROM people AS p JOIN teams AS t ON p.team = t.team GROUP BY t.city",
            "result: column pay of people is read, against the spec",
        ),
        (
            "SELECT t.city AS city, COUNT(*) AS n FROM people AS p JOIN teams AS t ON p.team = t.team "
            "WHERE EXISTS (SELECT 1 FROM people AS q WHERE q.id = 1 AND q.team = t.team) GROUP BY t.city",
            "result: column id of people is read, against the spec",
        ),
        (
            "SELECT t.city AS city, COUNT(*) AS n FROM teams AS t WHERE t.team > 'a' GROUP BY t.city",
            "result: relation people is not read, against the spec",
        ),
        (
            "SELECT p.team AS city, COUNT(*) AS n FROM people AS p JOIN teams AS t ON p.team = t.team GROUP BY p.team",
            "result: column city of teams is not read, against the spec",
        ),
        (
            "SELECT COUNT(*) AS n, t.city AS city FROM people AS p JOIN teams AS t ON p.team = t.team GROUP BY t.city",
            "result: the columns are n, city, against the spec",
        ),
        (
            "SELECT t.city AS city, COUNT(*) AS m FROM people AS p JOIN teams AS t ON p.team = t.team GROUP BY t.city",
            "result: the columns are city, m, against the spec",
        ),
    ],
)
def test_a_tampered_text_is_caught_before_it_runs(honest, tmp_path, session, sql, detail):
    outcome = run(tmp_path, sign(text(honest, sql)), session)
    assert (outcome.code, outcome.detail) == ("plan_mismatch", detail)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ((("reads", 0, "columns"), []), "result: column team of people is read, against the spec"),
        ((("reads", 0, "columns"), ["id", "team"]), "result: column id of people is not read, against the spec"),
        ((("reads", 0, "relation"), "others"), "result: relation others is not read, against the spec"),
        ((("output",), ["city"]), "result: the columns are city, n, against the spec"),
    ],
)
def test_a_tampered_declaration_is_caught(honest, tmp_path, session, change, detail):
    path, value = change
    outcome = run(tmp_path, sign(changed(honest, (*SEGMENT, *path), value)), session)
    assert (outcome.code, outcome.detail) == ("plan_mismatch", detail)


@pytest.mark.parametrize(
    ("sql", "needed"),
    [
        ("SELECT p.id FROM people AS p", {"people": {"id"}}),
        ("SELECT COUNT(*) AS n FROM people AS p", {"people": set()}),
        ("SELECT team FROM people JOIN teams USING (team)", {"people": {"team"}, "teams": {"team"}}),
        ("SELECT d.x FROM (SELECT p.id AS x, p.pay AS y FROM people AS p) AS d", {"people": {"id"}}),
        ("WITH w (a, b) AS (SELECT p.id, p.team FROM people AS p) SELECT w.a FROM w", {"people": {"id", "team"}}),
        ("SELECT p.id FROM people AS p ORDER BY p.pay LIMIT 1", {"people": {"id", "pay"}}),
        ("SELECT p.id FROM people AS p UNION ALL SELECT 1 AS id FROM teams AS t", {"people": {"id"}, "teams": set()}),
        (
            "SELECT p.id FROM people AS p WHERE EXISTS (SELECT 1 FROM teams AS t WHERE t.team = p.team)",
            {"people": {"id", "team"}, "teams": {"team"}},
        ),
        (
            "SELECT (SELECT MAX(t.city) FROM teams AS t) AS m FROM people AS p WHERE p.team IN (SELECT u.team FROM teams AS u)",
            {"people": {"team"}, "teams": {"city", "team"}},
        ),
        (
            "SELECT RANK() OVER (PARTITION BY p.team ORDER BY p.pay) AS r FROM people AS p",
            {"people": {"team", "pay"}},
        ),
        (
            "SELECT t.x FROM people AS p LATERAL VIEW EXPLODE(SPLIT(p.team, ',')) t AS x",
            {"people": {"team"}},
        ),
        (
            "SELECT p.team, MAX(p.pay) AS m FROM people AS p GROUP BY p.team HAVING COUNT(DISTINCT p.id) >= 2",
            {"people": {"id", "team", "pay"}},
        ),
        (
            "(SELECT p.id FROM people AS p EXCEPT SELECT q.id FROM people AS q WHERE q.pay > 1) "
            "INTERSECT SELECT p.id FROM people AS p",
            {"people": {"id", "pay"}},
        ),
    ],
)
def test_what_a_plan_reads(engine, sql, needed):
    from chancery_app.plan import check_analysed, check_statement

    spark = engine.newSession()
    spark.sql("SELECT id, 'red' AS team, 1.5D AS pay FROM range(3)").createOrReplaceTempView("people")
    spark.sql("SELECT 'red' AS team, 'Oslo' AS city FROM range(3)").createOrReplaceTempView("teams")
    check_statement(spark, "result", sql, {"people", "teams"})
    frame = spark.sql(sql)
    check_analysed("result", frame, {"people", "teams"})
    found = read(frame._jdf.queryExecution().analyzed())
    assert found.needed == needed
    assert all(found.needed[r] <= found.named[r] for r in found.needed)
    frame.collect()
