"""Start velocities from smooth paths through all snapshots."""

from typing import NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Float, PRNGKeyArray
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

from wflow.checks import positive, shape
from wflow.transport import w1

from .snapshots import Snapshots
from .velocities import AbstractInitialVelocity, Velocities, check_snapshots
from .velocity_fields import shares, smoothed


_SHARES = np.linspace(0, 1, 5)
# Of variances: rounding of smooth covariances.
_FLOOR = 1e-12


class PathVelocity(AbstractInitialVelocity):
    r"""Start velocities from smooth paths through all snapshots.

    $v(x_i) = u_i + c\,(E[\dot X(t_k) \mid \text{all snapshots}] - u_i)$.

    u is the ``SmoothedDisplacement``, a chord; X a Gaussian process. Optimal plans
    between neighboring snapshots, followed one after the other, say where a point of
    snapshot k is on average at the other times; the averages are smoothed over
    neighbors with ``bandwidth``. The path through these places is regressed as a
    Gaussian process of time with an unknown constant mean, a Matérn covariance (5/2: it
    has continuous velocities) and noise, the same for all points and coordinates. The
    length of the covariance and the variance of the noise, relative to that of the
    process, are the most likely ones given the paths and wide priors: log-normal with
    factor e, medians ``length`` (in median gaps between snapshots) and ``noise``.

    The share c is the one of 0, 1/4, ..., 1 with which the inner snapshots are reached
    best, each held out in turn: by the parabolas from the neighbor before and, in
    reversed time, from the one after, each with its own start velocity, mixed by time;
    mean exact $W_1$. Populations that move evenly along a curve give 1, those that
    stall and jump 0; with two snapshots it is 0.

    Raises:
        ValueError: bandwidth, length or noise <= 0; fewer than two snapshots.

    Reference: Rasmussen, Williams, Gaussian Processes (2006), sections 2.7, 5.4, 9.4.
    """

    bandwidth: float = eqx.field(static=True, default=0.4)
    length: float = eqx.field(static=True, default=3.0)
    noise: float = eqx.field(static=True, default=0.1)

    def __check_init__(self) -> None:
        for name in ("bandwidth", "length", "noise"):
            shape(self, name, getattr(self, name), ())
            positive(self, name, getattr(self, name))

    def __call__(self, snapshots: Snapshots, key: PRNGKeyArray) -> Velocities:
        del key
        check_snapshots("PathVelocity", snapshots)
        motion = self.motion(snapshots)
        share = self.share(snapshots)
        return tuple(
            (chord + share * (slope - chord)).astype(snapshots.dtype)
            for chord, slope in zip(motion.chords, motion.slopes, strict=True)
        )

    def share(self, snapshots: Snapshots) -> float:
        """The share c of these snapshots."""
        if len(snapshots) < 3:
            return 0.0
        errors = np.zeros(len(_SHARES))
        for j in range(1, len(snapshots) - 1):
            others = snapshots.take([k for k in range(len(snapshots)) if k != j])
            motion, time = self.motion(others), snapshots.times[j]
            for i, share in enumerate(_SHARES):
                x, weights = _reached(others, motion, j - 1, time, share)
                errors[i] += w1(x, snapshots[j], weights, snapshots.weight(j))
        return float(_SHARES[np.argmin(errors)])

    def motion(self, snapshots: Snapshots) -> "Motion":
        """Chords and slopes at all points."""
        times = np.asarray(snapshots.times, np.float64)
        paths = _paths(snapshots, self.bandwidth)
        slopes = _process(times, *self.fitted(times, paths)).slopes
        last = len(times) - 1
        ends = [*range(1, last + 1), last - 1]
        return Motion(
            [
                (p[j] - p[k]) / (times[j] - times[k])
                for (k, j), p in zip(enumerate(ends), paths, strict=True)
            ],
            [
                np.einsum("l,lnd->nd", row, p)
                for row, p in zip(slopes, paths, strict=True)
            ],
            [
                (p[k] - p[k - 1]) / (times[k] - times[k - 1])
                for k, p in enumerate(paths)
                if k
            ],
        )

    def fitted(
        self, times: Float[np.ndarray, " T"], paths: list[Float[np.ndarray, "T _ d"]]
    ) -> tuple[float, float]:
        """The most likely length, a time, and noise, a share of variance."""
        # One path counts once for each coordinate, however many points there are.
        moments = [np.einsum("lnd,mnd->lm", x, x) / x.shape[1] for x in paths]
        second, d = np.mean(moments, axis=0), paths[0].shape[2]
        count = d * (len(times) - 1)
        prior = np.log([self.length * np.median(np.diff(times)), self.noise])

        def cost(logs: np.ndarray) -> float:
            process = _process(times, *np.exp(logs))
            # Floored for populations that do not move at all.
            scale = np.trace(process.residual @ second) / count + _FLOOR
            likelihood = count * np.log(scale) + d * process.logdet
            return likelihood + np.sum((logs - prior) ** 2)

        best = minimize(cost, prior, method="Nelder-Mead", options={"xatol": 1e-6})
        length, noise = np.exp(best.x)
        return float(length), float(noise)


