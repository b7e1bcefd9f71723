"""Draws the noise of a query under differential privacy, by OpenDP's mechanisms and accounting.

What comes in is one row for each group, with each individual's part in it bounded by the text that ran.
What goes out is noised, or is not shown. The noise is discrete Laplace noise on whole numbers, sampled
exactly and from the operating system's randomness by OpenDP: no floating-point number is near it.

The spec says which scale each noise has. OpenDP says what loss that is, and a spec that would lose more
than it states is refused before anything is loaded.
"""

import itertools
from collections.abc import Iterable, Iterator
from fractions import Fraction

import opendp.domains as domains
import opendp.measurements as measurements
import opendp.metrics as metrics
from opendp.mod import Measurement, disable_features, enable_features

from .errors import AppError, Code
from .privacy import INDIVIDUALS, Draw, Privacy, Shown

MICRO, PICO, MILLI = 10**6, 10**12, 10**3
MECHANISM = "discrete_laplace"
# The noise is added to 64-bit integers; a sum beyond is cut, which moves no two sums further apart.
SUM_MAX = 2**62
# Groups that noise is drawn for at once.
CHUNK_GROUPS = 10_000
# How far the threshold may be from its first guess before the search for it is given up.
THRESHOLD_STEPS_MAX = 64

Group = dict[str, object]


class Mechanisms:
    """The mechanisms of a query, their loss checked."""

    def __init__(self, privacy: Privacy):
        enable_features("contrib")
        try:
            self._privacy = privacy
            self._threshold: int | None = None
            self._of = [self._measurement(place, draw) for place, draw in enumerate(privacy.draws)]
        finally:
            disable_features("contrib")

    @property
    def record(self) -> dict:
        """What the result's record says: all of it was decided before the data was read."""
        privacy = self._privacy
        return {
            "epsilon_micro": privacy.epsilon_micro,
            "delta_pico": privacy.delta_pico,
            "mechanisms": [
                {
                    "column": draw.column,
                    "of": draw.of,
                    "mechanism": MECHANISM,
                    "epsilon_micro": draw.epsilon_micro,
                    "sensitivity": draw.sensitivity,
                    "scale_milli": draw.scale_milli,
                    "threshold": self._threshold if place == privacy.threshold else None,
                }
                for place, draw in enumerate(privacy.draws)
            ],
        }

    def release(self, groups: Iterable[Group]) -> list[tuple]:
        """The rows of the result, by their keys: the noised values of the groups that are shown."""
        rows = [row for chunk in _chunks(self._known(groups)) for row in self._chunk(chunk)]
        keys = [place for place, column in enumerate(self._privacy.columns) if column.kind == "key"]
        return sorted(rows, key=lambda row: tuple((row[place] is not None, row[place]) for place in keys))

    def _known(self, groups: Iterable[Group]) -> Iterable[Group]:
        """The groups as they are; where they are known without the data, all of these and no other."""
        privacy = self._privacy
        if privacy.threshold is not None:
            return groups
        found = {tuple(group[key.source] for key in privacy.keys): group for group in groups}
        names = [key.source for key in privacy.keys]
        every = itertools.product(*[key.values or () for key in privacy.keys])
        return [found.get(values, {}) | dict(zip(names, values, strict=True)) for values in every]

    def _chunk(self, groups: list[Group]) -> Iterator[tuple]:
        """Noise for these groups; an individual's part in all chunks together is what is bounded."""
        place, drawn = self._privacy.threshold, {}
        if place is not None:
            counts = {number: _whole(group, INDIVIDUALS) for number, group in enumerate(groups)}
            kept = self._of[place](counts)
            groups = [groups[number] for number in kept]
            drawn[place] = list(kept.values())
        if not groups:
            return
        for other, draw in enumerate(self._privacy.draws):
            if other != place:
                drawn[other] = self._of[other]([_whole(group, draw.source) for group in groups])
        for number, group in enumerate(groups):
            noised = [drawn[draw][number] for draw in range(len(self._of))]
            yield tuple(self._value(column, group, noised) for column in self._privacy.columns)

    def _value(self, column: Shown, group: Group, noised: list[int]):
        """What a column shows. All but a key is computed from noised values only."""
        if column.kind == "key":
            return group[self._privacy.keys[column.at].source]
        value = noised[column.at]
        if column.kind == "mean":
            mean = Fraction(value, max(noised[column.at + 1], 1))
            return float(min(max(mean, column.lower), column.upper) / 10**column.decimals)
        return float(Fraction(value, 10**column.decimals)) if column.type == "double" else value

    def _measurement(self, place: int, draw: Draw) -> Measurement:
        scale = draw.scale_milli / MILLI
        epsilon = Fraction(draw.epsilon_micro, MICRO)
        if sum(other.epsilon_micro for other in self._privacy.draws) > self._privacy.epsilon_micro:
            raise _exceeds("the draws together", "epsilon")
        if place == self._privacy.threshold:
            return self._thresholded(draw, scale, epsilon)
        made = measurements.make_laplace(_whole_numbers(), metrics.l1_distance(T="i64"), scale=scale)
        if Fraction(made.map(draw.sensitivity)) > epsilon:
            raise _exceeds(draw.column, "epsilon")
        return made

    def _thresholded(self, draw: Draw, scale: float, epsilon: Fraction) -> Measurement:
        """Shows a group from the least threshold on with which delta is within the stated one.

        OpenDP 0.16 shows a group whose noised count reaches the threshold, and its delta is the chance
        to pass it: for a count of 1 and a threshold of t it tells P(noise >= t) in the place of
        P(noise >= t - 1) (github.com/opendp/opendp/issues/2922; tests/test_privacy.py counts it). So
        its word on one threshold is taken for the next, which is also right once that is mended.
        """
        groups, delta = self._privacy.groups, Fraction(self._privacy.delta_pico, PICO)
        number = domains.atom_domain(T="i64")
        counts = domains.map_domain(number, number)
        apart = metrics.l01inf_distance(metrics.absolute_distance(T="i64"))

        def made(threshold: int) -> Measurement:
            return measurements.make_laplace_threshold(
                counts, apart, scale=scale, threshold=threshold, MO="Approximate<MaxDivergence>"
            )

        def loss(threshold: int) -> tuple[Fraction, Fraction]:
            # In so many groups, by so much together, and by so much in each.
            told = made(threshold).map((groups, groups, 1))
            return Fraction(told[0]), Fraction(told[1])

        least = _least(lambda threshold: loss(threshold - 1)[1] <= delta)
        if loss(least)[0] > epsilon:
            raise _exceeds(draw.column, "epsilon")
        self._threshold = least
        return made(least)


def _least(holds) -> int:
    """The least threshold from 1 on that `holds`, which every larger one does too."""
    low, high = 1, 3
    for _ in range(THRESHOLD_STEPS_MAX):
        if holds(high):
            break
        low, high = high, high * 2
    else:
        raise _exceeds("the groups", "delta")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _whole_numbers():
    return domains.vector_domain(domains.atom_domain(T="i64"))


def _whole(group: Group, name: str) -> int:
    """A bounded sum; none where no row has a part in it."""
    value = group.get(name)
    return min(max(int(value), -SUM_MAX), SUM_MAX) if value is not None else 0


def _chunks(groups: Iterable[Group]) -> Iterator[list[Group]]:
    rest = iter(groups)
    while chunk := list(itertools.islice(rest, CHUNK_GROUPS)):
        yield chunk


def _exceeds(what: str, of: str) -> AppError:
    return AppError(Code.PRIVACY_LOSS_EXCEEDED, f"{what}: the noise is too small for the stated {of}")
