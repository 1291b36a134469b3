"""Which snapshots a model is trained on and which it is tested on."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from wflow.checks import count as whole
from wflow.checks import finite, instance, shape, within
from wflow.learning import Snapshots
from wflow.learning.clock import shown


class Split(NamedTuple):
    """Training and test snapshots.

    ``gap`` is the smallest time between neighbors among all of them: the ``dt0`` for
    ``fit``, so that steps do not grow where snapshots are held out.
    """

    train: Snapshots
    test: Snapshots
    gap: float


def forecast_split(
    snapshots: Snapshots,
    *,
    fraction: float | None = None,
    held_out: int | None = None,
    until: float | None = None,
) -> Split:
    r"""The first snapshots train, the rest test.

    Args:
        snapshots: all T snapshots.
        fraction: share q of the snapshots that train, $\max(2, \mathrm{round}(qT))$ of
            them; halves are rounded to even.
        held_out: or the number of snapshots that test.
        until: or the last time at which a snapshot may train.

    Raises:
        ValueError: not one of the three is given, or fewer than two snapshots would
            train, or none would test.

    Reference: the forecasting protocol of arXiv:2605.08550's code.
    """
    instance("forecast_split", "snapshots", snapshots, Snapshots, "Snapshots")
    count = len(snapshots)
    given = [value for value in (fraction, held_out, until) if value is not None]
    if len(given) != 1:
        raise ValueError(
            "forecast_split: expected either fraction, held_out or until, found "
            f"{'several' if given else 'none'}."
        )
    if fraction is not None:
        shape("forecast_split", "fraction", fraction, ())
        within("forecast_split", "fraction", fraction, 0, 1, closed="neither")
        trained = max(2, round(fraction * count))
        if trained >= count:
            raise ValueError(
                f"forecast_split: fraction {fraction} of {count} snapshots leaves none "
                "to test."
            )
    elif held_out is not None:
        whole("forecast_split", "held_out", held_out, -count)
        trained = count - held_out
        if held_out < 1 or trained < 2:
            raise ValueError(
                f"forecast_split: expected held_out from 1 to {count - 2} (two of the "
                f"{count} snapshots must train), found {held_out}."
            )
    else:
        shape("forecast_split", "until", until, ())
        finite("forecast_split", "until", until)
        trained = int((snapshots.times <= until).sum())
        if not 1 < trained < count:
            raise ValueError(
                "forecast_split: expected until with two snapshots up to it and one "
                f"after, found {shown(float(until), *snapshots.times)}."
            )
    return _split(snapshots, range(trained))


def interpolation_split(snapshots: Snapshots, held_out: Sequence[int]) -> Split:
    """The snapshots of indices ``held_out`` test, the others train.

    Raises:
        ValueError: no index, one twice, the first snapshot's, one that is out of range,
            or so many that fewer than two snapshots train.
    """
    instance("interpolation_split", "snapshots", snapshots, Snapshots, "Snapshots")
    listed = (Sequence, np.ndarray, set)
    instance("interpolation_split", "held_out", held_out, listed, "a list of indices")
    count = len(snapshots)
    indices = list(held_out)
    for index in indices:
        whole("interpolation_split", "held_out", index, -count)
        if not 1 <= index < count:
            raise ValueError(
                "interpolation_split: expected held_out as held-out indices from 1 to "
                f"{count - 1}, found {index}."
            )
    if not indices or len(set(indices)) < len(indices):
        raise ValueError(
            "interpolation_split: expected held_out with different indices, one at "
            f"least, found {indices}."
        )
    if len(indices) > count - 2:
        raise ValueError(
            f"interpolation_split: expected held_out to leave two snapshots to train, "
            f"found that {len(indices)} of {count} snapshots are held out."
        )
    return _split(snapshots, [k for k in range(count) if k not in indices])


def full_split(snapshots: Snapshots) -> Split:
    """All snapshots train; the test is to reach all those after the first.

    Raises:
        ValueError: fewer than two snapshots.
    """
    instance("full_split", "snapshots", snapshots, Snapshots, "Snapshots")
    if len(snapshots) < 2:
        raise ValueError("full_split: expected snapshots, two at least, found 1.")
    everything = range(len(snapshots))
    gap = float(np.diff(snapshots.times).min())
    return Split(snapshots.take(everything), snapshots.take(everything[1:]), gap)


def _split(snapshots: Snapshots, trained: Sequence[int]) -> Split:
    tested = [k for k in range(len(snapshots)) if k not in trained]
    gap = float(np.diff(snapshots.times).min())
    return Split(snapshots.take(trained), snapshots.take(tested), gap)
