"""A layer with a scale vector: what its flow keeps, and how it speeds itself up.

python examples/scale.py [figure.png]
"""

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from wflow.flows import GradientFlow
from wflow.geometries import Euclidean
from wflow.measures import Point
from wflow.networks.scale import ScaledLinear, ScaleVector, fold_scales
from wflow.networks.scale.analysis import imbalance, invariant_drift, scale_report
from wflow.networks.scale.energies import LinearRegression
from wflow.solvers import solve


def main(path="scale.png"):
    """Flow a small layer, in its factors and reduced; draw its preconditioner."""
    jax.config.update("jax_enable_x64", True)
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(40, 4))
    teacher = rng.normal(size=(3, 4)) * np.array([0.1, 0.5, 1.5, 3.0])
    energy = LinearRegression(inputs, inputs @ teacher.T)
    layer = ScaledLinear(4, 3, scale="in", deviation=0.1, key=jax.random.key(1))

    def run(value, geometry):
        return solve(
            GradientFlow(energy, geometry),
            Point(value),
            0.0,
            2.0,
            times=jnp.linspace(0.0, 2.0, 101),
            stepsize_controller=diffrax.PIDController(1e-10, 1e-12),
        )

    # The flow of W and g, and the same flow of M = W diag(g) in a geometry of its own.
    factors = run(layer, Euclidean())
    c = imbalance(layer.weight, layer.scales_in[0].vector)
    reduced = run(layer.matrix(), ScaleVector(c))
    products = jax.vmap(lambda value: value.matrix())(factors.measures.value)
    apart = jnp.max(jnp.abs(products - reduced.measures.value))
    drift = invariant_drift(factors)
    print(f"imbalance drifts by {drift:.1e}; the two flows are {apart:.1e} apart")
    assert drift < 1e-8
    assert apart < 1e-7

    # At inference the scale costs nothing.
    trained = factors[-1].value
    x = jnp.asarray(inputs[0])
    assert jnp.allclose(fold_scales(trained)(x), trained(x))

    along = jax.vmap(scale_report)(factors.measures.value)["y"].along
    plain = run(layer.matrix(), Euclidean())
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(factors.times, along)
    left.axhline(1, color="0.6", linewidth=1)
    left.set(xlabel="time", ylabel="preconditioner along each channel")
    right.plot(factors.times, factors.energy, label="with a scale vector")
    right.plot(plain.times, plain.energy, "--", color="0.5", label="without")
    right.set(xlabel="time", ylabel="loss", yscale="log")
    right.legend(frameon=False)
    figure.savefig(path)


if __name__ == "__main__":
    main()
