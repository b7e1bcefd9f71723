"""Declared decimals on a real Spark: read from each format, checked, computed with, and written."""

import os
from decimal import Decimal

import pytest

from job import dataset, payload, run, segment, sign

PRICES = {"id": "long", "price": "decimal(15,2)", "share": "decimal(38,10)"}
CSV = "id,price,share\n1,12.50,0.0000000001\n2,-9999999999999.99,NA\n3,NA,9999999999999999999999999999.9999999999\n"
JSON = """{"id": 1, "price": 12.50, "share": "0.0000000001"}
{"id": 2, "price": -9999999999999.99}
{"id": 3, "share": 9999999999999999999999999999.9999999999}
"""
ROWS = [
    (1, Decimal("12.50"), Decimal("0.0000000001")),
    (2, Decimal("-9999999999999.99"), None),
    (3, None, Decimal("9999999999999999999999999999.9999999999")),
]


@pytest.fixture
def go(tmp_path, session):
    """Runs a text over `prices`, whose one file has this content; gives the outcome and the result's path."""

    def start(sql, content=CSV, columns=PRICES, suffix="csv", to="parquet", declared=None):
        folder = tmp_path / "data"
        folder.mkdir(exist_ok=True)
        if content is not None:
            (folder / f"prices.{suffix}").write_text(content)
        source = dataset("prices", folder, columns, format=suffix, null_value="NA" if suffix == "csv" else None)
        spec = payload([source], [segment(1, "result", sql)], tmp_path / "out", to)
        if declared is not None:
            spec["output"]["columns"] = [{"name": n, "type": t} for n, t in declared.items()]
        return run(tmp_path, sign(spec), session), tmp_path / "out" / f"part-00000.{to}"

    return start


def rows(engine, path) -> list[tuple]:
    return [tuple(row) for row in engine.read.parquet(str(path)).orderBy("id").collect()]


@pytest.mark.parametrize(("suffix", "content"), [("csv", CSV), ("json", JSON)])
def test_values_come_out_digit_by_digit(go, engine, suffix, content):
    outcome, path = go("SELECT id, price, share FROM prices", content, suffix=suffix, declared=PRICES)
    assert outcome.exit_code == 0, outcome.status
    assert outcome.status["manifest"]["columns"] == [{"name": n, "type": t} for n, t in PRICES.items()]
    assert rows(engine, path) == ROWS


def test_parquet_is_read_where_its_type_is_the_declared_one(go, engine, tmp_path):
    schema = "id bigint, price decimal(15,2), share decimal(38,10)"
    engine.createDataFrame(ROWS, schema).coalesce(1).write.parquet(str(tmp_path / "made"))
    (tmp_path / "data").mkdir()
    part = next(n for n in os.listdir(tmp_path / "made") if n.startswith("part-"))
    os.rename(tmp_path / "made" / part, tmp_path / "data" / "a.parquet")
    outcome, path = go("SELECT id, price, share FROM prices", None, suffix="parquet", declared=PRICES)
    assert outcome.exit_code == 0, outcome.status
    assert rows(engine, path) == ROWS


@pytest.mark.parametrize("kind", ["decimal(15,3)", "decimal(16,2)", "double", "long"])
def test_parquet_of_another_type_is_refused(go, engine, tmp_path, kind):
    engine.sql("SELECT 1L AS id, 1.5BD AS price").selectExpr("id", "CAST(price AS DECIMAL(15,2)) AS price").coalesce(
        1
    ).write.parquet(str(tmp_path / "data"))
    for name in os.listdir(tmp_path / "data"):
        if not name.startswith("part-"):
            os.unlink(tmp_path / "data" / name)
    outcome, _ = go("SELECT id, price FROM prices", None, {"id": "long", "price": kind}, "parquet")
    assert (outcome.code, outcome.detail) == (
        "dataset_schema_mismatch",
        f"prices: column price is not of type {kind}",
    )


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        ("csv", "id,price,share\n1,many,1\n"),
        ("csv", "id,price,share\n1,10000000000000,1\n"),
        ("json", '{"id": 1, "price": "many", "share": 1}\n'),
        ("json", '{"id": 1, "price": 10000000000000, "share": 1}\n'),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_its_column(go, suffix, content):
    outcome, _ = go("SELECT id, price FROM prices", content, suffix=suffix)
    assert (outcome.code, outcome.detail) == (
        "dataset_schema_mismatch",
        "prices: column price has a value that is not a decimal(15,2)",
    )


