"""Models without their scale vectors."""

from typing import TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp

from .layers import ScaledLinear
from .scales import AbstractScale, DirectScale


Model = TypeVar("Model")


def fold_scales(model: Model) -> Model:
    """Remove scale vectors from a trained model without changing what it computes.

    Every $W$ is replaced by $D_r W D_g$. An ``equinox.nn.WeightNorm`` becomes the layer
    that it stands for. Scales of a norm stay, as plain vectors: an Output-Norm's cannot
    be folded, and which map takes an Input-Norm's output, the model does not say.

    Args:
        model: any pytree that holds ``ScaledLinear``.
    """

    def folded(part: object) -> object:
        if isinstance(part, eqx.nn.WeightNorm):
            return folded(_plain(part))
        if isinstance(part, ScaledLinear):
            return part.fold()
        if isinstance(part, AbstractScale):
            return DirectScale(part.vector, part.role)
        return part

    kinds = ScaledLinear | AbstractScale | eqx.nn.WeightNorm
    return jax.tree.map(folded, model, is_leaf=lambda part: isinstance(part, kinds))


def _plain(part: eqx.nn.WeightNorm) -> eqx.Module:
    """The layer with the product of magnitudes and directions for its weight."""
    where = lambda layer: getattr(layer, part.weight_name)
    v = where(part.layer)
    axes = tuple(k for k in range(v.ndim) if k != part.axis)
    lengths = jnp.sqrt(jnp.sum(v**2, axis=axes, keepdims=True))
    return eqx.tree_at(where, part.layer, part.g * v / lengths)
