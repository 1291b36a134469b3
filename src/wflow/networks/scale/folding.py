"""Models without their scale vectors."""

from typing import TypeVar

import jax

from .layers import ScaledLinear
from .scales import AbstractScale, DirectScale


Model = TypeVar("Model")


def fold_scales(model: Model) -> Model:
    r"""The same function with every $W$ replaced by $D_r W D_g$.

    Scales of a norm stay, as plain vectors: an Output-Norm's cannot be folded, and
    which map takes an Input-Norm's output, the model does not say.

    Args:
        model: any pytree that holds ``ScaledLinear``.
    """

    def folded(part: object) -> object:
        if isinstance(part, ScaledLinear):
            return part.fold()
        if isinstance(part, AbstractScale):
            return DirectScale(part.vector, part.role)
        return part

    kinds = ScaledLinear | AbstractScale
    return jax.tree.map(folded, model, is_leaf=lambda part: isinstance(part, kinds))
