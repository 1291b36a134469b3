"""Flows of small layers that have every kind of scale."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from wflow.cli.networks.scale_flow_schema import FlowConfig


if TYPE_CHECKING:
    from jax import Array

    from wflow.flows import GradientFlow
    from wflow.networks.scale import LinearRegression, ScaledLinear
    from wflow.solve import Solution


class Flows(NamedTuple):
    """Everything that a config of flows asks for.

    Attributes:
        drifts: largest change of an invariant, by kind of layer.
        reduced: largest distance of the reduced flow from the product of the factors.
        closed: largest distance of each channel from its closed form, ``(channels,)``.
        columns: eigenvalues, losses and sharpness against time.
        sharpness: at the late time, by what is decayed.
        excess: of the data loss there, over its minimum.
        scales: the largest scale there.
    """

    drifts: dict[str, float]
    reduced: float
    closed: np.ndarray
    columns: dict[str, np.ndarray]
    sharpness: dict[str, float]
    excess: dict[str, float]
    scales: dict[str, float]


def run_flows(config: FlowConfig) -> Flows:
    """All of them."""
    import jax
    import jax.numpy as jnp

    from wflow.flows import GradientFlow
    from wflow.geometries import Euclidean
    from wflow.networks.scale import (
        Decay,
        LinearRegression,
        ScaleVector,
        imbalance,
        invariant_drift,
        scale_report,
        sharpness,
    )
    from wflow.networks.scale.layers import ScaledLinear

    energy = LinearRegression(*_data(config))
    layers = _layers(config, jax.random.key(config.seed))
    flow = GradientFlow(energy, Euclidean())
    drifts, solutions = {}, {}
    for name, layer in layers.items():
        solutions[name] = _solve(config, flow, layer, config.end)
        drifts[name] = float(invariant_drift(solutions[name]))

    start, factors = layers["single"], solutions["single"]
    c = imbalance(start.weight, jnp.ones(config.inputs))
    geometry = ScaleVector(c)
    reduced = _solve(config, GradientFlow(energy, geometry), start.matrix(), config.end)
    product = jax.vmap(ScaledLinear.matrix)(factors.measures.value)
    plain = _solve(config, flow, start.matrix(), config.end)
    least = _least(energy)
    reports = jax.vmap(scale_report)(factors.measures.value)["y"]
    columns = {
        "t": factors.times,
        **{f"along_{j}": reports.along[:, j] for j in range(config.inputs)},
        **{f"across_{j}": reports.across[:, j] for j in range(config.inputs)},
        "excess_scaled": factors.energy - least,
        "excess_plain": plain.energy - least,
    }
    ends: dict[str, Any] = {}
    for name, rates in (
        ("equal", (config.decay, config.decay)),
        ("none", (0.0, 0.0)),
        ("matrix_only", (config.decay, 0.0)),
    ):
        decay = Decay(dict(zip(("matrix", "scale_in"), rates, strict=True)))
        decayed = GradientFlow(energy + decay, Euclidean())
        late = _solve(config, decayed, start, config.late, bend=3.0)
        columns["late_t"] = late.times
        columns[f"sharpness_{name}"] = np.array(
            [sharpness(energy, late[k]) for k in range(len(late))]
        )
        ends[name] = late[-1]
    return Flows(
        drifts,
        float(jnp.max(jnp.abs(reduced.measures.value - product))),
        _channels(config),
        {name: np.asarray(column) for name, column in columns.items()},
        {name: float(columns[f"sharpness_{name}"][-1]) for name in ends},
        {name: float(energy.value(end)) - least for name, end in ends.items()},
        {
            name: float(end.value.scales_in[0].vector.max())
            for name, end in ends.items()
        },
    )


def _data(config: FlowConfig) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets; channel j matters in proportion to j."""
    rng = np.random.default_rng(config.seed)
    inputs = rng.normal(size=(config.rows, config.inputs))
    teacher = rng.normal(size=(config.outputs, config.inputs))
    norms = np.linalg.norm(teacher, axis=0) / config.signal
    teacher *= np.linspace(0.0, 1.0, config.inputs) / norms
    noise = rng.normal(size=(config.rows, config.outputs))
    return inputs, inputs @ teacher.T + config.noise * noise


def _layers(config: FlowConfig, key: "Array") -> dict[str, "ScaledLinear"]:
    """One of every kind, at the same weights."""
    from wflow.networks.scale import ScaledLinear

    kinds: dict[str, dict[str, Any]] = {"single": {"scale": "in"}}
    kinds["two_sided"] = {"scale": "two-sided"}
    kinds["magdir"] = {"scale": "two-sided", "reparam": "magdir"}
    if config.outputs > 1:
        both = {"a": config.outputs - 1, "b": 1}
        kinds["shared"] = {"scale": "in", "branches": both, "share": True}
        kinds["branch"] = {"scale": "in", "branches": both}
    sizes = config.inputs, config.outputs
    return {
        name: ScaledLinear(*sizes, deviation=config.deviation, key=key, **kind)
        for name, kind in kinds.items()
    }


def _solve(
    config: FlowConfig, flow: "GradientFlow", value: Any, end: float, bend: float = 1.0
) -> "Solution":
    """To ``end``; the saved times are denser at the start where ``bend > 1``."""
    import diffrax

    from wflow.measures import Point
    from wflow.solve import solve

    return solve(
        flow,
        Point(value),
        0.0,
        end,
        times=end * np.linspace(0.0, 1.0, config.times) ** bend,
        stepsize_controller=diffrax.PIDController(config.rtol, config.rtol / 100),
        max_steps=1_000_000,
    )


def _channels(config: FlowConfig) -> np.ndarray:
    import equinox as eqx
    import jax
    import jax.numpy as jnp

    from wflow.flows import GradientFlow
    from wflow.geometries import Euclidean
    from wflow.networks.scale import (
        DirectScale,
        EffectiveLoss,
        ScaledLinear,
        scalar_channel,
    )

    cases = jnp.array(
        [(c.curvature, c.target, c.weight, c.scale) for c in config.channels]
    )

    @eqx.filter_vmap
    def error(case: "Array") -> "Array":
        h, target, w, g = case
        energy = EffectiveLoss(lambda m: h / 2 * (m[0, 0] - target) ** 2)
        layer = ScaledLinear.of(w[None, None], [DirectScale(g[None])])
        found = _solve(config, GradientFlow(energy, Euclidean()), layer, config.end)
        products = jax.vmap(ScaledLinear.matrix)(found.measures.value)[:, 0, 0]
        exact = scalar_channel(found.times, h, target, w, g)
        return jnp.max(jnp.abs(products - exact))

    return np.asarray(error(cases))


def _least(energy: "LinearRegression") -> float:
    """The minimum of the loss, over all matrices."""
    from wflow.measures import Point

    best, *_ = np.linalg.lstsq(energy.inputs, energy.targets)
    return float(energy.value(Point(best.T)))
