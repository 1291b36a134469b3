"""Every interior snapshot held out in turn, and reached from its neighbors."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from wflow.checks import (
    count,
    finite,
    function,
    instance,
    one_of,
    shape,
    to_numpy,
    weights,
)
from wflow.learning import Fit, Snapshots
from wflow.learning.baselines import ot_interpolation
from wflow.learning.snapshots import Standardization
from wflow.transport import w1
from wflow.transport.exact import displacement_interpolation

from .protocols import interpolation_split
from .scores import half_sample_w1


# Points and weights.
Cloud = tuple[Float[np.ndarray, "n d"], Float[np.ndarray, " n"]]


class HoldOut(NamedTuple):
    """One snapshot held out; in the units of the data, where it is not standardized.

    Attributes:
        index: of the held-out snapshot among all of them.
        truth: the held-out snapshot.
        train: the others.
        gap: the smallest time between neighbors among all of them.
    """

    index: int
    truth: Snapshots
    train: Snapshots
    gap: float

    @property
    def time(self) -> float:
        """The time of the held-out snapshot."""
        return float(self.truth.times[0])

    @property
    def share(self) -> float:
        """How far it lies from the snapshot before it to the one after, in (0, 1)."""
        before, after = self.train.times[self.index - 1 : self.index + 1]
        return float((self.time - before) / (after - before))

    def standardized(self) -> "HoldOut":
        """The same, in units in which the pooled training snapshots are standard."""
        train, units = self.train.standardize()
        return self._replace(truth=units.apply(self.truth), train=train)


def hold_outs(snapshots: Snapshots) -> list[HoldOut]:
    """Splits for a leave-one-out test: each inner snapshot held out in turn.

    Each but the first and the last.

    Raises:
        ValueError: fewer than three snapshots.
    """
    instance("hold_outs", "snapshots", snapshots, Snapshots, "Snapshots")
    if len(snapshots) < 3:
        raise ValueError(
            f"hold_outs: expected at least three snapshots, found {len(snapshots)}."
        )
    found = []
    for k in range(1, len(snapshots) - 1):
        split = interpolation_split(snapshots, [k])
        found.append(HoldOut(k, split.test, split.train, split.gap))
    return found


def reversed_time(snapshots: Snapshots) -> Snapshots:
    """The same snapshots seen backwards: times and velocities change their sign.

    Raises:
        TypeError: no snapshots.
    """
    instance("reversed_time", "snapshots", snapshots, Snapshots, "Snapshots")
    given = snapshots.velocities
    return Snapshots(
        -snapshots.times[::-1],
        snapshots.clouds[::-1],
        given and [None if v is None else -v for v in given[::-1]],
        snapshots.weights and snapshots.weights[::-1],
        None if snapshots.masses is None else snapshots.masses[::-1],
        snapshots.sharding,
    )


def checked_cloud(owner: str, name: str, cloud: Cloud) -> Cloud:
    """Points and weights that fit each other."""
    if not isinstance(cloud, tuple | list) or len(cloud) != 2:
        raise TypeError(
            f"{owner}: expected {name} as points and weights, found "
            f"{type(cloud).__name__}."
        )
    points, w = to_numpy(cloud[0], name), to_numpy(cloud[1], name)
    shape(owner, f"the points of {name}", points, ("n", "d"))
    shape(owner, f"the weights of {name}", w, points.shape[:1])
    finite(owner, f"the points of {name}", points)
    weights(owner, f"the weights of {name}", w)
    return points, w


# Makes a fit of training snapshots in the model's units, seen forwards or backwards.
Fitter = Callable[[Snapshots, HoldOut, bool], Fit]


def reach(
    held: HoldOut, fitter: Fitter, *, both_sides: bool = True, substeps: int = 2
) -> tuple[Cloud, list[Cloud], list[Fit]]:
    r"""The held-out cloud as the model sees it, in the units of the data.

    Forwards it is a rollout that restarts at the training snapshot before; backwards
    one of a second model, of the training snapshots in reversed time, that restarts at
    the snapshot after. With ``both_sides`` the answer lies at the ``share`` s of the
    way from the one cloud to the other by optimal transport, so that errors of the two
    average out; else it is the former alone. Training happens in units in which the
    pooled training snapshots are standard; nothing of the held-out cloud is used but
    its time.

    Returns:
        The answer, the cloud of each side, and the fits.

    Raises:
        TypeError: no hold-out, a fitter that returns no fit, substeps that is not
            whole.
    """
    instance("reach", "held", held, HoldOut, "a HoldOut")
    function("reach", "fitter", fitter, "snapshots, the hold-out and backwards")
    one_of("reach", "both_sides", both_sides, (True, False))
    count("reach", "substeps", substeps)
    train, units = held.train.standardize()
    clouds, fits = [], []
    for backwards in (False, True)[: 1 + both_sides]:
        side = reversed_time(train) if backwards else train
        fitted = fitter(side, held, backwards)
        if not callable(getattr(fitted, "interpolate", None)):
            raise TypeError(
                f"reach: expected fitter to return a Fit, found "
                f"{type(fitted).__name__}."
            )
        time = -held.time if backwards else held.time
        clouds.append(_arrived(fitted, time, units, substeps))
        fits.append(fitted)
    if not both_sides:
        return clouds[0], clouds, fits
    (x, a), (y, b) = clouds
    return displacement_interpolation(x, y, held.share, a, b), clouds, fits


def _arrived(fitted: Fit, time: float, units: Standardization, substeps: int) -> Cloud:
    there = units.invert(fitted.interpolate(time, substeps=substeps))
    return there[0].astype(np.float64), there.weight(0).astype(np.float64)


class Yardsticks(NamedTuple):
    r"""Exact $W_1$ to the held-out cloud of what needs no model.

    ``half_sample`` is the distance between halves of the held-out cloud itself.
    """

    ot_midpoint: float
    nothing_moves: float
    half_sample: float


def yardsticks(held: HoldOut, *, seed: int = 0) -> Yardsticks:
    """The scores that a model must be seen beside, in the units of ``held``.

    Raises:
        TypeError: no hold-out, or a seed that is not whole.
        ValueError: fewer than four points in the cloud that is held out.
    """
    instance("yardsticks", "held", held, HoldOut, "a HoldOut")
    before = held.index - 1
    return Yardsticks(
        score(ot_interpolation(held.train, before, held.time), held),
        score((held.train[before], held.train.weight(before)), held),
        half_sample_w1(held.truth[0], seed=seed, splits=5),
    )


def score(cloud: Cloud, held: HoldOut, *, standardized: bool = False) -> float:
    """Exact $W_1$ from ``cloud`` to the held-out one, both in the units of the data.

    The distance is in those units too, or in ones in which the pooled training
    snapshots are ``standardized``.

    Raises:
        TypeError: no hold-out, or no cloud of points and weights.
        ValueError: points that are not finite or of another dimension.
    """
    instance("score", "held", held, HoldOut, "a HoldOut")
    one_of("score", "standardized", standardized, (True, False))
    points, mass = checked_cloud("score", "cloud", cloud)
    shape("score", "the points of cloud", points, ("n", held.truth.dim))
    if standardized:
        units = held.train.standardize()[1]
        points, held = (points - units.mean) / units.std, held.standardized()
    return w1(points, held.truth[0], mass, held.truth.weight(0))
