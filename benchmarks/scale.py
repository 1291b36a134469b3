"""Training of the byte-level transformer: wflow beside a plain Equinox and Optax loop.

    python benchmarks/scale.py

The same model, batches and optimizer in both; the plain loop calls one compiled step
from Python, as the guides of Equinox do, and wflow runs all steps in one program. Both
end at the same parameters.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from harness import measure, report, rows_of

from wflow.networks.scale import ByteTransformer, Recipe, decay_mask, train
from wflow.networks.scale.corpus import Corpus, python_topics
from wflow.networks.scale.training import batch
from wflow.networks.scale.transformer import nats


RATE = 3e-3
RECIPE = Recipe(steps=50, every=50)


def main():
    """Time the variants that have most and fewest scales."""
    text = python_topics()
    # One window for the validation, which the plain loop has none of.
    corpus = Corpus(text.train, text.train[: RECIPE.context + 2], text.characters, "")
    rows, remarks = [], []
    for scaling in ("none", "unified"):
        model = ByteTransformer(scaling=scaling, key=jax.random.key(0))
        mask = decay_mask(model)
        plain, ours = plain_loop(model, corpus, mask), our_loop(model, corpus, mask)
        timings = measure({"plain loop": plain, "wflow": ours})
        found = rows_of(f"{scaling}, {RECIPE.steps} steps", timings)
        for row in found:
            row["steps_per_s"] = RECIPE.steps / row["median_s"]
            row["speed"] = 1 / row.pop("ratio")
        rows += found
        apart = max(
            float(jnp.abs(a - b).max())
            for a, b in zip(
                jax.tree.leaves(plain()), jax.tree.leaves(ours()), strict=True
            )
        )
        remarks.append(f"{scaling}: both end at the same parameters, to {apart:.0e}.")
    note = (
        "Medians after a first call that compiles; speed over that of the plain loop."
    )
    report("Scale vectors", rows, [], note, remarks)


def our_loop(model, corpus, mask):
    """Training as the library does it."""

    def run():
        key = jax.random.key(1)
        done = train(model, corpus, mask, RATE, RECIPE, key=key)
        return eqx.filter(done.model, eqx.is_inexact_array)

    return run


def plain_loop(model, corpus, mask):
    """A step, compiled, called in a loop."""
    text, optimizer = jnp.asarray(corpus.train), RECIPE.optimizer(RATE, mask)

    @eqx.filter_jit
    def step(model, state, key, k):
        tokens = batch(text, key, k, RECIPE)
        loss, grads = eqx.filter_value_and_grad(nats)(model, tokens)
        params = eqx.filter(model, eqx.is_inexact_array)
        updates, state = optimizer.update(grads, state, params)
        return eqx.apply_updates(model, updates), state, loss

    def run():
        key, trained = jax.random.key(1), model
        state = optimizer.init(eqx.filter(model, eqx.is_inexact_array))
        for k in np.arange(RECIPE.steps):
            trained, state, _ = step(trained, state, key, k)
        return eqx.filter(trained, eqx.is_inexact_array)

    return run


if __name__ == "__main__":
    main()
