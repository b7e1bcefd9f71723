"""Whole runs on a real Spark: one that succeeds in every format, and each way to fail."""

import hashlib
import json
import os

import pytest

from job import RUN, dataset, payload, run, segment, sha256, sign

PEOPLE = {"id": "long", "team": "string", "born": "date", "score": "double", "seen": "timestamp", "ok": "boolean"}
PEOPLE_CSV = """id,team,born,score,seen,ok
1,red,1990-01-02,1.5,2024-01-01T00:00:00Z,true
2,red,1991-01-02,NA,2024-01-01T00:00:00.123456Z,false
3,blue,1992-01-02,2.5,2024-01-01T00:00:00Z,NA
4,"gr""een, x",1993-01-02,1e10,2024-01-01T00:00:00Z,true
"""
TEAMS = {"team": "string", "city": "string"}
TEAMS_CSV = "team,city\nred,Oslo\nblue,Rome\n"


@pytest.fixture
def people(tmp_path):
    return table(tmp_path, "people", PEOPLE_CSV, PEOPLE)


@pytest.fixture
def teams(tmp_path):
    return table(tmp_path, "teams", TEAMS_CSV, TEAMS)


def table(tmp_path, name: str, content: str, columns: dict, suffix: str = "csv", **changes) -> dict:
    folder = tmp_path / "data" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.{suffix}").write_text(content)
    return dataset(name, folder, columns, **changes)


@pytest.fixture
def go(tmp_path, session):
    """Runs inputs and segments; the output goes to tmp_path/out/run."""

    def start(inputs, segments, format="csv"):
        segments = [segment(1, "result", segments)] if isinstance(segments, str) else segments
        outcome = run(tmp_path, sign(payload(inputs, segments, tmp_path / "out" / "run", format)), session)
        left = sorted(os.listdir(tmp_path / "out")) if (tmp_path / "out").exists() else []
        assert left == (["run"] if outcome.exit_code == 0 else []), "no trace beside a result, none of a failure"
        return outcome

    return start


def test_two_segments_join_groups_and_write_one_file(tmp_path, go, people, teams):
    people["row_identity"] = True
    first = segment(
        1,
        "placed",
        "SELECT p.id AS id, t.city AS city, p.__chancery_row_people AS __chancery_row_people "
        "FROM people p JOIN teams t ON p.team = t.team",
        original="SELECT p.id AS id, t.city AS city FROM people p JOIN teams t ON p.team = t.team",
        pre_conditions=[{"view": "people", "min_rows": 4}],
    )
    second = segment(
        2,
        "result",
        "SELECT city, COUNT(*) AS n, COUNT(DISTINCT __chancery_row_people) AS __chancery_group_people "
        "FROM placed GROUP BY city HAVING COUNT(DISTINCT __chancery_row_people) >= 1 ORDER BY city",
        original="SELECT city, COUNT(*) AS n FROM placed GROUP BY city ORDER BY city",
        groups=[{"column": "__chancery_group_people", "minimum": 1}],
    )
    outcome = go([people, teams], [second, first])
    assert outcome.exit_code == 0, outcome.status
    content = b"city,n\nOslo,2\nRome,1\n"
    assert (tmp_path / "out" / "run" / "part-00000.csv").read_bytes() == content
    assert os.listdir(tmp_path / "out" / "run") == ["part-00000.csv"]
    status = outcome.status
    durations = [s.pop("duration_ms") for s in status["statistics"]["segments"]]
    assert all(type(d) is int for d in durations)
    assert status == {
        "v": 1,
        "outcome": "succeeded",
        "run": RUN,
        "query_digest": sha256("query"),
        "spec_digest": sha256((tmp_path / "spec.cose").read_bytes()),
        "manifest": {
            "files": [
                {"path": "part-00000.csv", "digest": f"sha256:{hashlib.sha256(content).hexdigest()}", "bytes": 21}
            ],
            "rows": 2,
            "columns": [{"name": "city", "type": "string"}, {"name": "n", "type": "long"}],
        },
        "statistics": {
            "inputs": [{"alias": "people", "rows": 4}, {"alias": "teams", "rows": 2}],
            "segments": [{"view": "placed", "rows": 3}, {"view": "result", "rows": 2}],
            "rows_written": 2,
        },
        "engine": {"name": "apache-spark", "version": "4.3.0"},
    }
    progress = json.loads((tmp_path / "status" / "progress.json").read_text())
    assert progress == {"stage": "writing", "done": 0, "total": 1, "label": "result"}
    assert sorted(os.listdir(tmp_path / "status")) == ["progress.json", "status.json"]


