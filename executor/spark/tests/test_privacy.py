"""Differential privacy: our analysis, real Spark, and OpenDP's noise.

The statistical bounds are wide: each test fails for an honest application less than once in 10^9 runs.
"""

import json
import math
import os
import statistics
import subprocess
from pathlib import Path

import pytest

from chancery_app.errors import AppError, Code
from chancery_app.noise import Mechanisms
from chancery_app.privacy import INDIVIDUALS, read
from job import changed, dataset, payload, run, segment, sign

ROOT = Path(__file__).resolve().parents[3]
PEOPLE = {"id": "string", "city": "string", "sex": "string", "age": "long", "pay": "double"}
POLICY = {
    "unit": "id",
    "budget": {"period": "life", "epsilon_micro": 100_000_000, "delta_pico": 1_000_000_000},
    "query_epsilon_micro_max": 100_000_000,
    "groups_max": 2,
    "rows_max": 3,
    "columns": [
        {"column": "age", "lower": 0, "upper": 100},
        {"column": "pay", "lower": -1_000, "upper": 500_000, "decimals": 2},
    ],
    "declared": [{"column": "sex", "values": ["f", "m", "x"]}],
}
BY_CITY = "SELECT city, COUNT(*) AS n, SUM(age) AS years, AVG(pay) AS pay FROM people GROUP BY city"
BY_SEX = "SELECT sex, COUNT(*) AS n FROM people GROUP BY sex"
ALL = "SELECT COUNT(*) AS n, SUM(pay) AS pay FROM people"


def analyse(sql: str, epsilon_micro: int, delta_pico: int = 0, **policy) -> dict:
    """What the analysis makes of a text over people."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    program = target / "debug" / "examples" / "analyse"
    assert program.exists(), "build it: cargo build -p chancery-governance --example analyse"
    asked = {
        "inputs": {"people": PEOPLE},
        "segments": [{"order": 1, "view": "result", "sql": sql}],
        "privacy": {"people": POLICY | policy},
        "loss": {"epsilon_micro": epsilon_micro} | ({"delta_pico": delta_pico} if delta_pico else {}),
    }
    answered = subprocess.run([program], input=json.dumps([asked]), capture_output=True, text=True)
    (answer,) = json.loads(answered.stdout)
    assert "refusals" not in answer, answer
    return answer


def people(folder: Path, rows: list[tuple]) -> Path:
    folder.mkdir(parents=True)
    lines = [",".join(PEOPLE), *(",".join("NA" if v is None else str(v) for v in row) for row in rows)]
    (folder / "people.csv").write_text("\n".join(lines) + "\n")
    return folder


def spec(analysis: dict, data: Path, output: Path) -> dict:
    """The spec that the executor makes of an analysis."""
    inputs = [dataset("people", data, PEOPLE, allowed_columns=analysis["loads"]["people"])]
    segments = [
        segment(
            s["order"],
            s["view"],
            s["sql"],
            reads=[{"relation": relation, "columns": columns} for relation, columns in s["reads"].items()],
            output=s["output"],
        )
        for s in analysis["segments"]
    ]
    return payload(inputs, segments, output) | {"privacy": analysis["privacy"]}


@pytest.fixture
def released(tmp_path, session):
    """Runs a text over rows; the status, and the result's lines."""
    runs = iter(range(1_000))

    def of(sql: str, rows: list[tuple], epsilon_micro: int, delta_pico: int = 0, **policy):
        folder = tmp_path / str(next(runs))
        data = people(folder / "data", rows)
        made = spec(analyse(sql, epsilon_micro, delta_pico, **policy), data, folder / "out" / "run")
        outcome = run(folder, sign(made), session)
        assert outcome.exit_code == 0, outcome.status
        lines = (folder / "out" / "run" / "part-00000.csv").read_text().splitlines()
        return outcome.status, [line.split(",") for line in lines[1:]]

    return of


