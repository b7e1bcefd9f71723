"""The 22 TPC-H queries: our analysis, real Spark, and DuckDB's answers to the texts as they were.

The tables lie in tests/tpch/tables.json with their owners, the texts in queries/; edited/ holds the
one that is changed before our analysis reads it; answers.json the columns of each answer, and oracle.py
the answers. CHANCERY_TPCH_SCALE says at which scale, by default 0.01. The analysis is the example `analyse` of chancery-governance, as
./test builds it. The same 22 go through the API in tests/tests/tpch.rs.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from job import dataset, payload, run, segment, sign

ROOT = Path(__file__).resolve().parents[3]
sys.path.append(str(ROOT / "tests" / "tpch"))

from oracle import ANSWERS, QUERIES, TABLES, connect, differences, near, original, text  # noqa: E402  after its path

SCALE = os.environ.get("CHANCERY_TPCH_SCALE", "0.01")
# Means and quotients: DuckDB has them as doubles. All else is equal digit by digit.
NEAR = {"q01": ["avg_qty", "avg_price", "avg_disc"], "q08": ["mkt_share"], "q14": ["promo_revenue"], "q17": ["avg_yearly"]}


@pytest.fixture(scope="session")
def analysed() -> dict[str, dict]:
    """What the analysis makes of each query."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    program = target / "debug" / "examples" / "analyse"
    assert program.exists(), "build it: cargo build -p chancery-governance --example analyse"
    inputs = {name: table["columns"] for name, table in TABLES.items()}
    asked = [
        {"inputs": inputs, "segments": [{"order": 1, "view": "result", "sql": text(query)}]} for query in QUERIES
    ]
    answered = subprocess.run([program], input=json.dumps(asked), capture_output=True, text=True)
    answers = json.loads(answered.stdout)
    assert [a for a in answers if "refusals" in a] == []
    return dict(zip(QUERIES, answers, strict=True))


@pytest.fixture(scope="session")
def tables(tmp_path_factory) -> dict[str, Path]:
    """A folder for each table, with its file."""
    made = tmp_path_factory.mktemp("tpch")
    program = Path(sys.executable).parent / "tpchgen-cli"
    subprocess.run([program, "csv", "-s", SCALE, "-o", made], check=True, capture_output=True)
    folders = {}
    for name in TABLES:
        folders[name] = made / "data" / name
        folders[name].mkdir(parents=True)
        (made / f"{name}.csv").rename(folders[name] / f"{name}.csv")
    return folders


@pytest.fixture(scope="session")
def oracle(tables):
    """DuckDB over the same files."""
    return connect({name: folder / f"{name}.csv" for name, folder in tables.items()})


@pytest.mark.parametrize("query", QUERIES)
def test_spark_answers_the_analysed_text_as_duckdb_answers_the_original(
    query, analysed, tables, oracle, tmp_path, session
):
    analysis = analysed[query]
    inputs = [
        dataset(name, tables[name], TABLES[name]["columns"], null_value=None, allowed_columns=columns)
        for name, columns in analysis["loads"].items()
        if columns
    ]
    segments = [
        segment(
            s["order"],
            s["view"],
            s["sql"],
            original=text(query),
            reads=[{"relation": relation, "columns": columns} for relation, columns in s["reads"].items()],
            output=s["output"],
        )
        for s in analysis["segments"]
    ]
    spec = payload(inputs, segments, tmp_path / "out" / "run", "parquet")
    columns = [{"name": name, "type": kind} for name, kind in ANSWERS[query]]
    spec["output"]["columns"] = columns
    outcome = run(tmp_path, sign(spec), session)
    assert outcome.exit_code == 0, outcome.status
    assert outcome.status["manifest"]["columns"] == columns
    found = oracle.execute(f"SELECT * FROM '{tmp_path}/out/run/part-00000.parquet'").fetchall()
    expected = oracle.execute(original(query)).fetchall()
    assert differences(query, found, expected) == []
    # That of q17 is null at small scales.
    assert set(near(query, found, expected)) <= set(NEAR.get(query, []))


def test_the_tables_are_of_three_owners():
    assert len({table["owner"] for table in TABLES.values()}) == 3
