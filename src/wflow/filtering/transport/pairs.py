"""What a transport is given, and the same in units in which one bandwidth serves."""

from typing import Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from wflow import checks

from .scales import Scale, check_array


# How far an observation may lie from every simulated one, in standard deviations.
RANGE = 6.0


class Pairs(eqx.Module):
    """A forecast ensemble, what its members would have observed, what was observed.

    Attributes:
        x: the ensemble, ``(n, d)``.
        y: simulated observations, m of each member, ``(n, m, p)``.
        observed: the observation, finite; zero where it is missing, ``(p,)``.
        weights: how strongly a component of the observation is felt: 1 as it is, 0 not
            at all (missing), between them tapered, ``(p,)``.
        present: False for components of the state that are padding, ``(d,)``.
        mean: expected observations, ``(n, p)``, where errors are known to be Gaussian.
        cov: covariance of the errors, ``(p, p)``, likewise.
        log_likelihood: of the observation, ``(n,)``, where there is another density.

    Raises:
        ValueError: shapes that do not fit together, numbers that are not finite, or
            weights outside [0, 1].
    """

    x: Float[Array, "n d"]
    y: Float[Array, "n m p"]
    observed: Float[Array, " p"]
    weights: Float[Array, " p"]
    present: Bool[Array, " d"]
    mean: Float[Array, "n p"] | None = None
    cov: Float[Array, "p p"] | None = None
    log_likelihood: Float[Array, " n"] | None = None

    def __check_init__(self) -> None:
        check_array(self, "x", ("n", "d"))
        n, d = jnp.shape(self.x)
        check_array(self, "y", (n, "m", "p"))
        p = jnp.shape(self.y)[2]
        for name in ("observed", "weights"):
            check_array(self, name, (p,))
        check_array(self, "present", (d,))
        for name in ("weights", "present"):
            checks.within(self, name, getattr(self, name), 0, 1)
        _check_errors(self, n, p)

    @classmethod
    def of(
        cls,
        x: Float[Array, "n d"],
        y: Float[Array, "n p"] | Float[Array, "n m p"],
        observed: Float[Array, " p"],
        mean: Float[Array, "n p"] | None = None,
        cov: Float[Array, "p p"] | None = None,
        log_likelihood: Float[Array, " n"] | None = None,
    ) -> Self:
        """Pairs in which entries of ``observed`` that are nan do not count."""
        missing = jnp.isnan(observed)
        return cls(
            x,
            jnp.asarray(y[:, None, :] if y.ndim == 2 else y, x.dtype),
            jnp.where(missing, 0, observed).astype(x.dtype),
            (~missing).astype(x.dtype),
            jnp.ones(x.shape[1], bool),
            mean,
            cov,
            log_likelihood,
        )

    @property
    def felt(self) -> Bool[Array, ""]:
        """Whether anything was observed."""
        return jnp.any(self.weights > 0)

    def standardized(self) -> "Standardized":
        """The same pairs in standard units."""
        scale_x = Scale.fit(self.x, self.present.astype(self.x.dtype))
        scale_y = Scale.fit(self.y, self.weights)
        x, y = scale_x(self.x), scale_y(self.y)
        observed = scale_y(self.observed)
        mean = cov = None
        log_likelihood, spare = self.log_likelihood, jnp.zeros_like(y)
        total, simulated = scale_y.total, jnp.mean(y, axis=1)
        if self.mean is not None and self.cov is not None:
            mean, cov = scale_y(self.mean), scale_y.of_errors(self.cov, tapered=True)
            whole = scale_y.of_errors(self.cov, tapered=False)
            total, simulated = _covariance(mean, mean) + whole, mean
            # The whole errors, of which the tapered observations hold a part.
            errors = (self.y - self.mean[:, None, :]) / scale_y.sd
            spare = scale_y.whiten(jnp.where(scale_y.taper > 0, errors, 0))
            spare = spare - (y - mean[:, None, :])
            log_likelihood = _log_likelihood(observed - mean, whole)
        cross = _covariance(x, simulated)
        gain = jax.scipy.linalg.solve(total, cross.T, assume_a="pos").T
        return Standardized(
            x,
            y,
            observed,
            scale_x,
            gain,
            cross,
            spare,
            mean,
            cov,
            log_likelihood,
        )


def _check_errors(pairs: "Pairs | Standardized", n: int, p: int) -> None:
    """Refuse what is known of the errors if it does not fit, where it is not None.

    Raises:
        ValueError: it does not.
    """
    sizes = {"mean": (n, p), "cov": (p, p), "log_likelihood": (n,)}
    for name, expected in sizes.items():
        if getattr(pairs, name) is not None:
            check_array(pairs, name, expected)


def _log_likelihood(
    residuals: Float[Array, "n p"], cov: Float[Array, "p p"]
) -> Float[Array, " n"]:
    """Of Gaussian errors, but for a constant; zero residuals of absent components."""
    z = jax.scipy.linalg.solve(cov, residuals.T, assume_a="pos").T
    return -jnp.sum(residuals * z, axis=1) / 2


def _covariance(a: Float[Array, "n a"], b: Float[Array, "n b"]) -> Float[Array, "a b"]:
    a = a - jnp.mean(a, axis=0)
    return a.T @ (b - jnp.mean(b, axis=0)) / (len(a) - 1)


class Standardized(eqx.Module):
    r"""Pairs in standard units, and the ensemble Kalman gain $K = C_{xy} S^{-1}$ there.

    S is the covariance of the simulated observations; where errors are known to be
    Gaussian it is $C_{hh} + R$, of which only the first is estimated, and a taper w
    makes R to R / w.

    Attributes:
        x: the ensemble, ``(n, d)``.
        y: simulated observations, ``(n, m, p)``; zero where a component is absent.
        observed: the observation, ``(p,)``.
        scale: the units of the state.
        gain: K, ``(d, p)``.
        cross: $C_{xy}$, ``(d, p)``.
        spare: what the errors of the simulated observations lack to those of S,
            ``(n, m, p)``.
        mean: expected observations, ``(n, p)``, or None.
        cov: covariance of the errors in ``y``, ``(p, p)``, or None.
        log_likelihood: of the observation, ``(n,)``, or None.

    Raises:
        ValueError: shapes that do not fit together, or numbers that are not finite.
        TypeError: scale is none.
    """

    x: Float[Array, "n d"]
    y: Float[Array, "n m p"]
    observed: Float[Array, " p"]
    scale: Scale
    gain: Float[Array, "d p"]
    cross: Float[Array, "d p"]
    spare: Float[Array, "n m p"]
    mean: Float[Array, "n p"] | None
    cov: Float[Array, "p p"] | None
    log_likelihood: Float[Array, " n"] | None

    def __check_init__(self) -> None:
        check_array(self, "x", ("n", "d"))
        n, d = jnp.shape(self.x)
        check_array(self, "y", (n, "m", "p"))
        p = jnp.shape(self.y)[2]
        check_array(self, "observed", (p,))
        checks.instance(self, "scale", self.scale, Scale, "a Scale")
        for name in ("gain", "cross"):
            check_array(self, name, (d, p))
        check_array(self, "spare", jnp.shape(self.y))
        _check_errors(self, n, p)

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """Members, draws, components of state and of observation: n, m, d, p."""
        n, m, p = self.y.shape
        return n, m, self.x.shape[1], p

    @property
    def outside(self) -> Bool[Array, ""]:
        """Whether the observation is out of the range of all simulated ones.

        Further than ``RANGE`` from each of them, in its worst component.
        """
        apart = jnp.max(jnp.abs(self.y - self.observed), axis=-1)
        return jnp.min(apart) > RANGE
