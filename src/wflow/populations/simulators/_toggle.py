"""Two genes that shut each other off, a third that drives the choice, and growth."""

import dataclasses

import jax
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from wflow.checks import count as whole
from wflow.checks import instance, non_negative, positive, random_key, shape, to_numpy
from wflow.learning import Snapshots


@dataclasses.dataclass(frozen=True)
class Toggle:
    r"""Three genes of a cell that divides where the second one is high.

    With squares $q_i = x_i^2$ and $b = \beta$,

    $\dot x_1 = \frac{\alpha_1 q_1 + b}{1 + \alpha_1 q_1 + \gamma_2 q_2 + \gamma_3 q_3
    + b} - \delta_1 x_1 + \eta_1 \xi_1$,
    $\dot x_2 = \frac{\alpha_2 q_2 + b}{1 + \gamma_1 q_1 + \alpha_2 q_2 + \gamma_3 q_3
    + b} - \delta_2 x_2 + \eta_2 \xi_2$,
    $\dot x_3 = \frac{\alpha_3 q_3}{1 + \alpha_3 q_3} - \delta_3 x_3 + \eta_3 \xi_3$,

    and division at the rate $g = \kappa \frac{q_2}{1 + q_2}$. Concentrations are kept
    at or above zero.

    Raises:
        TypeError: a constant that is no number.
        ValueError: a constant < 0, or not as many as there are genes.

    Reference: Sha, Qiu, Zhou, Nie, Nature Machine Intelligence 6 (2024), 25-39.
    """

    activation: tuple[float, float, float] = (0.5, 1.0, 1.0)
    inhibition: tuple[float, float, float] = (0.5, 1.0, 10.0)
    decay: tuple[float, float, float] = (0.4, 0.4, 0.4)
    basal: float = 1.0
    noise: tuple[float, float, float] = (0.05, 0.05, 0.01)
    growth: float = 0.06

    def __post_init__(self) -> None:
        for name in ("activation", "inhibition", "decay", "noise"):
            found = to_numpy(getattr(self, name), name)
            shape(self, name, found, (3,))
            non_negative(self, name, found)
        for name in ("basal", "growth"):
            shape(self, name, getattr(self, name), ())
            non_negative(self, name, getattr(self, name))

    def drift(self, x: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        """The velocity without noise."""
        q = x**2
        active, shut = np.array(self.activation) * q, np.array(self.inhibition) * q
        b = self.basal
        first = (active[:, 0] + b) / (1 + active[:, 0] + shut[:, 1] + shut[:, 2] + b)
        second = (active[:, 1] + b) / (1 + shut[:, 0] + active[:, 1] + shut[:, 2] + b)
        third = active[:, 2] / (1 + active[:, 2])
        return np.stack([first, second, third], axis=1) - np.array(self.decay) * x

    def division_rate(self, x: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
        """Divisions per time of each cell."""
        q = x[:, 1] ** 2
        return self.growth * q / (1 + q)


def toggle(
    key: PRNGKeyArray,
    *,
    n: int = 400,
    snapshots: int = 5,
    interval: float = 8.0,
    step: float = 0.5,
    spread: float = 0.1,
    daughter: float = 0.014,
    law: Toggle | None = None,
) -> Snapshots:
    r"""Growing clouds of cells: as many rows as there are cells at each time.

    Half of the cells start around (2, 0.2, 0) and end high in the first gene, half
    start around (0, 0, 2) and may divide. In a step of length h (Euler and Maruyama) a
    cell becomes two with probability $1 - e^{-gh}$; both are moved by a little noise.

    The first snapshot has the velocities of the drift, as have all others.

    Args:
        key: random key.
        n: cells at the start.
        snapshots: their number, the first at time zero.
        interval: time between snapshots.
        step: largest time step.
        spread: standard deviation of the two clouds at the start.
        daughter: standard deviation of what a division moves the daughters by.
        law: the reactions; default ``Toggle()``.

    Raises:
        ValueError: a number out of range.
    """
    key = random_key("toggle", "key", key)
    whole("toggle", "n", n, 2)
    whole("toggle", "snapshots", snapshots, 2)
    for name, value in (("interval", interval), ("step", step)):
        shape("toggle", name, value, ())
        positive("toggle", name, value)
    for name, value in (("spread", spread), ("daughter", daughter)):
        shape("toggle", name, value, ())
        non_negative("toggle", name, value)
    law = Toggle() if law is None else law
    instance("toggle", "law", law, Toggle, "a Toggle")
    # Their number changes at every step: numpy, seeded with the key's bits.
    rng = np.random.default_rng(np.ravel(jax.random.key_data(key)))
    centers = np.repeat([[2.0, 0.2, 0.0], [0.0, 0.0, 2.0]], [n - n // 2, n // 2], 0)
    x = np.abs(centers + spread * rng.normal(size=(n, 3)))
    clouds = [x]
    count = int(np.ceil(interval / step * (1 - 1e-9)))
    h = interval / count
    for _ in range(snapshots - 1):
        for _ in range(count):
            divides = rng.random(len(x)) < -np.expm1(-law.division_rate(x) * h)
            shaken = np.array(law.noise) * np.sqrt(h) * rng.normal(size=x.shape)
            x = x + h * law.drift(x) + shaken
            born = x[divides] + daughter * rng.normal(size=(divides.sum(), 3))
            x[divides] += daughter * rng.normal(size=born.shape)
            x = np.maximum(np.concatenate([x, born]), 0)
        clouds.append(x)
    dtype = jax.dtypes.canonicalize_dtype(np.float64)
    clouds = [cloud.astype(dtype) for cloud in clouds]
    return Snapshots(
        interval * np.arange(snapshots), clouds, [law.drift(cloud) for cloud in clouds]
    )
