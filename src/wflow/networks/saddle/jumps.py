"""The limit of a vanishing initialization: from saddle to saddle by jumps."""

import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from wflow.checks import instance

from .cover import interpolation_probability
from .data import ReLUData
from .neurons import LogNeurons


class TieError(ValueError):
    """Two neurons reach their jump at the same time: levels do not say who wins."""


class JumpProcess(eqx.Module):
    r"""Jumps in slow time $\tau = t / \log(1/\lambda)$, padded to J = min(m, n).

    Attributes:
        tau: times in order; infinite beyond the last jump.
        neuron: which neuron jumps; -1 beyond the last.
        value: $R = a_j^2 = |w_j|^2$ after its jump; 0 beyond the last.
        fits: samples that the jump fits.
        gap: time from the jump to that of the first neuron of its sign that wants some
            of the same samples; infinite where there is none.
        runner_rate: growth of that neuron's logarithm; 0 where there is none.
        unfitted: samples that no neuron ever fits.
        sign: of the neurons.
        data: the samples.
    """

    tau: Float[Array, " J"]
    neuron: Int[Array, " J"]
    value: Float[Array, " J"]
    fits: Bool[Array, "J n"]
    gap: Float[Array, " J"]
    runner_rate: Float[Array, " J"]
    unfitted: Bool[Array, " n"]
    sign: Int[Array, " m"]
    data: ReLUData

    @property
    def count(self) -> Int[Array, ""]:
        """Number of jumps: of neurons that end with weights."""
        return jnp.sum(self.neuron >= 0)

    @property
    def norm_squared(self) -> Float[Array, ""]:
        r"""Squared norm of all weights at the end.

        $\sum_j (a_j^2 + |w_j|^2) = 2\sum R$.
        """
        return 2 * jnp.sum(self.value)

    @property
    def tied(self) -> Bool[Array, " J"]:
        """Whether a jump comes at the same time as its runner-up's."""
        close = max(1e-12, 8 * float(jnp.finfo(self.tau.dtype).eps))
        return (self.neuron >= 0) & (self.gap <= close * self.tau)

    @property
    def plateau_losses(self) -> Float[Array, " J+1"]:
        r"""The loss before the first jump and after each.

        $\frac{1}{2N}\sum_{k\in U} y_k^2$.
        """
        y = self.data.y
        fitted = jnp.cumsum(jnp.sum(jnp.where(self.fits, y**2, 0), axis=1))
        fitted = jnp.concatenate([jnp.zeros(1, y.dtype), fitted])
        total = jnp.sum(y**2)
        losses = (total - fitted) / (2 * self.data.normalizer)
        # The last is the rest itself, not a difference of large numbers.
        rest = self.data.loss(jnp.where(self.unfitted, y, 0))
        return jnp.where(jnp.arange(len(losses)) >= self.count, rest, losses)

    def loss(self, tau: Float[ArrayLike, " *shape"]) -> Float[Array, " *shape"]:
        """The staircase: the loss in the limit at slow times."""
        steps = jnp.searchsorted(self.tau, jnp.asarray(tau, self.tau.dtype), "right")
        return self.plateau_losses[steps]

    def weights(self) -> tuple[Float[Array, " m"], Float[Array, "m n"]]:
        """Final output weights $a_j$ and coefficients of $w_j$ in the inputs."""
        m = self.sign.shape[0]
        jumps = self.neuron >= 0
        # Beyond the last jump nothing is added, to neuron 0 as well as any.
        at = jnp.maximum(self.neuron, 0)
        size = jnp.sqrt(jnp.where(jumps, self.value, 1))
        a = self.sign[at] * size
        coefficients = jnp.where(self.fits, self.data.y / self.data.squared_norms, 0)
        zeros = jnp.zeros(m, self.tau.dtype)
        return (
            zeros.at[at].add(jnp.where(jumps, a, 0)),
            jnp.zeros((m, self.data.n), self.tau.dtype)
            .at[at]
            .add(coefficients / a[:, None]),
        )

    def contamination(self, log_scale: ArrayLike) -> Float[Array, " J"]:
        r"""About how much of each jump its runner-up takes at a finite scale.

        $e^{-2 g \cdot \text{gap} \cdot \log(1/\lambda)}$ at the scale $\lambda$.
        """
        gap = jnp.where(jnp.isfinite(self.gap), self.gap, 0)
        share = jnp.exp(2 * self.runner_rate * gap * log_scale)
        return jnp.where(jnp.isfinite(self.gap), share, 0)

    def horizon(self, log_scale: ArrayLike) -> Float[Array, ""]:
        """A time by which the flow from that scale has come to rest."""
        jumps = self.neuron >= 0
        last = jnp.max(jnp.where(jumps, self.tau, 0))
        least = jnp.min(jnp.where(jumps, self.value, jnp.inf))
        return -1.15 * last * log_scale + 50 * self.data.normalizer / least