def test_digits_after_the_last_are_rounded_half_up(go, engine):
    content = "id,price,share\n1,0.005,1\n2,-0.005,1\n3,0.0049,1\n"
    outcome, path = go("SELECT id, price FROM prices", content, declared={"id": "long", "price": "decimal(15,2)"})
    assert outcome.exit_code == 0, outcome.status
    assert [price for _, price in rows(engine, path)] == [Decimal("0.01"), Decimal("-0.01"), Decimal("0.00")]


def test_csv_and_json_hold_plain_digits(go, tmp_path):
    for to, content in [
        ("csv", "id,share\n1,0.0000000001\n"),
        ("json", '{"id":1,"share":1E-10}\n'),
    ]:
        declared = {"id": "long", "share": "decimal(38,10)"}
        outcome, path = go("SELECT id, share FROM prices WHERE id = 1", to=to, declared=declared)
        assert outcome.exit_code == 0, outcome.status
        assert path.read_text() == content
        path.unlink()
        path.parent.rmdir()


def test_a_decimal_becomes_a_double_where_one_is_declared_or_no_decimal_is(go, engine):
    for declared in (None, {"total": "double", "id": "decimal(20,0)"}):
        sql = "SELECT SUM(price) AS total, CAST(MIN(id) AS DECIMAL(20,0)) AS id FROM prices WHERE id = 1"
        outcome, path = go(sql, declared=declared)
        assert outcome.exit_code == 0, outcome.status
        assert outcome.status["manifest"]["columns"][0] == {"name": "total", "type": "double"}
        assert engine.read.parquet(str(path)).first()["total"] == 12.5
        path.unlink()
        path.parent.rmdir()


@pytest.mark.parametrize(
    ("declared", "detail"),
    [
        ({"total": "decimal(15,2)"}, "column total is of type decimal(25,2), and decimal(15,2) is declared"),
        ({"total": "decimal(25,3)"}, "column total is of type decimal(25,2), and decimal(25,3) is declared"),
        ({"other": "decimal(25,2)"}, "the columns are not the declared ones"),
        ({"total": "decimal(25,2)", "n": "long"}, "the columns are not the declared ones"),
    ],
)
def test_an_output_of_other_columns_than_declared_is_refused(go, declared, detail):
    outcome, _ = go("SELECT SUM(price) AS total FROM prices", declared=declared)
    assert (outcome.code, outcome.detail) == ("output_columns_invalid", detail)


@pytest.mark.parametrize(
    "kind", ["decimal", "decimal(39,2)", "decimal(0,0)", "decimal(2,3)", "decimal(15, 2)", "decimal(015,2)", 15]
)
def test_a_type_that_there_is_not_is_refused_before_spark_starts(tmp_path, no_session, kind):
    source = dataset("prices", tmp_path, {"price": kind})
    spec = payload([source], [segment(1, "result", "SELECT price FROM prices")], tmp_path / "out")
    outcome = run(tmp_path, sign(spec), no_session)
    assert outcome.code == "spec_invalid"
    assert outcome.detail.startswith("inputs[0].columns[0].type: not one of string")


def test_a_result_overflows_as_an_error_and_not_as_null(go):
    outcome, _ = go("SELECT SUM(share * share) AS n FROM prices", declared={"n": "decimal(38,6)"})
    assert (outcome.code, outcome.detail) == ("segment_execution_failed", "result: NUMERIC_VALUE_OUT_OF_RANGE.WITH_SUGGESTION")


def test_what_the_specs_of_outputs_may_say(tmp_path, no_session):
    source = dataset("prices", tmp_path, PRICES)
    for columns in ([], [{"name": "a", "type": "money"}], [{"name": "a", "type": "long"}, {"name": "A", "type": "long"}]):
        spec = payload([source], [segment(1, "result", "SELECT price FROM prices")], tmp_path / "out")
        spec["output"]["columns"] = columns
        outcome = run(tmp_path, sign(spec), no_session)
        assert outcome.code == "spec_invalid"
        assert outcome.detail.startswith("output.columns")
