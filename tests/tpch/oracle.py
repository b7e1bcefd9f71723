"""DuckDB's answers to the texts of TPC-H as they were, and the comparison of others' with them.

    oracle.py TABLES_DIR RESULTS  compares RESULTS/q01.parquet and so on

TABLES_DIR holds a CSV file for each table. The text that is analysed is the one in edited/, where there
is one; the answer is always that to the text in queries/. What comes out is JSON: the `rows` of each
query, the `differences`, and the columns of each query that were compared as doubles are (`near`).
"""

import json
import math
import sys
from decimal import Decimal
from pathlib import Path

import duckdb

TPCH = Path(__file__).resolve().parent
TABLES = json.loads((TPCH / "tables.json").read_text())
QUERIES = [f"q{number:02}" for number in range(1, 23)]
# The columns of each answer, in order: name and type.
ANSWERS = json.loads((TPCH / "answers.json").read_text())
# What the engine of the oracle calls our types; it has decimals by the same name.
ORACLE_TYPES = {"long": "BIGINT", "string": "VARCHAR", "date": "DATE"}


def original(query: str) -> str:
    return (TPCH / "queries" / f"{query}.sql").read_text()


def text(query: str) -> str:
    """The text that is analysed."""
    edited = TPCH / "edited" / f"{query}.sql"
    return edited.read_text() if edited.exists() else original(query)


def connect(files: dict[str, Path]) -> duckdb.DuckDBPyConnection:
    """The tables, from these files."""
    connection = duckdb.connect()
    for name, file in files.items():
        columns = {c: ORACLE_TYPES.get(t, t) for c, t in TABLES[name]["columns"].items()}
        connection.execute(
            f"CREATE TABLE {name} AS SELECT * FROM read_csv('{file}', header = true, columns = {columns})"
        )
    return connection


def is_near(ours, theirs) -> bool:
    """Whether the two are compared as doubles are: DuckDB has means and quotients of decimals as doubles."""
    return isinstance(ours, Decimal) and isinstance(theirs, float)


def same(ours, theirs) -> bool:
    """Equal, digit by digit; where DuckDB has a double only, equal up to what it rounds."""
    if is_near(ours, theirs):
        return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-6)
    return ours == theirs


def differences(query: str, found: list[tuple], expected: list[tuple]) -> list[str]:
    """What is not as it should be, row by row, in their order."""
    if not expected:
        return [f"{query}: an answer without rows shows nothing"]
    if len(found) != len(expected):
        return [f"{query}: {len(found)} rows, and {len(expected)} expected"]
    rows = enumerate(zip(found, expected, strict=True))
    return [
        f"{query}, row {row}: {ours} and {theirs}"
        for row, (ours, theirs) in rows
        if len(ours) != len(theirs) or not all(same(a, b) for a, b in zip(ours, theirs, strict=True))
    ]


def near(query: str, found: list[tuple], expected: list[tuple]) -> list[str]:
    """The columns of which some value is compared as doubles are."""
    pairs = [zip(*both, strict=True) for both in zip(found, expected, strict=True)]
    places = {place for pair in pairs for place, (a, b) in enumerate(pair) if is_near(a, b)}
    return [ANSWERS[query][place][0] for place in sorted(places)]


def result(connection: duckdb.DuckDBPyConnection, file: Path) -> list[tuple]:
    return connection.execute(f"SELECT * FROM '{file}'").fetchall()


def main(tables: str, results: str) -> None:
    connection = connect({name: Path(tables) / f"{name}.csv" for name in TABLES})
    told = {"rows": {}, "near": {}, "differences": []}
    for query in QUERIES:
        found = result(connection, Path(results) / f"{query}.parquet")
        expected = connection.execute(original(query)).fetchall()
        told["rows"][query] = len(found)
        wrong = differences(query, found, expected)
        told["differences"] += wrong
        if not wrong and (columns := near(query, found, expected)):
            told["near"][query] = columns
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
