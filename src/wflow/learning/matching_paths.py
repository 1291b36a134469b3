"""How a pair of points moves from one snapshot to the next: conditional paths."""

import abc
from collections.abc import Sequence
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray
from scipy.interpolate import CubicSpline

from wflow.checks import instance, positive, real_field, shape

from .pairs import Pairs
from .path_velocity import PathVelocity
from .velocities import AbstractInitialVelocity


class Coupled(NamedTuple):
    """Pairs of one interval: ``(n, d)`` places and velocities, ``(n,)`` masses.

    ``h`` is the length of the interval.
    """

    x0: Float[Array, "n d"]
    x1: Float[Array, "n d"]
    v0: Float[Array, "n d"]
    v1: Float[Array, "n d"]
    m0: Float[Array, " n"]
    m1: Float[Array, " n"]
    h: Float[Array, ""]


class Moment(NamedTuple):
    r"""Pairs at one time: places, velocities, accelerations, masses and their growth.

    ``score`` is $\nabla\log p(x)$ of a path that is noisy, else None.
    """

    x: Float[Array, "n d"]
    v: Float[Array, "n d"]
    a: Float[Array, "n d"]
    logm: Float[Array, " n"]
    growth: Float[Array, " n"]
    score: Float[Array, "n d"] | None = None


Slopes = tuple[Float[np.ndarray, "P d"], Float[np.ndarray, "P d"]]


class AbstractPath(eqx.Module):
    """A path between the two points of a pair, known in closed form."""

    @abc.abstractmethod
    def slopes(self, pairs: Sequence[Pairs], key: PRNGKeyArray) -> list[Slopes]:
        """For the pairs of each interval, velocities at its start and at its end."""

    @abc.abstractmethod
    def sample(self, coupled: Coupled, s: ArrayLike, key: PRNGKeyArray) -> Moment:
        """Where the pairs are at the share ``s`` of their interval."""


class StraightPath(AbstractPath):
    """Straight lines between paired points.

    $x_s = (1 - s) x_0 + s x_1$; masses in geometric progression.

    Reference: Lipman et al., ICLR 2023; Tong et al., TMLR 2024 (OT-CFM).
    """

    def slopes(self, pairs: Sequence[Pairs], key: PRNGKeyArray) -> list[Slopes]:
        del key
        return [(part.chords, part.chords) for part in pairs]

    def sample(self, coupled: Coupled, s: ArrayLike, key: PRNGKeyArray) -> Moment:
        del key
        return cubic(coupled, s)


class SplinePath(AbstractPath):
    r"""The natural cubic spline through all snapshots: least $\int |\ddot x|^2\,dt$.

    Each pair is continued to the other snapshots by a Markov chain of all plans. Masses
    are in geometric progression within an interval. With two snapshots it is straight.

    Reference: Chen, Conforti, Georgiou, SIAM J. Math. Anal. 50 (2018) (measure-valued
    splines); Rohbeck et al., ICLR 2025 (flow matching on them).
    """

    def slopes(self, pairs: Sequence[Pairs], key: PRNGKeyArray) -> list[Slopes]:
        del key
        found = []
        for part in pairs:
            times, k = part.snapshots.times, part.k
            spline = CubicSpline(times, part.chains(), bc_type="natural")
            found.append((spline(times[k], 1), spline(times[k + 1], 1)))
        return found

    def sample(self, coupled: Coupled, s: ArrayLike, key: PRNGKeyArray) -> Moment:
        del key
        return cubic(coupled, s)


class SmoothPath(AbstractPath):
    r"""The cubic whose velocities at the snapshots are those of a rule.

    By default those of a smooth path through all snapshots, averaged over neighbors;
    ``SmoothPath(Given())`` takes the velocities of the snapshots themselves. Masses are
    in geometric progression within an interval.

    Raises:
        TypeError: velocity is no rule of velocities.
    """

    velocity: AbstractInitialVelocity = PathVelocity()

    def __check_init__(self) -> None:
        rule = "a rule of start velocities"
        instance(self, "velocity", self.velocity, AbstractInitialVelocity, rule)

    def slopes(self, pairs: Sequence[Pairs], key: PRNGKeyArray) -> list[Slopes]:
        rule = self.velocity(pairs[0].snapshots, key)
        missing = [k for k, v in enumerate(rule) if v is None]
        if missing:
            name = type(self.velocity).__name__
            raise ValueError(
                f"SmoothPath: expected {name} to give velocities to every snapshot, "
                f"found none at snapshot {missing[0]}."
            )
        known = [v for v in rule if v is not None]
        return [(known[part.k][part.i], known[part.k + 1][part.j]) for part in pairs]

    def sample(self, coupled: Coupled, s: ArrayLike, key: PRNGKeyArray) -> Moment:
        del key
        return cubic(coupled, s)