class Motion(NamedTuple):
    """Velocities ``(n_k, d)`` at the points of each snapshot.

    ``chords`` to the next one, of the last from the one before; ``slopes`` of the
    smooth path; ``arrivals`` the chords from the one before, from the second on.
    """

    chords: list[Float[np.ndarray, "n d"]]
    slopes: list[Float[np.ndarray, "n d"]]
    arrivals: list[Float[np.ndarray, "n d"]]


def _reached(
    snapshots: Snapshots, motion: Motion, k: int, time: float, share: float
) -> tuple[Float[np.ndarray, "n d"], Float[np.ndarray, " n"]]:
    """The parabolas from snapshots k and k + 1 to each other, at ``time`` between."""
    before, after = snapshots.times[k : k + 2]
    gap, way = after - before, (time - before) / (after - before)
    points, weights = [], []
    for i, chord, part in (
        (k, motion.chords[k], way),
        (k + 1, motion.arrivals[k], way - 1),
    ):
        # Start slope c of the way to the path's, mean slope that of the chord.
        bend = share * (motion.slopes[i] - chord) * (1 - abs(part))
        points.append(snapshots[i] + part * gap * (chord + bend))
        weights.append(snapshots.weight(i) * (1 - abs(part)))
    return np.concatenate(points), np.concatenate(weights)


class _Process(NamedTuple):
    """``residual`` takes places to the inverse covariance times them less their mean.

    ``slopes`` takes places to the slopes of the path; ``logdet`` is that of the
    covariance of their contrasts.
    """

    residual: Float[np.ndarray, "T T"]
    slopes: Float[np.ndarray, "T T"]
    logdet: float


def _process(times: np.ndarray, length: float, noise: float) -> _Process:
    covariance, slopes = _matern(times, length)
    factor = cho_factor(covariance + (noise + _FLOOR) * np.eye(len(times)))
    inverse = cho_solve(factor, np.eye(len(times)))
    ones = inverse.sum(axis=1)
    logdet = 2 * np.log(np.diag(factor[0])).sum() + np.log(ones.sum())
    residual = inverse - np.outer(ones, ones) / ones.sum()
    return _Process(residual, slopes @ residual, logdet)


# In float64 whatever JAX's precision: covariances of smooth paths are nearly singular.
def _matern(times: np.ndarray, length: float) -> tuple[np.ndarray, np.ndarray]:
    """The covariance of places, and that of slopes (rows) with places."""
    r = np.sqrt(5) * (times[:, None] - times) / length
    decay = np.exp(-np.abs(r))
    slopes = -np.sqrt(5) / (3 * length) * r * (1 + np.abs(r)) * decay
    return (1 + np.abs(r) + r**2 / 3) * decay, slopes


def _paths(snapshots: Snapshots, bandwidth: float) -> list[Float[np.ndarray, "T n d"]]:
    """For each snapshot, where its points are at all times, as the plans say."""
    count = len(snapshots)
    onward = [shares(snapshots, k, k + 1) for k in range(count - 1)]
    back = [shares(snapshots, k + 1, k) for k in range(count - 1)]
    paths = []
    for k, x in enumerate(snapshots):
        places = [np.asarray(x, np.float64)] * count
        for order, plans in (
            (range(k + 1, count), onward[k:]),
            (range(k - 1, -1, -1), back[:k][::-1]),
        ):
            mass = np.eye(len(x))
            for j, plan in zip(order, plans, strict=True):
                mass = mass @ plan
                moved = mass @ snapshots[j] - x
                places[j] = x + smoothed(x, moved, snapshots.weight(k), bandwidth)
        paths.append(np.stack(places))
    return paths
