"""Errors on random splits of data into training and test."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from wflow.regression import SpectralData, shrinkage_curves
from wflow.regression.search import SpectralFilter

from ._design import Design
from ._laws import cross_validated


def split_errors(
    design: Design,
    laws: Mapping[str, SpectralFilter],
    rates: Float[Array, " m"],
    splits: int,
    share: float,
    key: PRNGKeyArray,
) -> tuple[Array, dict[str, Array]]:
    """Squared errors on the test part of every split.

    At every rate for each filter ``(filters, splits, m)``, and by cross-validation by
    name ``(splits,)``; a ``share`` is trained on.
    """
    inputs, response = jnp.asarray(design.X), jnp.asarray(design.y)
    n = len(response)
    size = min(max(round(share * n), 3), n - 1)

    def one(key: Array) -> tuple[list[Array], dict[str, Array]]:
        order = jax.random.permutation(key, n)
        train, test = order[:size], order[size:]
        center, level = inputs[train].mean(0), response[train].mean()
        spread = jnp.std(inputs[train], axis=0)
        # A column that is constant in a small training part says nothing there.
        spread = jnp.where(spread > 0, spread, jnp.inf)
        scaled = (inputs - center) / spread
        data = SpectralData.of(scaled[train], response[train] - level, spent=1)

        def error(coefficients: Array) -> Array:
            gap = response[test] - level - scaled[test] @ coefficients
            return jnp.mean(gap**2)

        path = [
            jax.vmap(error)(shrinkage_curves(data, law, 1 / rates))
            for law in laws.values()
        ]
        found = cross_validated(data, laws)
        return path, {name: error(coef) for name, coef in found.items()}

    keys = jax.random.split(key, splits)
    path, tuned = jax.jit(lambda keys: jax.lax.map(one, keys, batch_size=25))(keys)
    return jnp.stack(path), tuned
