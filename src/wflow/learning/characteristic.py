"""The distance of characteristic functions as a loss: linear in the points."""

from typing import Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from wflow.checks import count, finite, instance, real_field, shape

from .losses import AbstractLoss, LossValue
from .snapshots import Snapshots


class CharacteristicDistance(AbstractLoss):
    r"""A loss by random frequencies, for clouds too large for transport.

    $\frac1F \sum_f |\hat\mu(\omega_f) - \hat\nu(\omega_f)|^2$, random $\omega_f$.

    $\hat\mu(\omega) = \int e^{i\omega\cdot x}\,d\mu$ of the normalized clouds; the mean
    over different points only, so that the estimate and its gradient have no bias from
    the number of points (it may be below zero). The squared MMD of a mixture of
    Gaussian kernels, by random features: O(n) for each frequency, where the Sinkhorn
    divergence takes O(n^2), so that a step may see every point of large clouds.

    Frequencies are normal with standard deviation 1/h; the lengths h are log-uniform
    between ``shortest`` and ``longest`` in units of the spread of all training
    snapshots pooled (root mean square over coordinates).

    Raises:
        TypeError: count is not whole.
        ValueError: count < 1, or not 0 < shortest <= longest; frequencies that are not
            finite or not of shape ``(count, d)``.

    Reference: Rahimi and Recht, NeurIPS 2007 (random features).
    """

    count: int = eqx.field(static=True, default=64)
    shortest: float = eqx.field(static=True, default=0.2)
    longest: float = eqx.field(static=True, default=2.0)
    frequencies: Float[Array, "count d"] | None = eqx.field(
        converter=real_field("frequencies", optional=True), default=None
    )

    def __check_init__(self) -> None:
        count(self, "count", self.count, 0)
        for name in ("shortest", "longest"):
            shape(self, name, getattr(self, name), ())
            finite(self, name, getattr(self, name))
        if self.count < 1 or not 0 < self.shortest <= self.longest:
            raise ValueError(
                "CharacteristicDistance: expected count >= 1 and 0 < shortest <= "
                f"longest, found {self.count}, {self.shortest} and {self.longest}."
            )
        if self.frequencies is not None:
            shape(self, "frequencies", self.frequencies, (self.count, "d"))
            finite(self, "frequencies", self.frequencies)

    def prepared(self, snapshots: Snapshots, key: PRNGKeyArray) -> Self:
        instance("prepared", "snapshots", snapshots, Snapshots, "Snapshots")
        if self.frequencies is not None:
            shape(self, "frequencies", self.frequencies, (self.count, snapshots.dim))
            return self
        spread = float(np.sqrt(np.concatenate(snapshots.clouds).var(axis=0).mean()))
        normal_key, length_key = jax.random.split(key)
        normal = jax.random.normal(normal_key, (self.count, snapshots.dim))
        low, high = np.log(self.shortest), np.log(self.longest)
        length = jax.random.uniform(
            length_key, (self.count, 1), minval=low, maxval=high
        )
        frequencies = normal / (jnp.exp(length) * (spread if spread > 0 else 1))
        return type(self)(
            self.count,
            self.shortest,
            self.longest,
            frequencies.astype(jax.dtypes.canonicalize_dtype(snapshots.dtype)),
        )

    def __call__(
        self,
        x: Float[Array, "n d"],
        weights_x: Float[Array, " n"],
        y: Float[Array, "m d"],
        weights_y: Float[Array, " m"],
    ) -> LossValue:
        if self.frequencies is None:
            raise ValueError("CharacteristicDistance: call prepared() first.")
        frequencies = self.frequencies.astype(x.dtype)
        a, b = weights_x / weights_x.sum(), weights_y / weights_y.sum()
        waves_x, waves_y = (_mean_wave(*c, frequencies) for c in ((x, a), (y, b)))
        products = jnp.mean(jnp.sum(waves_x * waves_y, axis=0))
        return LossValue(
            _within(waves_x, a) + _within(waves_y, b) - 2 * products,
            jnp.ones((), bool),
        )


def _mean_wave(
    x: Float[Array, "n d"], w: Float[Array, " n"], frequencies: Float[Array, "count d"]
) -> Float[Array, "2 count"]:
    phase = x @ frequencies.T
    return jnp.stack([w @ jnp.cos(phase), w @ jnp.sin(phase)])


def _within(wave: Float[Array, "2 count"], w: Float[Array, " n"]) -> Float[Array, ""]:
    r"""Mean of $|\hat\mu|^2$ over pairs of different points; of one point, 1."""
    own = jnp.sum(w**2)
    several = 1 - own > jnp.finfo(w.dtype).eps
    total = jnp.mean(jnp.sum(wave**2, axis=0))
    return jnp.where(several, (total - own) / jnp.where(several, 1 - own, 1), 1)
