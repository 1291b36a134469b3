"""The training step as ``wflow.learning.fit`` does it, as a peer."""

import sys
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from wflow.checks import cast
from wflow.energies import AttentionPotential
from wflow.flows import LagrangianFlow
from wflow.learning import AdamW, FullHorizon, Sinkhorn, Snapshots
from wflow.learning.rollout_loss import (
    Model,
    Rollout,
    RolloutTraining,
    Task,
    step_grid,
)
from wflow.learning.stacks import stacked
from wflow.learning.trained import split
from wflow.learning.training import Trainer, train_chunk
from wflow.parameters import Learnable

from .step import CASES, FRICTION, Case, clouds
from .worker import serve


def exported(energy: AttentionPotential) -> dict[str, np.ndarray]:
    """The network's weights under the names of the PyTorch peer."""
    layers = {"embed": energy.embed, "head": energy.head}
    for k, block in enumerate(energy.blocks):
        for name in (
            "norm_attention",
            "norm_feedforward",
            "projection",
            "output",
            "expand",
            "contract",
        ):
            layers[f"blocks.{k}.{name}"] = getattr(block, name)
    return {
        f"{name}.{part}": np.asarray(getattr(layer, part))
        for name, layer in layers.items()
        for part in ("weight", "bias")
    }


def force_gradient(case: Case) -> tuple[Callable, tuple]:
    """The gradient through one force, and its arguments: what the count is made of."""
    energy = _energy(case)
    weights = jnp.full(case.particles, 1 / case.particles)
    x = jnp.asarray(clouds(case)[1][0])

    def loss(energy: AttentionPotential, x: jax.Array) -> jax.Array:
        potential = lambda x: energy.per_particle(x, weights, 0.0).sum()
        return jnp.sum(jax.grad(potential)(x) ** 2)

    return jax.grad(lambda both: loss(*both)), ((energy, x),)


def _energy(case: Case) -> AttentionPotential:
    return AttentionPotential(
        2,
        width=case.width,
        depth=case.depth,
        heads=case.heads,
        feedforward=case.feedforward,
        key=jax.random.key(0),
    )


def tasks(case: Case, path: str) -> dict[str, Callable[[], float]]:
    """What can be asked for; writes weights and blur to ``path``."""
    times, x, velocity = clouds(case)
    snapshots = Snapshots(times, x)
    loss = Sinkhorn(p=case.p).prepared(snapshots, jax.random.key(1))
    energy = _energy(case)
    np.savez(path, blur=np.asarray(loss.blur), **exported(energy))
    flow = LagrangianFlow(energy, Learnable(FRICTION), "unified")
    task = Task(
        cast(stacked(snapshots.take([0])), jnp.float32),
        jnp.zeros(1, jnp.int32),
        jnp.zeros(1),
        cast(stacked(snapshots.take(range(1, len(times)))), jnp.float32),
        step_grid(times, 1.0, np.float32),
    )
    started = jnp.asarray(velocity)[None]
    params, held = split(Model(flow, started))
    rollout = Rollout(loss)
    training = RolloutTraining(
        rollout,
        task,
        FullHorizon(),
        None,
        started,
        None,
        np.asarray(started),
        np.ones(1, bool),
        np.zeros(1, int),
        np.asarray(1.0),
    )
    trainer = Trainer(training, AdamW(), 1000, held, 0.99, 1.0)
    start, horizon = jnp.zeros((), jnp.int32), jnp.asarray(case.intervals)

    def value(params: Model) -> jax.Array:
        return rollout(eqx.combine(params, held), task, start, horizon).value

    forward = jax.jit(value)
    gradient = jax.jit(jax.value_and_grad(value))
    state = trainer.init(params)
    square = jax.random.normal(jax.random.key(2), (2048, 2048))
    product = jax.jit(jnp.matmul)

    def export() -> float:
        number, slopes = gradient(params)
        np.savez(path.replace(".npz", "_wflow.npz"), **exported(slopes.flow.energy))
        return float(number)

    def step() -> float:
        out = train_chunk(trainer, state, jax.random.key(3), jnp.asarray(1), 1)
        _, records, _, _ = jax.block_until_ready(out)
        return float(records["loss"][0])

    return {
        "forward": lambda: float(forward(params)),
        "gradient": lambda: float(jax.block_until_ready(gradient(params))[0]),
        "export": export,
        "step": step,
        "matmul": lambda: float(product(square, square).block_until_ready()[0, 0]),
    }


if __name__ == "__main__":
    serve(tasks(CASES[sys.argv[1]], sys.argv[2]))