def test_withheld_telemetry_leaves_the_rows_of_the_result_only(tmp_path, session, people):
    spec = payload([people], [segment(1, "result", "SELECT id FROM people")], tmp_path / "out")
    outcome = run(tmp_path, sign(spec | {"withheld": ["telemetry"]}), session)
    assert outcome.exit_code == 0, outcome.status
    assert outcome.status["statistics"] == {"inputs": [], "segments": [], "rows_written": 4}
    assert outcome.status["manifest"]["rows"] == 4


def test_withheld_logging_leaves_codes_only(tmp_path, session, people, capsys):
    conditions = [{"view": "people", "min_rows": 1000}]
    one = segment(1, "result", "SELECT id FROM people", pre_conditions=conditions)
    spec = payload([people], [one], tmp_path / "out")
    outcome = run(tmp_path, sign(spec | {"withheld": ["logging", "telemetry"]}), session)
    assert (outcome.exit_code, outcome.code) == (1, "pre_condition_failed")
    assert outcome.detail == "withheld: consent to logging is withdrawn"
    assert capsys.readouterr().err == ""
    progress = json.loads((tmp_path / "status" / "progress.json").read_text())
    assert progress == {"stage": "segment", "done": 0, "total": 1, "label": ""}


@pytest.mark.parametrize("format", ["csv", "json", "parquet"])
def test_every_format_and_type_is_written_and_read_back_the_same(tmp_path, session, people, format):
    sql = "SELECT id, team, born, score, seen, ok FROM people ORDER BY id"
    first = run(tmp_path, sign(payload([people], [segment(1, "result", sql)], tmp_path / "one", format)), session)
    assert first.exit_code == 0, first.status
    again = dataset("people", tmp_path / "one", PEOPLE, format=format, null_value="" if format == "csv" else None)
    second = run(tmp_path, sign(payload([again], [segment(1, "result", sql)], tmp_path / "two", "csv")), session)
    assert second.exit_code == 0, second.status
    assert (tmp_path / "two" / "part-00000.csv").read_text() == (
        "id,team,born,score,seen,ok\n"
        "1,red,1990-01-02,1.5,2024-01-01T00:00:00.000000Z,true\n"
        "2,red,1991-01-02,,2024-01-01T00:00:00.123456Z,false\n"
        "3,blue,1992-01-02,2.5,2024-01-01T00:00:00.000000Z,\n"
        '4,"gr""een, x",1993-01-02,1.0E10,2024-01-01T00:00:00.000000Z,true\n'
    )


def test_an_empty_result_is_a_file_with_a_header(tmp_path, go, people):
    outcome = go([people], "SELECT id FROM people WHERE id > 100")
    assert (tmp_path / "out" / "run" / "part-00000.csv").read_text() == "id\n"
    assert outcome.status["manifest"]["rows"] == 0


def test_row_ids_are_distinct_and_the_same_in_every_segment(tmp_path, go, people):
    people["row_identity"] = True
    row = "__chancery_row_people"
    one, two = (segment(1, v, f"SELECT id, {row} FROM people") for v in ("one", "two"))
    three = segment(
        2,
        "result",
        f"SELECT COUNT(DISTINCT one.{row}) AS n, COUNT(*) AS m "
        f"FROM one JOIN two ON one.{row} = two.{row} AND one.id = two.id",
    )
    outcome = go([people], [one, two, three])
    assert outcome.exit_code == 0, outcome.status
    assert (tmp_path / "out" / "run" / "part-00000.csv").read_text() == "n,m\n4,4\n"


@pytest.mark.parametrize(
    ("header", "detail"),
    [
        ("team,town", "teams: column city is not in the header at position 2"),
        ("city,team", "teams: column team is not in the header at position 1"),
        ("team", "teams: column city is not in the header at position 2"),
        ("team,city,extra", "teams: header has 3 columns, 2 are declared"),
        ("red,Oslo", "teams: column team is not in the header at position 1"),
    ],
)
def test_a_header_that_is_not_the_schema(tmp_path, go, header, detail):
    source = table(tmp_path, "teams", f"{header}\nred,Oslo\n", TEAMS)
    outcome = go([source], "SELECT team FROM teams")
    assert (outcome.code, outcome.detail) == ("dataset_schema_mismatch", detail)


@pytest.mark.parametrize(
    ("column", "value"),
    [("id", "x7"), ("born", "1990-13-41"), ("score", "much"), ("seen", "then"), ("ok", "maybe"), ("id", "1.5")],
)
def test_a_value_that_does_not_parse_names_alias_and_column_only(tmp_path, go, capfd, column, value):
    row = {"id": "9", "team": "red", "born": "1990-01-02", "score": "1", "seen": "2024-01-01T00:00:00Z", "ok": "true"}
    row[column] = value
    source = table(tmp_path, "people", PEOPLE_CSV + ",".join(row.values()) + "\n", PEOPLE)
    # The query does not read the column: the input is refused all the same.
    outcome = go([source], "SELECT team FROM people")
    detail = f"people: column {column} has a value that is not a {PEOPLE[column]}"
    assert (outcome.code, outcome.detail) == ("dataset_schema_mismatch", detail)
    assert value not in "".join(capfd.readouterr()), "no row value in any log"


