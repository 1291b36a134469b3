"""Gradient flow of a small ReLU network, in logarithmic scale."""

from typing import Any

import diffrax
import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PyTree

from wflow.checks import instance, positive, shape
from wflow.flows import AbstractDissipativeFlow
from wflow.measures import Point, UnsupportedMeasureError

from .data import ReLUData, positive_part
from .neurons import LogNeurons


# Ratios of a balanced or dominated start stay within one length of the input.
_FAR = 100


class ReLUFlow(AbstractDissipativeFlow):
    r"""Training of a small ReLU network from saddle to saddle, however small its start.

    $\dot L_j = \gamma_j$, $\dot p_{jk} = \frac{s_j}{N}\sum_l G_{kl} 1[p_{jl} > 0]\,r_l
    - p_{jk}\gamma_j$ with $\gamma_j = \frac{s_j}{N}\sum_k \mathrm{relu}(p_{jk})\,r_k$.

    The Euclidean gradient flow of the loss in all weights, on a ``Point`` of
    ``LogNeurons``. A neuron is a particle of mass $a_j^2$ at the place $p_j$: L is its
    reaction, p its transport. Exact while the sign of $a_j$ stays, which is for ever
    where $|a_j| \geq |w_j|$: ``check`` refuses other starts.

    L enters only up to ``cap``, and p up to ``_FAR`` lengths of the input: no solution
    comes so far, and a trial step that overflows would stop the solver for good.

    Reference: Boursier, Pillaud-Vivien, Flammarion, arXiv:2206.00939 (the flow in w and
    a).
    """

    data: ReLUData

    def __check_init__(self) -> None:
        instance(self, "data", self.data, ReLUData, "a ReLUData")

    def check(self, mu: Any) -> None:
        """Refuse a start that the flow cannot move.

        Raises:
            UnsupportedMeasureError: no ``Point`` of ``LogNeurons``.
            ValueError: neurons of other data, or one with $|a_j| < |w_j|$, whose sign
                may flip.
        """
        neurons = self._neurons(mu)
        shape(self, "mu", neurons.ratio, (neurons.m, self.data.n))
        neurons.require_dominated("ReLUFlow", self.data)

    @property
    def cap(self) -> Float[Array, ""]:
        """No level of a solution is above it."""
        y, squares = self.data.y, self.data.squared_norms
        return jnp.log(jnp.sum(y**2 / squares)) / 4 + 2

    def _neurons(self, mu: Any) -> LogNeurons:
        if not (isinstance(mu, Point) and isinstance(mu.value, LogNeurons)):
            raise UnsupportedMeasureError(self, mu, "Point of LogNeurons")
        return mu.value

    def residual(self, mu: Any) -> Float[Array, " n"]:
        """What is left to learn of each label, $r_k = y_k - f(x_k)$."""
        return self._residual(self._within(self._neurons(mu)))

    def _within(self, neurons: LogNeurons) -> LogNeurons:
        far = _FAR * jnp.sqrt(self.data.squared_norms)
        return LogNeurons(
            jnp.minimum(neurons.level, self.cap),
            jnp.clip(neurons.ratio, -far, far),
            neurons.rest,
            neurons.sign,
        )

    def _residual(self, neurons: LogNeurons) -> Float[Array, " n"]:
        return self.data.y - neurons.predict()

    def velocity(self, mu: Any, t: ArrayLike = 0.0) -> PyTree[Array]:
        del t
        neurons = self._within(self._neurons(mu))
        growth, force = self._rates(neurons)
        # Rates are shaped like neurons, but are none: they may be of any sign.
        rates = eqx.tree_at(
            lambda neurons: (neurons.level, neurons.ratio, neurons.rest),
            neurons,
            (
                growth,
                self.data.apply_gram(force) - neurons.ratio * growth[:, None],
                -neurons.rest * growth,
            ),
        )
        return eqx.filter(rates, eqx.is_inexact_array)

    def _rates(self, neurons: LogNeurons) -> tuple[Array, Array]:
        """How fast the neurons grow and turn.

        Growth $(m,)$ of the logarithms, and $(m, n)$ coefficients of $dw_j / a_j$ in
        the inputs.
        """
        drive = neurons.sign[:, None] * self._residual(neurons) / self.data.normalizer
        growth = jnp.sum(positive_part(neurons.ratio) * drive, axis=1)
        return growth, jnp.where(neurons.active, drive, 0)

    def value(self, mu: Any, t: ArrayLike = 0.0) -> Float[Array, ""]:
        del t
        return self.data.loss(self.residual(mu))

    def dissipation(self, mu: Any, t: ArrayLike = 0.0) -> Float[Array, ""]:
        del t
        neurons = self._within(self._neurons(mu))
        growth, force = self._rates(neurons)
        squares = jnp.sum(self.data.apply_gram(force) * force, axis=1)
        return jnp.exp(2 * neurons.level) @ (growth**2 + squares)


def plateau_controller(
    data: ReLUData, rtol: float = 1e-7, atol: float = 1e-9
) -> diffrax.PIDController:
    r"""Adaptive steps of at most $5N / \max|y_k||x_k|$, for an explicit solver.

    On plateaus nothing but stability bounds the steps, and a controller that tries ever
    longer ones ends in a trial step beyond repair.

    Raises:
        TypeError: data that is none.
        ValueError: a tolerance that is not positive.
    """
    instance("plateau_controller", "data", data, ReLUData, "a ReLUData")
    for name, number in (("rtol", rtol), ("atol", atol)):
        shape("plateau_controller", name, number, ())
        positive("plateau_controller", name, number)
    speed = jnp.max(jnp.abs(data.y) * jnp.sqrt(data.squared_norms))
    return diffrax.PIDController(rtol, atol, dtmax=5 * data.normalizer / speed)