class BrownianBridge(AbstractPath):
    r"""Random paths between paired points: Brownian motion tied at both ends.

    $x_s = (1 - s) x_0 + s x_1 + \sigma\sqrt{h s (1 - s)}\,z$, z standard normal.

    Velocity and score are those of this Gaussian family; the drift of a flow with noise
    is the velocity plus the score times half the variance of the noise. Masses are in
    geometric progression.

    Args:
        sigma: $\sigma > 0$, a length by the root of a time.

    Raises:
        ValueError: sigma <= 0.

    Reference: Tong et al., AISTATS 2024 ([SF]2M), equations (7) to (9).
    """

    sigma: Float[Array, ""] = eqx.field(converter=real_field("sigma"))

    def __check_init__(self) -> None:
        shape(self, "sigma", self.sigma, ())
        positive(self, "sigma", self.sigma)

    def slopes(self, pairs: Sequence[Pairs], key: PRNGKeyArray) -> list[Slopes]:
        del key
        return [(part.chords, part.chords) for part in pairs]

    def sample(self, coupled: Coupled, s: ArrayLike, key: PRNGKeyArray) -> Moment:
        mean = cubic(coupled, s)
        h, sigma = coupled.h, self.sigma.astype(mean.x.dtype)
        std = sigma * jnp.sqrt(h * s * (1 - s))
        z = jax.random.normal(key, mean.x.shape, mean.x.dtype)
        # The derivatives of the standard deviation in time, over itself.
        rate = (1 - 2 * s) / (2 * s * (1 - s) * h)
        bend = -1 / (4 * (s * (1 - s) * h) ** 2)
        return mean._replace(
            x=mean.x + std * z,
            v=mean.v + rate * std * z,
            a=mean.a + bend * std * z,
            score=-z / std,
        )


class TravelingDirac(AbstractPath):
    r"""Paths between paired points that carry a mass which grows or fades.

    $\sqrt m\,e^{ir/2\delta}$ moves on a straight line in the complex plane.

    A Dirac that travels and grows on the geodesic of the Wasserstein-Fisher-Rao
    distance of length $\delta$: r is how far it has come on the line from $x_0$ to
    $x_1$, m its mass. Its angular momentum is conserved, so that $\dot r = 2\delta
    \sqrt{m_0 m_1}\sin\theta / (h m)$ with $\theta = |x_1 - x_0| / 2\delta$, at most
    $\frac\pi2$.

    Args:
        length: $\delta > 0$; None is that of the coupling ``WassersteinFisherRao``, or
            its default.

    Raises:
        ValueError: length <= 0.

    Reference: Liero, Mielke, Savare, SIAM J. Math. Anal. 48 (2016), section 3.3.
    """

    length: Float[Array, ""] | None = eqx.field(
        converter=real_field("length", optional=True), default=None
    )

    def __check_init__(self) -> None:
        if self.length is not None:
            shape(self, "length", self.length, ())
            positive(self, "length", self.length)

    def slopes(self, pairs: Sequence[Pairs], key: PRNGKeyArray) -> list[Slopes]:
        del key
        return [(part.chords, part.chords) for part in pairs]

    def sample(self, coupled: Coupled, s: ArrayLike, key: PRNGKeyArray) -> Moment:
        del key
        x0, x1, _, _, m0, m1, h = coupled
        if self.length is None:
            raise ValueError(
                "TravelingDirac: expected length > 0, found None; FlowMatching fills "
                "it in."
            )
        delta = self.length.astype(x0.dtype)
        way = x1 - x0
        r2 = jnp.sum(way**2, axis=1)
        moves = r2 > 0
        r = jnp.sqrt(jnp.where(moves, r2, 1))
        unit = jnp.where(moves[:, None], way / r[:, None], 0)
        theta = jnp.minimum(jnp.where(moves, r, 0) / (2 * delta), jnp.pi / 2)
        # Where the cut acts, the angle is stretched over the whole way.
        stretch = jnp.where(moves, r / jnp.where(moves, theta, 1), 2 * delta)
        start, end = jnp.sqrt(m0), jnp.sqrt(m1)
        real, imaginary = (
            (1 - s) * start + s * end * jnp.cos(theta),
            s * end * jnp.sin(theta),
        )
        m = real**2 + imaginary**2
        rate = real * (end * jnp.cos(theta) - start) + imaginary * end * jnp.sin(theta)
        growth = 2 * rate / (m * h)
        speed = stretch * start * end * jnp.sin(theta) / (m * h)
        v = speed[:, None] * unit
        along = stretch * jnp.arctan2(imaginary, real)
        return Moment(
            x0 + along[:, None] * unit,
            v,
            -growth[:, None] * v,
            jnp.log(m),
            growth,
        )


def cubic(coupled: Coupled, s: ArrayLike) -> Moment:
    """Hermite's cubic through the places with the velocities, and masses alike."""
    x0, x1, v0, v1, m0, m1, h = coupled
    chord = (x1 - x0) / h
    # Departures of the slopes from the chord: zero on a line.
    u, w = v0 - chord, v1 - chord
    logm0, growth = jnp.log(m0), jnp.log(m1 / m0) / h
    return Moment(
        x0 + h * (s * chord + s * (1 - s) * ((1 - s) * u - s * w)),
        chord + (1 - s) * (1 - 3 * s) * u + s * (3 * s - 2) * w,
        ((6 * s - 4) * u + (6 * s - 2) * w) / h,
        logm0 + s * h * growth,
        growth,
    )