def test_a_value_that_does_not_parse_in_a_column_that_is_not_allowed(tmp_path, go):
    source = table(tmp_path, "people", PEOPLE_CSV.replace("1.5", "much"), PEOPLE, allowed_columns=["id", "team"])
    assert go([source], "SELECT id FROM people").exit_code == 0


def test_a_column_that_is_not_allowed_cannot_be_read(tmp_path, go):
    source = table(tmp_path, "people", PEOPLE_CSV, PEOPLE, allowed_columns=["id", "team"])
    outcome = go([source], "SELECT born FROM people")
    assert (outcome.code, outcome.detail) == ("segment_analysis_failed", "result: UNRESOLVED_COLUMN.WITH_SUGGESTION")


@pytest.mark.parametrize("row", ["red", "red,Oslo,Norway"])
def test_a_record_with_too_few_or_too_many_fields(tmp_path, go, row):
    source = table(tmp_path, "teams", TEAMS_CSV + row + "\n", TEAMS, allowed_columns=["team"])
    outcome = go([source], "SELECT team FROM teams")
    assert (outcome.code, outcome.detail) == (
        "dataset_schema_mismatch",
        "teams: a record does not match the declared columns",
    )


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        ('{"team":"red","city":1}\n{"team":"blue","n":2}\n', "teams: column city has a value that is not a long"),
        ('{"team":"red"}\n', "teams: column city is missing"),
        ("red,Oslo\n", "teams: a record does not match the declared columns"),
    ],
)
def test_json_that_is_not_the_schema(tmp_path, go, content, detail):
    content = content.replace('"city":1', '"city":"one"')
    source = table(tmp_path, "teams", content, {"team": "string", "city": "long"}, "json", format="json")
    outcome = go([source], "SELECT team FROM teams")
    assert (outcome.code, outcome.detail) == ("dataset_schema_mismatch", detail)


def test_json_may_leave_a_null_out(tmp_path, go):
    content = '{"team":"red","city":null}\n{"team":"blue"}\n'
    source = table(tmp_path, "teams", content, TEAMS, "json", format="json")
    assert go([source], "SELECT team FROM teams").exit_code == 0


@pytest.mark.parametrize(
    ("columns", "detail"),
    [
        ({"id": "long", "gone": "long"}, "teams: column gone is missing"),
        ({"id": "string"}, "teams: column id is not of type string"),
    ],
)
def test_parquet_that_is_not_the_schema(tmp_path, go, engine, columns, detail):
    engine.range(3).write.parquet(f"file://{tmp_path}/data")
    source = dataset("teams", tmp_path / "data", columns, format="parquet", null_value=None)
    outcome = go([source], "SELECT id FROM teams")
    assert (outcome.code, outcome.detail) == ("dataset_schema_mismatch", detail)


def test_an_input_that_is_not_there(tmp_path, go):
    outcome = go([dataset("teams", tmp_path / "nowhere", TEAMS)], "SELECT team FROM teams")
    assert (outcome.code, outcome.detail) == ("dataset_unreadable", "teams: no data file")


def test_a_parquet_file_that_is_none(tmp_path, go):
    source = table(tmp_path, "teams", "hello", TEAMS, "parquet", format="parquet")
    assert go([source], "SELECT team FROM teams").code == "dataset_unreadable"


@pytest.mark.parametrize(("view", "rows"), [("people", 5), ("elsewhere", 0), ("result", 0)])
def test_a_pre_condition_that_does_not_hold(go, people, view, rows):
    condition = [{"view": view, "min_rows": rows}]
    outcome = go([people], [segment(1, "result", "SELECT id FROM people", pre_conditions=condition)])
    assert outcome.code == "pre_condition_failed"


def test_post_filters_keep_rows_at_or_over_the_minimum(tmp_path, go, people):
    sql = "SELECT id, score FROM people ORDER BY id"
    filters = [{"column": "ID", "minimum": 2}, {"column": "score", "minimum": 2}]
    outcome = go([people], [segment(1, "result", sql, post_filters=filters)])
    assert outcome.exit_code == 0, outcome.status
    assert (tmp_path / "out" / "run" / "part-00000.csv").read_text() == "id,score\n3,2.5\n4,1.0E10\n"


@pytest.mark.parametrize(
    ("column", "code"), [("nosuch", "post_filter_column_missing"), ("team", "post_filter_column_not_numeric")]
)
def test_a_post_filter_on_a_column_that_cannot_be_filtered(go, people, column, code):
    filters = [{"column": column, "minimum": 1}]
    outcome = go([people], [segment(1, "result", "SELECT id, team FROM people", post_filters=filters)])
    assert outcome.code == code


