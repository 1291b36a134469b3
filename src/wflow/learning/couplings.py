"""Which point of a snapshot goes to which of the next: couplings."""

import abc
import math

import equinox as eqx
import numpy as np
from jaxtyping import Float
from scipy.spatial.distance import cdist

from wflow.checks import positive, shape
from wflow.transport import optimal_plan

from .relaxed_plans import relaxed_plan, sharpened


# Entropy that finds the marginals of plans without any, in units of penalty or cost.
_SHARP = 3e-3


class AbstractCoupling(eqx.Module):
    """A rule that pairs the points of two clouds.

    ``FlowMatching`` also takes a function of the same arguments.
    """

    @abc.abstractmethod
    def __call__(
        self,
        x: Float[np.ndarray, "n d"],
        y: Float[np.ndarray, "m d"],
        a: Float[np.ndarray, " n"],
        b: Float[np.ndarray, " m"],
    ) -> Float[np.ndarray, "n m"]:
        """Masses >= 0 of all pairs, ``(n, m)``, up to a common factor.

        ``a`` and ``b`` are the masses of the points; they sum to those of the two
        populations. Every point of positive mass needs a partner.
        """


class ExactOT(AbstractCoupling):
    r"""The plan of least $\sum_{ij} P_{ij} |x_i - y_j|^2$ between the shapes.

    Where the masses of the populations differ, all points multiply alike.
    """

    def __call__(
        self, x: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray
    ) -> Float[np.ndarray, "n m"]:
        return optimal_plan(x, y, a, b)


class EntropicOT(AbstractCoupling):
    r"""Pairs points by optimal transport that is blurred by noise.

    The plan of least $\sum_{ij} P_{ij} |x_i - y_j|^2
    + \epsilon\,\mathrm{KL}(P|ab^T)$ between the shapes.

    With $\epsilon = 2\sigma^2 h$ it is that of the Schroedinger bridge of Brownian
    motion of amplitude $\sigma$ over the time h.

    Args:
        epsilon: a squared length > 0.

    Raises:
        ValueError: epsilon <= 0.

    Reference: Leonard, Discrete and Continuous Dynamical Systems 34 (2014), (1.4).
    """

    epsilon: float = eqx.field(static=True)

    def __check_init__(self) -> None:
        shape(self, "epsilon", self.epsilon, ())
        positive(self, "epsilon", self.epsilon)

    def __call__(
        self, x: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray
    ) -> Float[np.ndarray, "n m"]:
        cost = cdist(x, y, "sqeuclidean")
        return relaxed_plan(cost, a / a.sum(), b / b.sum(), epsilon=self.epsilon)


class UnbalancedOT(AbstractCoupling):
    r"""Pairs points by transport that may leave some of them out.

    The plan of least $\sum_{ij} P_{ij} |x_i - y_j|^2 + \lambda\,\mathrm{KL}(P_1|a)
    + \lambda\,\mathrm{KL}(P_2|b)$.

    Points that pay more than about $\lambda$ to travel multiply or vanish instead.

    Args:
        penalty: $\lambda$, a squared length > 0.

    Raises:
        ValueError: penalty <= 0.

    Reference: Chizat, Peyre, Schmitzer, Vialard, Mathematics of Computation 87 (2018).
    """

    penalty: float = eqx.field(static=True)

    def __check_init__(self) -> None:
        shape(self, "penalty", self.penalty, ())
        positive(self, "penalty", self.penalty)

    def __call__(
        self, x: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray
    ) -> Float[np.ndarray, "n m"]:
        cost = cdist(x, y, "sqeuclidean")
        unit = min(self.penalty, float(cost.mean())) or self.penalty
        epsilon = _SHARP * unit
        plan = relaxed_plan(cost, a, b, epsilon=epsilon, penalty=self.penalty)
        return sharpened(plan, cost)


class WassersteinFisherRao(AbstractCoupling):
    r"""Pairs points by transport in which mass may also grow and decay.

    The plan of optimal entropy transport, of least $\sum_{ij} P_{ij} c_{ij}
    + \mathrm{KL}(P_1|a) + \mathrm{KL}(P_2|b)$.

    $c = -2\log\cos\min(\frac{r}{2\delta}, \frac\pi2)$: moving by a length $\delta$
    costs about as much as a growth by half, and nothing moves further than
    $\pi\delta$. ``TravelingDirac`` of the same length are its geodesics.

    Args:
        length: $\delta > 0$; None is found by ``FlowMatching``, and else the spread of
            the two clouds pooled, the root of the trace of their covariance.

    Raises:
        ValueError: length <= 0.

    Reference: Liero, Mielke, Savare, Inventiones 211 (2018), equation (6.8); Chizat,
    Peyre, Schmitzer, Vialard, J. Funct. Anal. 274 (2018), theorem 4.3.
    """

    length: float | None = eqx.field(static=True, default=None)

    def __check_init__(self) -> None:
        if self.length is not None:
            shape(self, "length", self.length, ())
            positive(self, "length", self.length)

    def __call__(
        self, x: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray
    ) -> Float[np.ndarray, "n m"]:
        length = self.length
        if length is None:
            length = spread([x, y], [a, b])
        angle = np.minimum(cdist(x, y) / (2 * length), math.pi / 2)
        # Finite where it is infinite: no mass goes at this cost.
        cost = -2 * np.log(np.maximum(np.cos(angle), np.finfo(np.float32).eps))
        plan = relaxed_plan(cost, a, b, epsilon=_SHARP, penalty=1.0)
        return sharpened(plan, cost)


def spread(clouds: list[np.ndarray], weights: list[np.ndarray]) -> float:
    """Root of the trace of the covariance of all clouds pooled, each counted once."""
    x = np.concatenate(clouds).astype(np.float64)
    w = np.concatenate([row / row.sum() for row in weights]) / len(clouds)
    return float(np.sqrt(w @ np.sum((x - w @ x) ** 2, axis=1))) or 1.0
