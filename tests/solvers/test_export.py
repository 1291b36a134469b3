"""A solve as a program that runs elsewhere."""

import os
import subprocess
import sys

import pytest


# Programs that refuse call Python, which no exported one can.
SCRIPT = """
import jax, jax.export, numpy as np, wflow as wf
energy = wf.MLPPotential(2, width=8, depth=1, key=jax.random.key(0))
law = wf.GradientFlow(energy, wf.Wasserstein())

@jax.jit
def later(x):
    cloud = wf.Particles.from_samples(x)
    return wf.solve(law, cloud, 0.0, 1.0, throw=False)[-1].x

x = np.random.default_rng(0).normal(size=(5, 2)).astype("float32")
program = jax.export.export(later)(jax.ShapeDtypeStruct(x.shape, x.dtype))
moved = np.asarray(program.call(x))
np.testing.assert_allclose(moved, later(x), rtol=1e-6)
assert np.abs(moved - x).max() > 1e-3
"""


@pytest.mark.slow
def test_a_solve_is_exported():
    own = {**os.environ, "EQX_ON_ERROR": "nan"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=own, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
