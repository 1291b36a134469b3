"""The sampling methods of a config, and what their target gives them."""

from typing import Annotated, Any

import jax
from pydantic import Field

from wflow import sampling
from wflow.measures import GaussianMixture
from wflow.sampling.methods.base import AbstractFlowMethod, AbstractMethod
from wflow.studies import Name, Part, Spec, build


# What ``build_method`` gives where a class asks for it.
NEEDS = ("log_density", "target", "key")

Methods = Annotated[
    dict[Name, Annotated[Spec, Part(sampling, of=AbstractMethod, needs=NEEDS)]],
    Field(min_length=1),
]
# A method several times, with other steps.
Tried = Annotated[
    list[Annotated[Spec, Part(sampling, of=AbstractFlowMethod, needs=NEEDS)]],
    Field(min_length=1),
]


def build_method(
    spec: Spec,
    place: str,
    log_density: Any,
    law: GaussianMixture | None = None,
) -> AbstractMethod:
    """The method at the dotted key ``place``.

    Args:
        spec: its class and arguments.
        place: begins a refusal.
        log_density: of the target, for embeddings that evaluate it.
        law: a mixture with the target's kernel embeddings, for the exact one.

    Raises:
        ValueError: what the class refuses.
    """
    # Random rules have the same nodes in all runs.
    given = {"log_density": log_density, "key": jax.random.key(0)}
    if law is not None:
        given["target"] = law
    return build(spec, sampling, AbstractMethod, place, **given)
