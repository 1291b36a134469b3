"""Debiased Sinkhorn divergence, value and gradient: wflow, bare OTT-JAX, geomloss."""

import importlib.util

import jax
import numpy as np
from harness import measure, report, rows_of
from ott.geometry.pointcloud import PointCloud
from ott.tools.sinkhorn_divergence import sinkhorn_divergence as ott_divergence

from wflow.transport import sinkhorn_divergence


BLUR = 0.1


@jax.jit
def wflow_peer(x, y):
    """Half the squared distance as ground cost."""
    loss = lambda x: sinkhorn_divergence(x, y, blur=BLUR).value
    return jax.value_and_grad(loss)(x)


@jax.jit
def ott_peer(x, y):
    """The same divergence in OTT's convention: epsilon = 2 blur^2, halved."""
    loss = lambda x: ott_divergence(PointCloud, x, y, epsilon=2 * BLUR**2)[0] / 2
    return jax.value_and_grad(loss)(x)


def geomloss_peer(x, y):
    """Geomloss on PyTorch, its own annealing of the blur."""
    import torch
    from geomloss import SamplesLoss

    loss = SamplesLoss("sinkhorn", p=2, blur=BLUR, scaling=0.9, backend="tensorized")
    x, y = torch.tensor(np.asarray(x)), torch.tensor(np.asarray(y))

    def run():
        points = x.clone().requires_grad_(True)
        value = loss(points, y)
        (gradient,) = torch.autograd.grad(value, points)
        return value.detach().numpy(), gradient.numpy()

    return run


def main():
    """Time every case and print the table."""
    missing = [
        name for name in ("geomloss", "torch") if not importlib.util.find_spec(name)
    ]
    rows = []
    for n in (128, 512, 1024):
        a, b = jax.random.split(jax.random.key(0))
        x = jax.random.normal(a, (n, 2))
        y = jax.random.normal(b, (n, 2)) + 0.5
        peers = {
            "wflow": lambda x=x, y=y: wflow_peer(x, y),
            "OTT-JAX": lambda x=x, y=y: ott_peer(x, y),
        }
        if not missing:
            peers["geomloss"] = geomloss_peer(x, y)
        timed = measure(peers)
        values = {name: float(run()[0]) for name, run in peers.items()}
        rows += [
            {**row, "value": values[row["peer"]]}
            for row in rows_of(f"n = {n}, d = 2, blur {BLUR}", timed)
        ]
    report("Sinkhorn divergence", rows, missing)


if __name__ == "__main__":
    main()
