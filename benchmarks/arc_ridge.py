"""A training step with arc ridge beside plain weight decay, on a mid-sized network.

    python benchmarks/arc_ridge.py [--repeats 9]

Four hidden layers of 576 tanh units, 64 inputs, 10 classes, a million parameters,
batches of 128. The bound is on the whole step, gradient included; the update alone is
there to see where the rest goes.
"""

import argparse

import jax
import jax.numpy as jnp
import optax
from harness import measure, report, rows_of

from wflow.networks.canonical import arc_ridge


SIZES = (64, 576, 576, 576, 576, 10)
BATCH, STEPS, RATE, DECAY = 128, 50, 1e-3, 1e-3
NOTE = (
    f"Seconds of {STEPS} steps in one compiled loop, float32: first call (with "
    "compiling), median and spread of later ones, interleaved; ratio to weight decay "
    "with the same optimizer."
)


def main():
    """Time steps and updates, print the table and hold it against the bound."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    repeats = parser.parse_args().repeats
    rows = []
    decayed = optax.chain(optax.add_decayed_weights(DECAY), optax.sgd(RATE))
    for name, inner, decay in (
        ("sgd", optax.sgd(RATE), decayed),
        ("adam", optax.adam(RATE), optax.adamw(RATE, weight_decay=DECAY)),
    ):
        peers = {
            "weight decay": decay,
            "no penalty": inner,
            "arc ridge": arc_ridge(inner, DECAY),
            "arc ridge, averaged": arc_ridge(inner, DECAY, decay=0.99),
        }
        for work, gradient in (("step", jax.grad(loss)), ("update alone", held)):
            runs = {peer: training(made, gradient) for peer, made in peers.items()}
            rows += rows_of(f"{name}, {work}", measure(runs, repeats))
    worst = max(
        row["ratio"] for row in rows if "step" in row["case"] and "arc" in row["peer"]
    )
    count = sum(leaf.size for leaf in jax.tree.leaves(network()))
    remarks = [
        f"{count} parameters, batches of {BATCH}.",
        f"The dearest step with arc ridge takes {worst:.2f} times that of weight decay "
        f"(bound 2: {'held' if worst <= 2 else 'missed'}).",
    ]
    report("Arc ridge", rows, [], NOTE, remarks)


def network():
    """Weights and biases of every layer."""
    keys = jax.random.split(jax.random.key(0), len(SIZES) - 1)
    return [
        (jax.random.normal(key, (k, d)) / d**0.5, jnp.zeros(k))
        for key, d, k in zip(keys, SIZES[:-1], SIZES[1:], strict=True)
    ]


def loss(params, x, y):
    """Mean cross-entropy."""
    *hidden, (w, b) = params
    for weights, bias in hidden:
        x = jnp.tanh(x @ weights.T + bias)
    return optax.softmax_cross_entropy_with_integer_labels(x @ w.T + b, y).mean()


def held(params, x, y):
    """A gradient that costs nothing beside the update."""
    del y
    return jax.tree.map(lambda leaf: leaf * x[0, 0], params)


def training(optimizer, gradient):
    """A function without arguments that does all steps."""
    params = network()
    x = jax.random.normal(jax.random.key(1), (BATCH, SIZES[0]))
    y = jax.random.randint(jax.random.key(2), (BATCH,), 0, SIZES[-1])

    @jax.jit
    def run(params, x, y):
        def step(carry, _):
            params, state = carry
            moves, state = optimizer.update(gradient(params, x, y), state, params)
            return (optax.apply_updates(params, moves), state), None

        start = params, optimizer.init(params)
        return jax.lax.scan(step, start, None, length=STEPS)[0][0]

    return lambda: run(params, x, y)


if __name__ == "__main__":
    main()
