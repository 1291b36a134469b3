"""Experiments of the literature, with the numbers that their scores belong to."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow import checks
from wflow.measures import Gaussian

from .base import check_number
from .lorenz import Lorenz63, Lorenz96
from .models import StateSpace
from .observations import AbstractObservation, GaussianObservation
from .operators import Components, Linear
from .transitions import DiscreteMap, RungeKutta4
from .twins import Twin, twin


class Setting(eqx.Module):
    """A model, the law of its first state, how long it is observed.

    Attributes:
        model: the state-space model.
        initial: law of the state at time 0.
        cycles: observations in all.
        burn_in: of these, how many no score counts.

    Raises:
        ValueError: cycles below 1, or burn_in not from 0 to less than cycles.
        TypeError: model or initial is none, cycles or burn_in no whole number.
    """

    model: StateSpace
    initial: Gaussian
    cycles: int = eqx.field(static=True)
    burn_in: int = eqx.field(static=True)

    def __check_init__(self) -> None:
        checks.instance(self, "model", self.model, StateSpace, "a StateSpace")
        checks.instance(self, "initial", self.initial, Gaussian, "a Gaussian")
        checks.count(self, "cycles", self.cycles)
        checks.count(self, "burn_in", self.burn_in, 0)
        if self.burn_in >= self.cycles:
            raise ValueError(
                f"Setting: expected burn_in < cycles = {self.cycles}, found "
                f"{self.burn_in}."
            )

    def twin(self, key: PRNGKeyArray, cycles: int | None = None) -> Twin:
        """A true trajectory from a draw of ``initial``, and its observations.

        Raises:
            ValueError: cycles below 1.
            TypeError: cycles is no whole number, key no random key.
        """
        checks.random_key("Setting.twin", "key", key)
        start_key, key = jax.random.split(key)
        x0 = self.initial.sample(start_key, 1)[0]
        return twin(self.model, x0, self.cycles if cycles is None else cycles, key)

    def ensemble(self, key: PRNGKeyArray, n: int) -> Float[Array, "n d"]:
        """Draws of ``initial``.

        Raises:
            ValueError: ``n < 1``.
            TypeError: n is no whole number, key no random key.
        """
        checks.random_key("Setting.ensemble", "key", key)
        checks.count("Setting.ensemble", "n", n)
        return self.initial.sample(key, n)


# A state near the attractor of Lorenz-63 with the usual parameters.
_LORENZ63_START = (1.509, -1.531, 25.46)


def lorenz63_full(observation: AbstractObservation | None = None) -> Setting:
    """Lorenz-63 with all components seen at every 0.25, errors of variance 2.

    Args:
        observation: another law of observations of the same states.

    Reference: Sakov, Oliver, Bertino, Mon. Weather Rev. 140 (2012), table 1; DAPPER,
    ``mods/Lorenz63/sakov2012``.
    """
    if observation is None:
        observation = GaussianObservation(Components(), 2 * np.eye(3))
    model = StateSpace(RungeKutta4(Lorenz63(), 0.01, 25), observation)
    return Setting(model, Gaussian(_LORENZ63_START, 2 * np.eye(3)), 1000, 64)


def lorenz63_partial() -> Setting:
    """Lorenz-63 with the first component seen at every 0.12, errors of variance 8.

    Reference: de Wiljes, Acevedo, Reich (2016); DAPPER, ``mods/Lorenz63/wiljes2017``.
    """
    observation = GaussianObservation(Components(stop=1), [[8.0]])
    model = StateSpace(RungeKutta4(Lorenz63(), 0.01, 12), observation)
    return Setting(model, Gaussian(_LORENZ63_START, 2 * np.eye(3)), 1000, 33)


def lorenz96_classic() -> Setting:
    """Lorenz-96, 40 components, all seen at every 0.05, errors of variance 1.

    Reference: Sakov, Oke, Tellus A 60 (2008); DAPPER, ``mods/Lorenz96/sakov2008``.
    """
    model = StateSpace(
        RungeKutta4(Lorenz96(), 0.05, 1), GaussianObservation(Components(), np.eye(40))
    )
    return Setting(model, Gaussian(np.eye(40)[0], 1e-3 * np.eye(40)), 1000, 400)


def lorenz96_hard() -> Setting:
    """Lorenz-96, every second of 40 components seen at every 0.4, variance 0.5.

    Reference: Spantini, Baptista, Marzouk, SIAM Review 64 (2022), section 6; DAPPER,
    ``mods/Lorenz96/spantini2019``.
    """
    observation = GaussianObservation(Components(every=2), 0.5 * np.eye(20))
    model = StateSpace(RungeKutta4(Lorenz96(), 0.02, 20), observation)
    return Setting(model, Gaussian(np.eye(40)[0], 0.1 * np.eye(40)), 2000, 50)


def linear_gaussian(
    matrix: Float[ArrayLike, "d d"] = ((0.9,),),
    noise: Float[ArrayLike, "d r"] = ((0.19**0.5,),),
    operator: Float[ArrayLike, "p d"] = ((1.0,),),
    cov: Float[ArrayLike, "p p"] = ((0.25,),),
) -> Setting:
    r"""A linear model with Gaussian noise, which the Kalman filter solves exactly.

    $x_k = A x_{k-1} + B\xi_k$, $y_k = H x_k + N(0, R)$ from $N(0, I)$. By default the
    scalar autoregression whose stationary law is $N(0, 1)$, seen with errors of
    variance 0.25.

    Args:
        matrix: A, ``(d, d)``.
        noise: B, ``(d, r)``.
        operator: H, ``(p, d)``.
        cov: R, ``(p, p)``.

    Raises:
        ValueError: shapes that do not fit together, numbers that are not finite, or cov
            that is no covariance.
    """
    parts = {"matrix": matrix, "noise": noise, "operator": operator, "cov": cov}
    for name, value in parts.items():
        checks.finite("linear_gaussian", name, value)
    checks.shape("linear_gaussian", "matrix", matrix, ("d", "d"))
    d = np.shape(matrix)[0]
    checks.shape("linear_gaussian", "noise", noise, (d, "r"))
    checks.shape("linear_gaussian", "operator", operator, ("p", d))
    p = np.shape(operator)[0]
    checks.count("linear_gaussian", "the rows of operator", p)
    checks.shape("linear_gaussian", "cov", cov, (p, p))
    observation = GaussianObservation(Linear(operator), cov)
    model = StateSpace(DiscreteMap(function=Linear(matrix)), observation, noise)
    return Setting(model, Gaussian(np.zeros(d), np.eye(d)), 200, 20)


def bimodal(scale: float = 0.1**0.5, dim: int = 1) -> Setting:
    r"""A model whose sign is never seen, so that its law keeps two modes.

    $x_k = 0.9 x_{k-1} + 2\lambda\xi_k$, $y_k = x_k^2 + \lambda\eta_k$ by component;
    ``scale`` is $\lambda$.

    Raises:
        ValueError: scale not above 0, or dim below 1.

    Reference: Al-Jarrah, Jin, Hosseini, Taghvaei, ICML 2024, section 4.2.
    """
    _check_scale("bimodal", scale, dim)
    eye = np.eye(dim)
    model = StateSpace(
        DiscreteMap(function=Linear(0.9 * eye)),
        GaussianObservation(jnp.square, scale**2 * eye),
        2 * scale * eye,
    )
    return Setting(model, Gaussian(np.zeros(dim), eye), 60, 5)


def half_square(scale: float = 0.4, dim: int = 1) -> GaussianObservation:
    r"""One update with two modes, which no Kalman filter can see.

    $y = \frac12 x \odot x + \lambda\eta$. The state and the observation are
    uncorrelated under $N(0, I)$, so that no Kalman update moves anything. ``scale`` is
    $\lambda$.

    Raises:
        ValueError: scale not above 0, or dim below 1.

    Reference: Al-Jarrah, Jin, Hosseini, Taghvaei, ICML 2024, section 4.1.
    """
    _check_scale("half_square", scale, dim)
    return GaussianObservation(_half_square, scale**2 * np.eye(dim))


def _half_square(x: Float[Array, " d"]) -> Float[Array, " d"]:
    return x**2 / 2


def _check_scale(owner: str, scale: float, dim: int) -> None:
    check_number(owner, "scale", scale)
    checks.count(owner, "dim", dim)
