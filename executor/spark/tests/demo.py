"""The demo's datasets and query as a job, rewritten as the SQL analysis does it; the answer in plain Python."""

import csv
import json
import subprocess
import sys
from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from job import dataset, payload, segment

DEMO = Path(__file__).resolve().parents[3] / "deploy" / "demo"
ROW = "__chancery_row_flights"
GROUP = "__chancery_group_flights"
MINIMUM = 50
OWNERS = {"flights": "litware", "weather": "contosso", "planes": "contosso"}
BANDS = ((5, "calm"), (15, "breeze"), (25, "windy"))


def prepare(folder: Path) -> None:
    subprocess.run([sys.executable, str(DEMO / "prepare_data.py"), str(folder)], check=True, capture_output=True)


def described(name: str) -> dict:
    return json.loads((DEMO / f"{name}.json").read_text())


def job(data: Path, output: Path) -> dict:
    """The payload of the demo's spec, over the files that `prepare` wrote to `data`."""
    query = described("query")
    inputs = []
    for item in query["inputs"]:
        source = described(item["dataset"])
        columns = {c["name"]: c["type"] for c in source["columns"]}
        policy = source["policy"]
        inputs.append(
            dataset(
                item["alias"],
                data / OWNERS[item["dataset"]] / source["store"]["path"],
                columns,
                null_value=source["format"]["null_value"],
                allowed_columns=policy["allowed_columns"],
                row_identity=policy["minimum_group"] is not None,
            )
        )
    rewritten = [
        lambda sql: sql.replace(" FROM ", f", f.{ROW} AS {ROW} FROM ", 1),
        lambda sql: sql.replace(" FROM ", f", COUNT(DISTINCT {ROW}) AS {GROUP} FROM ", 1).replace(
            " ORDER BY ", f" HAVING COUNT(DISTINCT {ROW}) >= {MINIMUM} ORDER BY "
        ),
    ]
    segments = [
        segment(
            s["order"],
            s["view"],
            rewrite(s["sql"]),
            original=s["sql"],
            pre_conditions=s["pre_conditions"],
            post_filters=s["post_filters"],
        )
        for s, rewrite in zip(query["segments"], rewritten, strict=True)
    ]
    segments[-1]["groups"] = [{"column": GROUP, "minimum": MINIMUM}]
    return payload(inputs, segments, output)


def answer(data: Path) -> list[tuple[str, str, int, float, float]]:
    """The demo query's rows, computed without any engine."""
    weather = defaultdict(list)
    for row in read(data / "contosso/weather/weather.csv"):
        weather[tuple(row[k] for k in ("origin", "year", "month", "day", "hour"))].append(row["wind_speed"])
    planes = {row["tailnum"]: row["manufacturer"] for row in read(data / "contosso/planes/planes.csv")}
    groups = defaultdict(lambda: ([], [], set()))
    for number, row in enumerate(read(data / "litware/flights/flights.csv")):
        maker = planes.get(row["tailnum"])
        if row["dep_delay"] == "NA" or row["tailnum"] == "NA" or maker is None:
            continue
        for speed in weather.get(tuple(row[k] for k in ("origin", "year", "month", "day", "hour")), ()):
            if speed == "NA":
                continue
            departures, arrivals, flown = groups[band(float(speed)), maker]
            departures.append(int(row["dep_delay"]))
            flown.add(number)
            if row["arr_delay"] != "NA":
                arrivals.append(int(row["arr_delay"]))
    post_filter = described("query")["segments"][1]["post_filters"][0]["minimum"]
    return [
        (*key, len(departures), mean(departures), mean(arrivals))
        for key, (departures, arrivals, flown) in sorted(groups.items())
        if len(flown) >= MINIMUM and len(departures) >= post_filter
    ]


def read(file: Path):
    with open(file, newline="") as lines:
        yield from csv.DictReader(lines)


def band(speed: float) -> str:
    return next((name for limit, name in BANDS if speed < limit), "gale")


def mean(values: list[int]) -> float:
    """As ROUND(AVG(x), 1) of Spark: half up, of the shortest decimal text of the double."""
    return float(Decimal(repr(sum(values) / len(values))).quantize(Decimal("0.1"), ROUND_HALF_UP))