@eqx.filter_jit
def limit_of_cover(
    data: ReLUData, active: Bool[Array, "m n"], sign: Int[Array, " m"]
) -> JumpProcess:
    r"""The limit process of neurons with units ``active`` at the start.

    Between jumps $\dot l_j = g_j = \frac1N(\sum_{k\in A_j\cap U} y_k^2|x_k|^2)^{1/2}$
    from $l_j = -1$, with $A_j$ the active samples of the sign of j and U the unfitted
    ones. The first to reach 0 jumps: it fits all of $A_j\cap U$ and ends at $a_j^2 =
    (\sum_{k\in A_j\cap U} y_k^2/|x_k|^2)^{1/2}$.

    Costs m n for each of min(m, n) jumps. Nothing is checked: maps and differentiates;
    derivatives are those between ties.

    Reference: Town, Boursier, Lewis, Englert, Lazic, arXiv:2605.27097 (the process).
    """
    y, squares, n = data.y, data.squared_norms, data.n
    m = sign.shape[0]
    reach = active & data.signed(sign)
    speeds = y**2 * squares / data.normalizer**2
    values = y**2 / squares

    # A scan over all that may come, not a while loop: that has no reverse mode.
    def jump(carry: tuple, _: None) -> tuple[tuple, tuple]:
        level, unfitted, tau, jumped = carry
        wanted = reach & unfitted & ~jumped[:, None]
        rate = _root(jnp.where(wanted, speeds, 0).sum(axis=1))
        moves = rate > 0
        wait = jnp.where(moves, -level / jnp.where(moves, rate, 1), jnp.inf)
        first = jnp.argmin(wait)
        last = ~jnp.any(moves)
        shortest = jnp.where(last, 0, wait[first])
        tau = tau + shortest
        fits = wanted[first] & ~last
        rivals = jnp.any(wanted & fits, axis=1) & (jnp.arange(m) != first)
        behind = jnp.where(rivals, wait - shortest, jnp.inf)
        runner = jnp.argmin(behind)
        record = (
            jnp.where(last, jnp.inf, tau),
            jnp.where(last, -1, first),
            _root(jnp.where(fits, values, 0).sum()),
            fits,
            behind[runner],
            jnp.where(jnp.any(rivals), rate[runner], 0),
        )
        jumped = jumped | ((jnp.arange(m) == first) & ~last)
        return (level + rate * shortest, unfitted & ~fits, tau, jumped), record

    start = (
        jnp.full(m, -1, y.dtype),
        jnp.ones(n, bool),
        jnp.zeros((), y.dtype),
        jnp.zeros(m, bool),
    )
    (_, unfitted, _, _), records = jax.lax.scan(jump, start, length=min(m, n))
    tau, neuron, value, fits, gap, runner_rate = records
    return JumpProcess(tau, neuron, value, fits, gap, runner_rate, unfitted, sign, data)


def jump_process(data: ReLUData, neurons: LogNeurons) -> JumpProcess:
    """The jumps between saddles in the limit of a small start, without training.

    The limit process of ``limit_of_cover`` for neurons at their start. Only their signs
    and which units are on count.

    Raises:
        ValueError: inputs that are not orthogonal, or neurons neither balanced nor
            dominated.
        TieError: two neurons of one sign that want the same sample jump at once.

    Warns:
        UserWarning: no neuron can fit some sample.
    """
    instance("jump_process", "data", data, ReLUData, "a ReLUData")
    instance("jump_process", "neurons", neurons, LogNeurons, "LogNeurons")
    data.require_orthogonal("jump_process")
    neurons.require_dominated("jump_process", data)
    process = limit_of_cover(data, neurons.active, neurons.sign)
    if isinstance(process.tau, Tracer):
        return process
    tied = np.asarray(process.tied)
    if tied.any():
        q = int(np.argmax(tied))
        raise TieError(
            f"jump_process: at tau = {float(process.tau[q]):.6g} neuron "
            f"{int(process.neuron[q])} and another of its sign that wants the same "
            "samples jump at once; the limit depends on more than their levels."
        )
    missed = int(process.unfitted.sum())
    if missed:
        chance = interpolation_probability(
            neurons.m, int((data.y > 0).sum()), int((data.y < 0).sum())
        )
        warnings.warn(
            f"jump_process: no neuron can fit {missed} of {data.n} samples; "
            f"{neurons.m} neurons interpolate with probability {float(chance):.3g}.",
            stacklevel=2,
        )
    return process


def _root(squares: Array) -> Array:
    """The root, without a slope at zero."""
    positive = squares > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, squares, 1)), 0)