@pytest.fixture
def bounded(tmp_path, engine):
    """What the rewritten text gives before the noise, by the first key."""
    runs = iter(range(1_000))

    def of(sql: str, rows: list[tuple], **policy) -> list[dict]:
        analysis = analyse(sql, 1_000_000, 1_000_000 if "city" in sql else 0, **policy)
        spark = engine.newSession()
        spark.conf.set("spark.sql.ansi.enabled", "false")
        schema = "id string, city string, sex string, age long, pay double"
        spark.createDataFrame(rows, schema).createOrReplaceTempView("people")
        next(runs)
        return [row.asDict() for row in spark.sql(analysis["segments"][0]["sql"]).collect()]

    return of


ROWS = [(f"p{i}", "Oslo" if i % 2 else "Rome", "fm"[i % 2], 20 + i % 50, 100.25 + i) for i in range(400)]


def test_only_noised_values_leave_and_the_record_says_how(released):
    status, lines = released(BY_CITY, ROWS, 4_000_000, 1_000_000)
    assert [line[0] for line in lines] == ["Oslo", "Rome"]
    for _, n, years, pay in lines:
        # Scales of 7.5, 250 and so on: a hundred of them away happens once in e^100.
        assert abs(int(n) - 200) < 900 and abs(int(years) - 8_900) < 30_000
        assert -10 <= float(pay) <= 5_000
    assert status["statistics"] == {"inputs": [], "segments": [], "rows_written": 2}
    told = status["privacy"]
    assert (told["epsilon_micro"], told["delta_pico"]) == (4_000_000, 1_000_000)
    of = [(m["column"], m["of"], m["sensitivity"], m["epsilon_micro"]) for m in told["mechanisms"]]
    assert of == [
        ("n", "count", 6, 800_000),
        ("years", "sum", 600, 800_000),
        ("pay", "mean_sum", 3_000_000, 800_000),
        ("pay", "mean_count", 6, 800_000),
        (INDIVIDUALS, "groups", 2, 800_000),
    ]
    thresholds = [m["threshold"] for m in told["mechanisms"]]
    assert thresholds[:4] == [None] * 4 and thresholds[4] > 1
    assert {m["mechanism"] for m in told["mechanisms"]} == {"discrete_laplace"}


def test_two_runs_have_two_noises(released):
    # With a scale of 15 000 two noises are the same once in about 30 000, and ten in a row never.
    found = {tuple(map(tuple, released(ALL, ROWS[:20], 200)[1])) for _ in range(3)}
    assert len(found) == 3


def test_declared_groups_are_all_there_and_no_other(released):
    rows = [*ROWS, ("odd", "Oslo", "secret", 3, 3.0)]
    status, lines = released(BY_SEX, rows, 10_000_000)
    assert [line[0] for line in lines] == ["f", "m", "x"], "an empty group too, and no undeclared one"
    assert status["privacy"]["mechanisms"][0]["threshold"] is None
    assert abs(int(lines[0][1]) - 200) < 100 and abs(int(lines[2][1])) < 100


def test_without_rows_there_is_a_noised_nothing(released):
    _, lines = released(ALL, [], 10_000_000)
    assert len(lines) == 1 and abs(int(lines[0][0])) < 100
    assert released(BY_CITY, [], 4_000_000, 1_000_000)[1] == []


def test_rare_groups_stay_hidden(released):
    rare = [("lonely", "Nowhere", "f", 33, 1.0)] * 5
    status, lines = released(BY_CITY, [*ROWS, *rare], 40_000_000, 1)
    assert [line[0] for line in lines] == ["Oslo", "Rome"]
    # By the accounting it would be shown once in 10^12 runs.
    assert status["privacy"]["mechanisms"][4]["threshold"] > 2