GROUPED = (
    "SELECT team, COUNT(*) AS n, COUNT(DISTINCT __chancery_row_people) AS __chancery_group_people "
    "FROM people GROUP BY team"
)


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        (GROUPED, "minimum_group_violated"),
        ("SELECT id, NULL + 1 AS __chancery_group_people FROM people", "minimum_group_violated"),
        ("SELECT id FROM people", "group_column_missing"),
    ],
)
def test_a_group_under_its_minimum(go, people, sql, code):
    people["row_identity"] = True
    groups = [{"column": "__chancery_group_people", "minimum": 2}]
    outcome = go([people], [segment(1, "result", sql, groups=groups)])
    assert outcome.code == code


@pytest.mark.parametrize("column", ["__chancery_row_people", "__chancery_row_people AS __CHANCERY_x"])
def test_a_hidden_column_in_the_result(go, people, column):
    people["row_identity"] = True
    assert go([people], f"SELECT id, {column} FROM people").code == "hidden_column_in_output"


@pytest.mark.parametrize("sql", ["SELECT id, id FROM people", "SELECT array(id) AS ids FROM people"])
def test_columns_that_no_dataset_can_have(go, people, sql):
    assert go([people], sql).code == "output_columns_invalid"


def test_a_path_and_a_command_are_refused_in_a_whole_run(go, people):
    assert go([people], "SELECT * FROM csv.`/etc/passwd`").code == "undeclared_relation"
    assert go([people], "DROP VIEW people").code == "statement_refused"


def test_a_view_of_the_same_order_is_not_declared(go, people):
    one = segment(1, "one", "SELECT id FROM people")
    two = segment(1, "two", "SELECT id FROM one")
    assert go([people], [one, two, segment(2, "result", "SELECT id FROM people")]).code == "undeclared_relation"


def test_variables_are_not_put_into_a_text(go, people):
    outcome = go([people], "SELECT '${env:PATH}' AS path FROM people LIMIT 1")
    assert outcome.exit_code == 0, outcome.status
    assert "${env:PATH}" in (outcome.folder / "out" / "run" / "part-00000.csv").read_text()


@pytest.mark.parametrize(
    ("sql", "code", "condition"),
    [
        ("SELECT (id FROM people", "segment_parse_failed", "PARSE_SYNTAX_ERROR"),
        ("SELECT nosuch(id) AS x FROM people", "segment_analysis_failed", "UNRESOLVED_ROUTINE"),
        ("SELECT CAST(team AS INT) AS x FROM people", "segment_execution_failed", "CAST_INVALID_INPUT"),
        ("SELECT id DIV (id - 1) AS x FROM people", "segment_execution_failed", "DIVIDE_BY_ZERO"),
    ],
)
def test_a_query_that_fails_tells_the_condition_and_no_value(go, people, capfd, sql, code, condition):
    outcome = go([people], sql)
    assert (outcome.code, outcome.detail) == (code, f"result: {condition}")
    assert "gr" not in "".join(capfd.readouterr()).replace("progress", "")


def test_what_nobody_foresaw_is_told_by_class_only(tmp_path, people, capfd):
    def broken():
        raise RuntimeError("secret 1,red,1990-01-02")

    spec = sign(payload([people], [segment(1, "result", "SELECT id FROM people")], tmp_path / "out"))
    outcome = run(tmp_path, spec, broken)
    assert outcome.code == "engine_error"
    assert outcome.detail.startswith("RuntimeError at app.py:")
    assert "secret" not in "".join(capfd.readouterr())


def test_an_output_is_never_overwritten(tmp_path, people, session):
    spec = sign(payload([people], [segment(1, "result", "SELECT id FROM people")], tmp_path / "out"))
    assert run(tmp_path, spec, session).exit_code == 0
    before = (tmp_path / "out" / "part-00000.csv").stat().st_mtime_ns
    assert run(tmp_path, spec, session).code == "output_exists"
    assert (tmp_path / "out" / "part-00000.csv").stat().st_mtime_ns == before


def test_an_output_that_appears_during_the_run_is_kept(tmp_path, people, engine):
    from contextlib import contextmanager

    @contextmanager
    def late():
        (tmp_path / "out").mkdir()
        yield engine.newSession()

    spec = sign(payload([people], [segment(1, "result", "SELECT id FROM people")], tmp_path / "out"))
    assert run(tmp_path, spec, late).code == "output_exists"
    assert os.listdir(tmp_path / "out") == []
    assert not list(tmp_path.glob(".out*")), "its own leavings are cleared"


def test_what_a_killed_run_left_is_cleared(tmp_path, go, people):
    left = tmp_path / "out" / f".run.{RUN}.partial"
    left.mkdir(parents=True)
    (left / "part-00000.csv").write_text("half")
    assert go([people], "SELECT id FROM people").exit_code == 0
