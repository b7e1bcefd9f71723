"""What a spec says of differential privacy: the noise to draw, and what the result shows of it.

The rules decide all of it from the text and the policy, and voters signed it: `noise.py` draws it.
"""

from dataclasses import dataclass
from functools import reduce

from . import shape

KEYS_MAX = 64
DRAWS_MAX = 128
COLUMNS_MAX = 128
# Groups of declared values; as in governance/src/sql/private.rs.
GROUPS_MAX = 10_000
VALUES_MAX = 10_000
# As in governance/src/privacy.rs.
SENSITIVITY_MAX = 10**12
SCALE_MILLI_MAX = 2**63 - 1
EPSILON_MICRO_MAX = 100_000_000
DELTA_PICO_MAX = 1_000_000_000
DECIMALS_MAX = 6

DRAWN = shape.choice("count", "individuals", "sum", "mean_sum", "mean_count", "groups")
SHOWN = shape.choice("key", "count", "sum", "mean")
TYPES = shape.choice("string", "long", "double", "boolean", "date")
# The count of individuals behind each row of the text that runs.
INDIVIDUALS = shape.HIDDEN_PREFIX + "units"


@dataclass(frozen=True)
class Key:
    """A column that rows are grouped by; `values` are all it shows, where its owner declared them."""

    source: str
    values: tuple[str, ...] | None


@dataclass(frozen=True)
class Draw:
    """One noise for each group. `sensitivity` is by how much one individual moves all of them together."""

    column: str
    of: str
    source: str
    sensitivity: int
    epsilon_micro: int
    scale_milli: int


@dataclass(frozen=True)
class Shown:
    """A column of the result: the key or the draw at `at`; a mean is of the draws at `at` and the next."""

    name: str
    kind: str
    at: int
    type: str
    decimals: int
    lower: int
    upper: int


@dataclass(frozen=True)
class Privacy:
    alias: str
    epsilon_micro: int
    delta_pico: int
    # The most groups that one individual is in.
    groups: int
    # The draw that decides which groups are shown; none where they are known without the data.
    threshold: int | None
    keys: tuple[Key, ...]
    draws: tuple[Draw, ...]
    columns: tuple[Shown, ...]


def read(value, where: str) -> Privacy:
    r = shape.record(value, where, set(Privacy.__dataclass_fields__))
    privacy = Privacy(
        alias=shape.view(r["alias"], f"{where}.alias"),
        epsilon_micro=shape.integer(r["epsilon_micro"], f"{where}.epsilon_micro", 1, EPSILON_MICRO_MAX),
        delta_pico=shape.integer(r["delta_pico"], f"{where}.delta_pico", 0, DELTA_PICO_MAX),
        groups=shape.integer(r["groups"], f"{where}.groups", 1),
        threshold=None if r["threshold"] is None else shape.integer(r["threshold"], f"{where}.threshold", 0),
        keys=shape.array(r["keys"], f"{where}.keys", _key, KEYS_MAX),
        draws=shape.array(r["draws"], f"{where}.draws", _draw, DRAWS_MAX, 1),
        columns=shape.array(r["columns"], f"{where}.columns", _shown, COLUMNS_MAX, 1),
    )
    _whole(privacy, where)
    return privacy


def public_groups(privacy: Privacy) -> int | None:
    """How many groups there are, where that is known without the data; none where the data decides."""
    if any(key.values is None for key in privacy.keys):
        return None
    return reduce(lambda count, key: count * len(key.values or ()), privacy.keys, 1)


def _whole(privacy: Privacy, where: str) -> None:
    """What must hold between the parts."""
    for column in privacy.columns:
        last = column.at + (column.kind == "mean")
        of = privacy.keys if column.kind == "key" else privacy.draws
        if last >= len(of):
            raise shape.refused(f"{where}.columns", f"{column.name} shows what is not there")
        if column.lower > column.upper:
            raise shape.refused(f"{where}.columns", f"{column.name} has no value between its bounds")
    groups = public_groups(privacy)
    if (groups is None) != (privacy.threshold is not None):
        raise shape.refused(f"{where}.threshold", "there is one if and only if the data decides the groups")
    if groups is not None and groups > GROUPS_MAX:
        raise shape.refused(f"{where}.keys", f"more than {GROUPS_MAX} groups")
    if (groups is None) != (privacy.delta_pico > 0):
        raise shape.refused(f"{where}.delta_pico", "there is one if and only if the data decides the groups")
    if privacy.threshold is not None:
        if privacy.threshold >= len(privacy.draws):
            raise shape.refused(f"{where}.threshold", "no such draw")
        counted = privacy.draws[privacy.threshold]
        if counted.source != INDIVIDUALS or counted.sensitivity != privacy.groups:
            raise shape.refused(f"{where}.threshold", "it does not count individuals")


def _key(value, where: str) -> Key:
    r = shape.record(value, where, {"source", "values"})
    values = None
    if r["values"] is not None:
        values = shape.array(r["values"], f"{where}.values", shape.text, VALUES_MAX, 1)
        if len(set(values)) != len(values):
            raise shape.refused(f"{where}.values", "one stands twice")
    return Key(shape.any_column(r["source"], f"{where}.source"), values)


def _draw(value, where: str) -> Draw:
    r = shape.record(value, where, set(Draw.__dataclass_fields__))
    return Draw(
        column=shape.any_column(r["column"], f"{where}.column"),
        of=DRAWN(r["of"], f"{where}.of"),
        source=shape.any_column(r["source"], f"{where}.source"),
        sensitivity=shape.integer(r["sensitivity"], f"{where}.sensitivity", 1, SENSITIVITY_MAX),
        epsilon_micro=shape.integer(r["epsilon_micro"], f"{where}.epsilon_micro", 1, EPSILON_MICRO_MAX),
        scale_milli=shape.integer(r["scale_milli"], f"{where}.scale_milli", 1, SCALE_MILLI_MAX),
    )


def _shown(value, where: str) -> Shown:
    r = shape.record(value, where, set(Shown.__dataclass_fields__))
    return Shown(
        name=shape.column(r["name"], f"{where}.name"),
        kind=SHOWN(r["kind"], f"{where}.kind"),
        at=shape.integer(r["at"], f"{where}.at", 0),
        type=TYPES(r["type"], f"{where}.type"),
        decimals=shape.integer(r["decimals"], f"{where}.decimals", 0, DECIMALS_MAX),
        lower=shape.integer(r["lower"], f"{where}.lower"),
        upper=shape.integer(r["upper"], f"{where}.upper"),
    )