def test_one_individual_moves_sums_by_no_more_than_the_sensitivity(bounded):
    """However many rows, groups and how large values one individual brings in."""
    policy = read(analyse(BY_CITY, 1_000_000, 1_000_000)["privacy"], "privacy")
    sensitivity = {draw.source: draw.sensitivity for draw in policy.draws}
    without = {row["__chancery_key_0"]: row for row in bounded(BY_CITY, ROWS)}
    huge = [10**15, -(10**15), 99, None, 10**18, 2**63 - 1]
    wild = [float("inf"), float("-inf"), float("nan"), 1e300, -1e300, None]
    intruders = {
        "many rows": [("giant", "Oslo", "f", 10**15, 1e300)] * 500,
        "many groups": [("giant", f"town {i}", "f", 10**15, -1e300) for i in range(500)],
        "all there is": [("giant", c, "m", a, p) for c in ("Oslo", "Rome", "New", None) for a in huge for p in wild],
        "below zero": [("giant", "Rome", "x", -(10**15), -1e300)] * 4,
        "nobody": [(None, "Rome", "x", 10**9, 1e9)] * 1_000,
    }
    for name, rows in intruders.items():
        found = {row["__chancery_key_0"]: row for row in bounded(BY_CITY, ROWS + rows)}
        for source, most in sensitivity.items():
            moved = sum(
                abs(int(found.get(key, {}).get(source) or 0) - int(without.get(key, {}).get(source) or 0))
                for key in found.keys() | without.keys()
            )
            assert moved <= (0 if name == "nobody" else most), (name, source, moved)
        new = found.keys() - without.keys()
        assert len(new) <= policy.groups, name


def test_the_bounds_are_reached(bounded):
    """So that the sensitivity is that of the data, and not of a text that drops everything."""
    one = [("giant", city, "f", 10**9, 1e9) for city in ("A", "B", "C") for _ in range(7)]
    rows = bounded(BY_CITY, one)
    assert len(rows) == 2, "two of three groups"
    for row in rows:
        assert int(row["__chancery_part_0"]) == 3, "three of seven rows"
        assert int(row["__chancery_part_1"]) == 300, "three times the largest age"
        assert int(row["__chancery_part_2"]) == 3 * 500_000
        assert row[INDIVIDUALS] == 1


def test_within_the_bounds_a_sum_is_exact(bounded):
    rows = [("a", "Oslo", "f", 30, 10.005), ("a", "Oslo", "f", 40, 20.25), ("b", "Oslo", "m", None, None)]
    (row,) = bounded(BY_CITY, rows)
    assert int(row["__chancery_part_0"]) == 3 and int(row["__chancery_part_1"]) == 70
    # Cents, each value rounded to them: 10.01 and 20.25.
    assert int(row["__chancery_part_2"]) == 3_026 and int(row["__chancery_part_3"]) == 2
    assert row[INDIVIDUALS] == 2


def test_the_noise_has_the_scale_that_the_record_says():
    """Mean, spread and tail of 40 000 draws of discrete Laplace noise."""
    scale, samples = 25.002, 40_000
    plan = _plan(sensitivity=10, epsilon_micro=400_000, scale_milli=25_002, groups=samples // 4)
    mechanisms = Mechanisms(read(plan, "p"))
    groups = [{"__chancery_key_0": str(i), "__chancery_part_0": 1_000} for i in range(samples // 4)]
    noise = [row[1] - 1_000 for _ in range(4) for row in mechanisms.release(groups)]
    assert len(noise) == samples
    # Standard errors: of the mean 0.18, of the mean distance 0.125, of a share of e^-3 0.0011. Seven of
    # them are passed once in 10^11.
    assert abs(statistics.fmean(noise)) < 7 * scale * math.sqrt(2 / samples)
    distance = statistics.fmean(map(abs, noise))
    assert abs(distance - scale) < 7 * scale / math.sqrt(samples) + 0.05
    tail = sum(abs(n) >= 3 * scale for n in noise) / samples
    assert abs(tail - math.exp(-3)) < 7 * math.sqrt(math.exp(-3) / samples) + 0.003
    assert any(n % 2 for n in noise) and any(n < 0 for n in noise)


def _plan(sensitivity: int, epsilon_micro: int, scale_milli: int, groups: int) -> dict:
    """A count by declared groups."""
    keys = [{"source": "__chancery_key_0", "values": [str(i) for i in range(groups)]}]
    return {
        "alias": "people",
        "epsilon_micro": epsilon_micro,
        "delta_pico": 0,
        "groups": 1,
        "threshold": None,
        "keys": keys,
        "draws": [
            {
                "column": "n",
                "of": "count",
                "source": "__chancery_part_0",
                "sensitivity": sensitivity,
                "epsilon_micro": epsilon_micro,
                "scale_milli": scale_milli,
            }
        ],
        "columns": [
            {"name": "k", "kind": "key", "at": 0, "type": "string", "decimals": 0, "lower": 0, "upper": 0},
            {"name": "n", "kind": "count", "at": 0, "type": "long", "decimals": 0, "lower": 0, "upper": 0},
        ],
    }


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("draws", 0, "scale_milli"), 24_900),
        (("draws", 0, "sensitivity"), 11),
        (("draws", 0, "epsilon_micro"), 399_000),
        (("epsilon_micro",), 399_999),
    ],
)
def test_noise_that_costs_more_than_is_stated_is_refused(path, value):
    honest = _plan(sensitivity=10, epsilon_micro=400_000, scale_milli=25_002, groups=3)
    Mechanisms(read(honest, "p"))
    with pytest.raises(AppError) as refused:
        Mechanisms(read(changed(honest, path, value), "p"))
    assert refused.value.code is Code.PRIVACY_LOSS_EXCEEDED


