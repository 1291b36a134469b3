"""Cost against the number of particles, and a model of it on many accelerators.

    python benchmarks/scaling.py [--largest 100000] [--only-model]

The model is a roofline: a step takes the longest of its arithmetic and its memory
traffic on one device, and in addition what the devices send each other. Its constants
are printed; put those of your machine in their place.
"""

import argparse
import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
from harness import measure, report

import wflow as wf
from wflow.energies import Interaction, ParticleMesh, Potential, Radial
from wflow.kernels import GaussianKernel, RandomFeatures
from wflow.kernels.sums import matvec


@dataclasses.dataclass(frozen=True)
class Machine:
    """One accelerator of many: a share of what its data sheet says."""

    flops: float = 3e13  # single precision a second: half of 6.7e13 (H100 SXM)
    bytes: float = 2e12  # of memory a second: two thirds of 3.35e12
    exps: float = 2e12  # exponentials a second, of the special function units
    link: float = 1e11  # bytes a second to other devices: a quarter of 4.5e11
    latency: float = 2e-5  # seconds of a collective over all devices
    memory: float = 8e10  # bytes


@dataclasses.dataclass(frozen=True)
class Work:
    """What one evaluation of a velocity asks of all devices together."""

    flops: float
    bytes: float
    exps: float = 0.0
    gathered: float = 0.0  # bytes that every device has to receive
    collectives: int = 1
    held: float = 0.0  # bytes beside the points that each device holds at once


D, BYTES = 3, 4


def law_of_a_point(n: float, width: int = 64, depth: int = 3) -> Work:
    """A network of a point: three passes for a gradient, nothing to send."""
    layers = 2 * (D * width + (depth - 1) * width**2 + width)
    # Activations of a layer are written and read once a pass where they are not fused.
    return Work(3 * n * layers, 3 * n * depth * width * BYTES * 2, collectives=1)


def all_pairs(n: float) -> Work:
    """A Gaussian kernel sum with its gradient; all points are gathered."""
    flops = n**2 * (2 * D + 2 * D + 8)
    points = n * (D + 1) * BYTES
    return Work(flops, n**2 * BYTES / 512, n**2, points, held=points)


def near_pairs(n: float, neighbors: float = 30) -> Work:
    """A short-ranged force: the sort and the list are made by every device alike."""
    candidates = n * neighbors * 27 / (4 / 3 * math.pi) / 2
    sort = 16 * n * math.log2(n) * BYTES
    lists = candidates * (D + 4) * BYTES + n * neighbors * (4 * D + 6) * BYTES
    return Work(
        n * neighbors * 60,
        sort + lists,
        gathered=n * D * BYTES,
        held=n * (64 + 2 * D) * BYTES,
    )


def sinkhorn(n: float, iterations: int = 100) -> Work:
    """A divergence by streamed updates: three problems, two half steps each."""
    pairs = n**2 * iterations * 4
    return Work(
        pairs * (2 * D + 6),
        pairs * BYTES / 512,
        pairs,
        4 * iterations * n * BYTES,
        8 * iterations,
        held=2 * n * (D + 1) * BYTES,
    )


def seconds(work: Work, machine: Machine, devices: int, shared: bool = True) -> float:
    """Roofline of one device and what is sent; ``shared`` says whether rows are."""
    parts = devices if shared else 1
    on_one = max(
        work.flops / machine.flops,
        work.bytes / machine.bytes,
        work.exps / machine.exps,
    )
    sent = 0.0
    if devices > 1:
        share = (devices - 1) / devices
        sent = work.gathered * share / machine.link
        sent += work.collectives * machine.latency
    return on_one / parts + sent


def predicted() -> list[dict]:
    """Rows of the model: 1e6 and 1e7 particles, 1, 8 and 64 accelerators."""
    machine, rows = Machine(), []
    cases = {
        "network of a point": (law_of_a_point, True),
        "all pairs, Gaussian": (all_pairs, True),
        "near pairs, 30 neighbors": (near_pairs, False),
        "Sinkhorn, 100 iterations": (sinkhorn, True),
    }
    for name, (work, shared) in cases.items():
        for n in (1e6, 1e7):
            for devices in (1, 8, 64):
                found = work(n)
                # State, its derivative and five stages of a solver, of one device.
                state = 7 * n * (D + 1) * BYTES / devices
                rows.append(
                    {
                        "case": name,
                        "particles": f"{n:.0e}",
                        "devices": devices,
                        "seconds": seconds(found, machine, devices, shared),
                        "GB a device": (state + found.held) / 1e9,
                    }
                )
    return rows


def measured(largest: int) -> list[dict]:
    """Warm evaluations on this machine, and the slope between sizes."""
    rows, sizes = [], [n for n in (10_000, 30_000, 100_000, 1_000_000) if n <= largest]

    def cloud(n):
        return jnp.asarray(np.random.default_rng(0).uniform(size=(n, 2)), jnp.float32)

    def potential(n):
        flow = wf.GradientFlow(Potential(lambda x: jnp.sum(x**4)), wf.Wasserstein())
        return jax.jit(lambda mu: flow.velocity(mu)[0])

    def near(n):
        reach = float(np.sqrt(30 / np.pi / n))
        pair = Radial(lambda r: (1 - r / reach) ** 2, 0.1 * reach, cutoff=reach)
        flow = wf.GradientFlow(Interaction(pair), wf.Wasserstein())
        return jax.jit(lambda mu: flow.velocity(mu)[0])

    def kernel(n):
        return jax.jit(lambda mu: matvec(GaussianKernel(0.1), mu.x, None, mu.w))

    def by(pair):
        flow = wf.GradientFlow(Interaction(pair), wf.Wasserstein())
        return lambda n: jax.jit(lambda mu: flow.velocity(mu)[0])

    waves = RandomFeatures(GaussianKernel(0.1), 2, 500, key=jax.random.key(0))
    cases = {
        "potential": (potential, largest),
        "near pairs": (near, largest),
        "random features, 500": (by(waves), largest),
        "mesh, 64 cells": (by(ParticleMesh(GaussianKernel(0.1))), largest),
        "all pairs, Gaussian": (kernel, 100_000),
    }
    for name, (make, most) in cases.items():
        before = None
        for n in (n for n in sizes if n <= most):
            run, mu = make(n), wf.Particles.from_samples(cloud(n))
            took = measure({name: lambda run=run, mu=mu: run(mu)}, 3)[name]
            slope = math.nan
            if before:
                slope = math.log(took["median_s"] / before[1]) / math.log(n / before[0])
            before = n, took["median_s"]
            rows.append(
                {"case": f"{name}, n = {n}", "peer": "wflow", **took, "slope": slope}
            )
    return rows


def main():
    """Print what is measured here and what the model says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--largest", type=int, default=100_000)
    parser.add_argument("--only-model", action="store_true")
    options = parser.parse_args()
    if not options.only_model:
        note = (
            "One velocity of n particles in the plane; slope in n, from size to size."
        )
        report("Scaling", measured(options.largest), [], note)
    constants = dataclasses.asdict(Machine())
    listed = ", ".join(f"{name} {value:.3g}" for name, value in constants.items())
    note = f"One velocity in {D} dimensions, float32, by a roofline of: {listed}."
    report("Scaling model", predicted(), [], note)


if __name__ == "__main__":
    main()
