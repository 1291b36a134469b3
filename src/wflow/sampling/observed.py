"""The data behind a density, and what it says of each of them."""

from collections.abc import Callable, Mapping
from typing import Any, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray, PyTree

from wflow.checks import finite, function, to_real


# The name of data that come without one.
ALONE = "y"


class Observed(eqx.Module):
    """Data with their likelihood; ``Target.of`` and ``Target.from_numpyro`` make it.

    Attributes:
        log_likelihood: of parameters by name to that of every datum, by the names of
            the data.
        data: by name; empty where they are not known.
        predict: of parameters and a key to data drawn there; None where there is none.
        axes: names of the leading axes of parameters and data that have any, in pairs
            with theirs.
    """

    log_likelihood: Callable[[Mapping[str, Array]], dict[str, Array]]
    data: dict[str, Array]
    predict: Callable[[Mapping[str, Array], PRNGKeyArray], dict[str, Array]] | None
    axes: tuple[tuple[str, tuple[str, ...]], ...] = eqx.field(static=True, default=())

    @classmethod
    def of(
        cls,
        point: Callable[[Mapping[str, Array]], PyTree],
        log_likelihood: Callable[[Any], PyTree] | None,
        data: PyTree,
        predict: Callable[[Any, PRNGKeyArray], PyTree] | None,
    ) -> Self | None:
        """Of functions of a point; None where no likelihood is given.

        Raises:
            TypeError: what should be a function is none.
            ValueError: data without a likelihood, or that are no finite numbers.
        """
        if log_likelihood is None:
            if data is not None or predict is not None:
                raise ValueError(
                    "Target.of: data and predict belong to a log_likelihood, found "
                    "none."
                )
            return None
        function("Target.of", "log_likelihood", log_likelihood, "one point")
        if predict is not None:
            function("Target.of", "predict", predict, "one point and a key")
        named = {} if data is None else _named(data)
        for name, value in named.items():
            finite("Target.of", "data", to_real(value, f"data {name}"))
        return cls(
            lambda parameters: _named(log_likelihood(point(parameters))),
            jax.tree.map(jnp.asarray, named),
            None
            if predict is None
            else lambda parameters, key: _named(predict(point(parameters), key)),
        )


def _named(found: PyTree) -> dict[str, Any]:
    return dict(found) if isinstance(found, Mapping) else {ALONE: found}
