"""The types that the analysis tells of expressions, against those that Spark gives the text that runs.

The analysis is the example `analyse` of chancery-governance, as ./test builds it. It may not know a
type; one that it tells is Spark's, and those below it knows.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

from chancery_app.load import spark_type
from chancery_app.write import written_as

ROOT = Path(__file__).resolve().parents[3]

COLUMNS = {
    "l": "long",
    "x": "double",
    "s": "string",
    "b": "boolean",
    "day": "date",
    "at": "timestamp",
    "d": "decimal(15,2)",
    "q": "decimal(5,2)",
    "w": "decimal(38,10)",
    "z": "decimal(38,0)",
    "y": "decimal(38,38)",
}

LITERALS = """
0.05; 1.5; 1.50; .5; 0.0; 0.00; 007.5; -1.5; 100; 2147483648; 9223372036854775807; 9223372036854775808
-9223372036854775808; - 9223372036854775808; -2147483648; 99999999999999999999999999999999999999
0.00000000000000000000000000000000000001; 1e2; 1.5e2; -1e2
"""

ARITHMETIC = """
d + d; d - q; d * d; d / d; d % q; q % d; -d; +d; w + w; w * w; w / w; w % w; w - d; w / 3
y + z; y * z; y / z; z / y; y * y; y % z; d * d * d; (d + q) * (d - q)
d * 5; d * -5; d * (5); d * (-5); d * -(5); d * +5; d * - 5; d * 0; d * 100; d + 1; 1 - d; 3 / d; d / 3; d % 3; 3 % q
d * 2147483648; d * -2147483648; d * 9223372036854775808; d * (1 + 1); d * 1.50; 0.2 * d
d * l; l * d; l / d; l % d; l * 0.5; d * l / q; d * x; x / d; d * 1e2; x + 0.5; l / l; l % 2; l + 0.5
CAST(l AS INT) * q; CAST(l AS SMALLINT) * q; CAST(l AS TINYINT) * q; CAST(5 AS INT) * q; CAST(l AS INT) * l * q
(CAST(l AS TINYINT) + CAST(l AS SMALLINT)) * q; (CAST(l AS SMALLINT) * 5) * q; (CAST(l AS INT) + 2147483648) * q
(CAST(l AS INT) / l) * q; (CAST(l AS INT) % l) * q; (-CAST(l AS INT)) * q
CAST('1' AS DECIMAL); CAST(d AS DECIMAL(5)); CAST(x AS DECIMAL(5, 5)); CAST('12.50' AS DECIMAL(15, 2))
TRY_CAST(s AS DECIMAL(7, 3)); CAST('1' AS DECIMAL(38, 38)); CAST(d AS DOUBLE) * q; CAST(d AS BIGINT) * q; CAST(d AS STRING)
CAST(1 AS DECIMAL(38, 20)) * CAST(1 AS DECIMAL(38, 20)); CAST(1 AS DECIMAL(20, 18)) + CAST(1 AS DECIMAL(38, 2))
CAST(1 AS DECIMAL(38, 37)) / CAST(1 AS DECIMAL(10, 1)); CAST(1 AS DECIMAL(10, 8)) / CAST(1 AS DECIMAL(38, 20))
CAST(1 AS DECIMAL(38, 20)) % CAST(1 AS DECIMAL(38, 4)); CAST(1 AS DECIMAL(1, 0)) / CAST(1 AS DECIMAL(1, 1))
q || 'a'; d = 5; d <> q; d < l; d >= 1.5; d <=> x; d BETWEEN 1 AND 5; d IN (1, 2.5); d IS NULL; NOT d = 5
"""

FUNCTIONS = """
ABS(d); ABS(-5) * q; ABS(x); ABS(l) * q; SQRT(d); POWER(d, 2); EXP(q); LN(q); LOG10(q); ISNAN(q); ISNULL(d)
ROUND(d); ROUND(d, 0); ROUND(d, 1); ROUND(d, 2); ROUND(d, 5); ROUND(d, -1); ROUND(d, -20); ROUND(w, 3); ROUND(w, -40)
ROUND(y); ROUND(y, 3); ROUND(l) * q; ROUND(CAST(l AS INT)) * q; ROUND(x); ROUND(5) * q; ROUND(x, 2); ROUND(q * 1.5, 1)
FLOOR(d); CEIL(d); FLOOR(w); FLOOR(y); FLOOR(z); FLOOR(x) * q; FLOOR(CAST(l AS INT)) * q; CEIL(l) * q; FLOOR(5) * q
FLOOR(CAST(1 AS DECIMAL(5, 0))); MOD(d, 3); MOD(d, q); MOD(l, 3) * q; MOD(CAST(l AS INT), 3) * q; MOD(x, 2)
CASE WHEN b THEN d ELSE 0 END; CASE WHEN b THEN q ELSE 0 END; CASE WHEN b THEN q ELSE l END; CASE WHEN b THEN q END
CASE WHEN b THEN q ELSE x END; CASE WHEN b THEN q ELSE d END; CASE WHEN b THEN w ELSE z END; CASE WHEN b THEN y ELSE z END
CASE WHEN b THEN y ELSE 5 END; CASE WHEN b THEN q ELSE 1.12345 END; CASE WHEN b THEN l ELSE x END; CASE d WHEN 1 THEN 2 END
CASE WHEN b THEN 1 ELSE 0 END * 0.5; CASE WHEN b THEN 1 ELSE 2147483648 END * q; CASE WHEN b THEN q WHEN d > 1 THEN w ELSE x END
COALESCE(d, 0); COALESCE(q, 0); COALESCE(q, d, 1); COALESCE(q, 0.000); COALESCE(q, x); COALESCE(q, l); COALESCE(w, 0)
COALESCE(z, 0.5); COALESCE(1) * q; COALESCE(1, 2) * q; COALESCE(y, z, w); COALESCE(w, y, z)
IFNULL(q, 0); NVL(q, d); NULLIF(q, 0); NULLIF(q, 1.0000); NULLIF(1, q) * q; NULLIF(d, x)
IF(b, q, 0); IF(b, q, d); IF(b, q, x); IF(b, CAST(l AS SMALLINT), CAST(l AS INT)) * q
GREATEST(q, 0); GREATEST(q, d); LEAST(q, 1.123); LEAST(w, y); GREATEST(CAST(l AS SMALLINT), 1) * q; LEAST(l, x)
EXTRACT(YEAR FROM day) * q; EXTRACT(QUARTER FROM day) * q; EXTRACT(MONTH FROM day) * q; EXTRACT(WEEK FROM day) * q
EXTRACT(DAY FROM day) * q; EXTRACT(HOUR FROM at) * q; EXTRACT(MINUTE FROM at) * q; EXTRACT(SECOND FROM at)
YEAR(day) * q; QUARTER(day) * q; MONTH(day) * q; WEEKOFYEAR(day) * q; DAY(day) * q; DAYOFMONTH(day) * q
DAYOFWEEK(day) * q; DAYOFYEAR(day) * q; HOUR(at) * q; MINUTE(at) * q; SECOND(at) * q; DATEDIFF(day, day) * q
LENGTH(s) * q; CHAR_LENGTH(s) * q; UPPER(s); SUBSTRING(s, 1, 2); STARTSWITH(s, 'a'); LAST_DAY(day); DATE_ADD(day, 1)
MONTHS_BETWEEN(day, day); DATE_TRUNC('month', at); TRUNC(day, 'month'); TO_DATE(s); DATE_FORMAT(day, 'y')
"""

AGGREGATES = """
SUM(d); SUM(w); SUM(q); SUM(y); SUM(l) * MAX(q); SUM(CAST(l AS INT)) * MAX(q); SUM(5) * MAX(q); SUM(x); SUM(d * (1 - q))
SUM(CAST(1 AS DECIMAL(30, 30))); SUM(CAST(1 AS DECIMAL(28, 3))); SUM(CAST(1 AS DECIMAL(29, 3)))
AVG(d); AVG(w); AVG(y); AVG(q); AVG(l); AVG(x); MEAN(q); AVG(CAST(1 AS DECIMAL(36, 30))); AVG(CAST(1 AS DECIMAL(34, 34)))
MIN(d); MAX(q); MAX(1) * MAX(q); MIN(CAST(l AS INT)) * MAX(q); COUNT(d) * MAX(q); COUNT(*) * MAX(q); COUNT(DISTINCT d)
COUNT_IF(b) * MAX(q); STDDEV(d); VARIANCE(d); STD(q); CORR(d, q); COVAR_POP(d, q); SUM(d) / 7.0; 0.2 * AVG(d)
100.00 * SUM(CASE WHEN b THEN d * (1 - q) ELSE 0 END) / SUM(d * (1 - q)); SUM(d * (1 - q) * (1 + q)); SUM(d) / COUNT(*)
SUM(q * l) - AVG(d); ROUND(AVG(d), 2); COALESCE(SUM(d), 0)
"""

WINDOWS = """
ROW_NUMBER() OVER (ORDER BY l) * q; RANK() OVER (ORDER BY l) * q; DENSE_RANK() OVER (ORDER BY l) * q
NTILE(3) OVER (ORDER BY l) * q; PERCENT_RANK() OVER (ORDER BY l); CUME_DIST() OVER (ORDER BY l)
SUM(q) OVER (PARTITION BY l); AVG(q) OVER (ORDER BY l); COUNT(*) OVER (ORDER BY l) * q; LAG(q) OVER (ORDER BY l)
LAG(q, 1, 0) OVER (ORDER BY l); LAG(q, 1, 0.12345) OVER (ORDER BY l); LEAD(q, 1, d) OVER (ORDER BY l)
LAG(1) OVER (ORDER BY l) * q; FIRST_VALUE(q) OVER (ORDER BY l); NTH_VALUE(d, 1) OVER (ORDER BY l); MAX(1) OVER (ORDER BY l) * q
"""

TEXTS = [
    "SELECT q AS r FROM t UNION ALL SELECT d AS r FROM t",
    "SELECT q AS r FROM t UNION ALL SELECT 0 AS r FROM t",
    "SELECT q AS r FROM t UNION SELECT l AS r FROM t",
    "SELECT q AS r FROM t UNION ALL SELECT x AS r FROM t",
    "SELECT l AS r FROM t UNION ALL SELECT x AS r FROM t",
    "SELECT w AS r FROM t UNION ALL SELECT y AS r FROM t",
    "SELECT q AS r FROM t INTERSECT SELECT d AS r FROM t",
    "SELECT q AS r FROM t EXCEPT SELECT 1.12345 AS r FROM t",
    "(SELECT w AS r FROM t UNION ALL SELECT y AS r FROM t) UNION ALL SELECT z AS r FROM t",
    "SELECT w AS r FROM t UNION ALL (SELECT y AS r FROM t UNION ALL SELECT z AS r FROM t)",
    "SELECT e.one * e.q AS r FROM (SELECT 1 AS one, q FROM t) AS e",
    "SELECT e.one * e.q AS r FROM (SELECT 1 AS one, q FROM t UNION ALL SELECT 2 AS one, d FROM t) AS e",
    "WITH e AS (SELECT SUM(d) AS total FROM t) SELECT AVG(total) AS r FROM e",
    "SELECT (SELECT MAX(q) FROM t) * 2 AS r FROM t",
    "SELECT (SELECT 1 AS one FROM t LIMIT 1) * q AS r FROM t",
    "SELECT q AS r FROM t GROUP BY q HAVING SUM(d) > 1.5 ORDER BY q",
    "SELECT d * 2 AS r FROM t ORDER BY r",
    "SELECT r FROM t JOIN (SELECT d, 1.5 AS r FROM t) AS e USING (d)",
    "SELECT t.q + e.d AS r FROM t LEFT JOIN t AS e ON t.d = e.q",
]

# What the analysis does not tell.
UNKNOWN = """
NULL; CASE WHEN b THEN q ELSE NULL END; CAST(q AS FLOAT); d * CAST(x AS FLOAT); CASE WHEN b THEN q ELSE 'a' END; q * s
ROUND(d, 1 + 1); SIGN(d); day - day; COALESCE(q, NULL); NULL * q; 1.00000000000000000000000000000000000001
"""


def listed(text: str) -> list[str]:
    return [one.strip() for line in text.strip().splitlines() for one in line.split(";") if one.strip()]


KNOWN = [f"SELECT {e} AS r FROM t" for part in (LITERALS, ARITHMETIC, FUNCTIONS, AGGREGATES, WINDOWS) for e in listed(part)]
KNOWN += TEXTS


@pytest.fixture(scope="session")
def analysed() -> dict[str, dict]:
    """What the analysis makes of each text."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    program = target / "debug" / "examples" / "analyse"
    assert program.exists(), "build it: cargo build -p chancery-governance --example analyse"
    texts = KNOWN + [f"SELECT {e} AS r FROM t" for e in listed(UNKNOWN)]
    asked = [{"inputs": {"t": COLUMNS}, "segments": [{"order": 1, "view": "v", "sql": text}]} for text in texts]
    answered = subprocess.run([program], input=json.dumps(asked), capture_output=True, text=True)
    return dict(zip(texts, json.loads(answered.stdout), strict=True))


@pytest.fixture(scope="session")
def spark(engine):
    session = engine.newSession()
    columns = ", ".join(f"CAST(NULL AS {spark_type(kind).simpleString()}) AS {name}" for name, kind in COLUMNS.items())
    session.sql(f"SELECT {columns}").createOrReplaceTempView("t")
    return session


def kind(analysed: dict, text: str) -> str | None:
    analysis = analysed[text]
    assert "refusals" not in analysis, analysis
    return analysis["segments"][-1]["kinds"]["r"]


@pytest.mark.parametrize("text", KNOWN)
def test_the_analysis_tells_the_type_that_spark_gives(text, analysed, spark):
    made = spark.sql(analysed[text]["segments"][-1]["sql"]) if "segments" in analysed[text] else None
    assert kind(analysed, text) == written_as(made.schema["r"].dataType)


@pytest.mark.parametrize("expression", listed(UNKNOWN))
def test_what_it_can_not_tell_it_does_not_guess(expression, analysed):
    assert kind(analysed, f"SELECT {expression} AS r FROM t") is None