@pytest.mark.parametrize("delta_pico", [1, 1_000, 1_000_000])
def test_the_threshold_is_the_least_within_delta(delta_pico):
    plan = analyse(BY_CITY, 4_000_000, delta_pico)["privacy"]
    (threshold,) = [m["threshold"] for m in Mechanisms(read(plan, "p")).record["mechanisms"] if m["threshold"]]
    scale, groups = plan["draws"][4]["scale_milli"] / 1_000, plan["groups"]

    def shown(threshold: int) -> float:
        """The chance that one of an individual's own groups is shown, at most."""
        return groups * math.exp(-(threshold - 1) / scale) / (1 + math.exp(-1 / scale))

    assert shown(threshold) <= delta_pico * 1e-12
    assert shown(threshold - 1) > delta_pico * 1e-12


def test_groups_of_one_are_shown_as_rarely_as_delta_says():
    """At a delta so large that it can be counted: in 20 000 groups of one individual each."""
    delta_pico, samples = 1_000_000_000, 20_000
    plan = analyse(BY_CITY, 4_000_000, delta_pico, groups_max=1)["privacy"]
    mechanisms = Mechanisms(read(plan, "p"))
    found = mechanisms.release(
        {"__chancery_key_0": str(i), "__chancery_part_0": 1, "__chancery_part_1": 1, INDIVIDUALS: 1}
        for i in range(samples)
    )
    # 20 are expected at most; 70 would be there once in 10^16.
    assert len(found) < 70


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("privacy", "threshold"), None),
        (("privacy", "threshold"), 0),
        (("privacy", "delta_pico"), 0),
        (("privacy", "alias"), "nobody"),
        (("privacy", "draws", 0, "source"), "__chancery_part_9"),
        (("privacy", "columns", 0, "at"), 7),
        (("privacy", "draws", 0, "scale_milli"), 0),
        (("segments", 0, "post_filters"), [{"column": "n", "minimum": 1}]),
        (("segments", 0, "pre_conditions"), [{"view": "people", "min_rows": 1}]),
    ],
)
def test_a_spec_that_would_show_more_is_refused_before_spark(path, value, tmp_path, no_session):
    data = people(tmp_path / "data", ROWS[:3])
    honest = spec(analyse(BY_CITY, 4_000_000, 1_000_000), data, tmp_path / "out" / "run")
    outcome = run(tmp_path, sign(changed(honest, path, value)), no_session)
    assert outcome.code == "spec_invalid", outcome.status


def test_a_row_that_does_not_cast_fails_no_run(released):
    """An error would tell of the row that it came from: comparisons that don't fit are false."""
    text = "SELECT COUNT(*) AS n FROM people WHERE city = 5 OR age > 0"
    _, lines = released(text, ROWS, 10_000_000)
    assert abs(int(lines[0][0]) - 400) < 100
