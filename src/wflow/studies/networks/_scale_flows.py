"""Flows of layers with scale vectors, and of single channels in closed form."""

from typing import Annotated, Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from pydantic import Field

from wflow.energies import AbstractEnergy
from wflow.flows import GradientFlow
from wflow.geometries import AbstractGeometry, Euclidean
from wflow.measures import Point
from wflow.networks.scale import ScaledLinear
from wflow.networks.scale.closed_form import scalar_channel
from wflow.networks.scale.energies import EffectiveLoss, LinearRegression
from wflow.networks.scale.scales import DirectScale
from wflow.solvers import Solution, solve
from wflow.studies import Count, NonNegative, Positive, Strict


class Layers(Strict):
    """Least squares of a noisy linear teacher, and layers that learn it.

    Attributes:
        rows: of the data.
        inputs: d of the layer.
        outputs: m of the layer.
        signal: norm of the teacher's last column; the first is zero, the others lie
            evenly between.
        noise: deviation of the targets from the teacher.
        deviation: of the entries of W at the start; all scales start at one.
    """

    rows: Count = 20
    inputs: Annotated[int, Field(ge=2)] = 4
    outputs: Count = 3
    signal: Positive = 3.0
    noise: NonNegative = 1.0
    deviation: Positive = 0.3

    def regression(self, seed: int) -> LinearRegression:
        """The loss; input j matters in proportion to j."""
        rng = np.random.default_rng(seed)
        inputs = rng.normal(size=(self.rows, self.inputs))
        teacher = rng.normal(size=(self.outputs, self.inputs))
        norms = np.linalg.norm(teacher, axis=0) / self.signal
        teacher *= np.linspace(0.0, 1.0, self.inputs) / norms
        noise = rng.normal(size=(self.rows, self.outputs))
        return LinearRegression(inputs, inputs @ teacher.T + self.noise * noise)

    def layers(self, key: jax.Array) -> dict[str, ScaledLinear]:
        """One of every kind, at the same weights."""
        kinds: dict[str, dict[str, Any]] = {
            "single": {"scale": "in"},
            "two_sided": {"scale": "two-sided"},
            "magdir": {"scale": "two-sided", "reparam": "magdir"},
        }
        if self.outputs > 1:
            both = {"a": self.outputs - 1, "b": 1}
            kinds["shared"] = {"scale": "in", "branches": both, "share": True}
            kinds["branch"] = {"scale": "in", "branches": both}
        shared = {"deviation": self.deviation, "key": key}
        return {
            name: ScaledLinear(self.inputs, self.outputs, **kind, **shared)
            for name, kind in kinds.items()
        }


class Solver(Strict):
    """How flows are followed.

    Attributes:
        end: of the flows whose invariants are watched.
        times: number of saved times.
        rtol: of the solver.
    """

    end: Positive = 2.0
    times: Annotated[int, Field(ge=2)] = 81
    rtol: Positive = 1e-12

    def follow(
        self,
        energy: AbstractEnergy,
        value: Any,
        geometry: AbstractGeometry | None = None,
        late: float | None = None,
    ) -> Solution:
        """To ``end``, or ``late``, where saved times are denser at the start."""
        end, bend = (self.end, 1.0) if late is None else (late, 3.0)
        return solve(
            GradientFlow(energy, geometry or Euclidean()),
            Point(value),
            0.0,
            end,
            times=end * np.linspace(0.0, 1.0, self.times) ** bend,
            stepsize_controller=diffrax.PIDController(self.rtol, self.rtol / 100),
            max_steps=1_000_000,
        )


class Channel(Strict):
    """One scalar channel: loss curvature/2 (w g - target)^2 from w, g."""

    curvature: Positive
    target: float
    weight: float
    scale: float

    @property
    def sign(self) -> int:
        """Of c = w^2 - g^2."""
        return int(np.sign(self.weight**2 - self.scale**2))


def channel_errors(channels: list[Channel], solver: Solver) -> jax.Array:
    """Largest distance of every channel from its closed form, ``(channels,)``."""

    @eqx.filter_vmap
    def error(case: jax.Array) -> jax.Array:
        h, target, w, g = case
        energy = EffectiveLoss(lambda m: h / 2 * (m[0, 0] - target) ** 2)
        layer = ScaledLinear.of(w[None, None], [DirectScale(g[None])])
        found = solver.follow(energy, layer)
        products = jax.vmap(ScaledLinear.matrix)(found.measures.value)[:, 0, 0]
        exact = scalar_channel(found.times, h, target, w, g)
        return jnp.max(jnp.abs(products - exact))

    return error(jnp.array([[*channel.model_dump().values()] for channel in channels]))
