"""DuckDB's answers to the texts of TPC-H as they were, and the comparison of others' with them.

    oracle.py describe TABLES_DIR         the columns of each answer, as JSON: {"q01": [[name, type], …], …}
    oracle.py compare TABLES_DIR RESULTS  compares RESULTS/q01.parquet and so on; JSON: {"rows": {…}, "differences": […]}

TABLES_DIR holds a CSV file for each table. The text that is analysed is the one in edited/, where there
is one; the answer is always that to the text in queries/.
"""

import json
import math
import sys
from pathlib import Path

import duckdb

TPCH = Path(__file__).resolve().parent
TABLES = json.loads((TPCH / "tables.json").read_text())
QUERIES = [f"q{number:02}" for number in range(1, 23)]
# What the engine of the oracle takes our types for: amounts are exact there.
ORACLE_TYPES = {"long": "BIGINT", "double": "DECIMAL(15, 2)", "string": "VARCHAR", "date": "DATE"}
# And the other way: by how a type's name begins.
OUR_TYPES = {"BIGINT": "long", "HUGEINT": "long", "INTEGER": "long", "DECIMAL": "double", "DOUBLE": "double"}
OUR_TYPES |= {"VARCHAR": "string", "DATE": "date"}


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
        columns = {c: ORACLE_TYPES[t] for c, t in TABLES[name]["columns"].items()}
        connection.execute(
            f"CREATE TABLE {name} AS SELECT * FROM read_csv('{file}', header = true, columns = {columns})"
        )
    return connection


def same(ours, theirs) -> bool:
    """Equal, or for an amount equal up to what doubles round."""
    if isinstance(ours, float) and theirs is not None:
        return math.isclose(ours, float(theirs), rel_tol=1e-9, abs_tol=1e-6)
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


def described(connection: duckdb.DuckDBPyConnection, query: str) -> list[tuple[str, str]]:
    columns = connection.execute(f"DESCRIBE {text(query)}").fetchall()
    return [(name, next(ours for begin, ours in OUR_TYPES.items() if kind.startswith(begin))) for name, kind, *_ in columns]


def result(connection: duckdb.DuckDBPyConnection, file: Path) -> list[tuple]:
    return connection.execute(f"SELECT * FROM '{file}'").fetchall()


def main(verb: str, tables: str, results: str = "") -> None:
    connection = connect({name: Path(tables) / f"{name}.csv" for name in TABLES})
    if verb == "describe":
        print(json.dumps({query: described(connection, query) for query in QUERIES}))
        return
    found = {query: result(connection, Path(results) / f"{query}.parquet") for query in QUERIES}
    wrong = [
        line
        for query in QUERIES
        for line in differences(query, found[query], connection.execute(original(query)).fetchall())
    ]
    print(json.dumps({"rows": {query: len(rows) for query, rows in found.items()}, "differences": wrong}))


if __name__ == "__main__":
    main(*sys.argv[1:])
