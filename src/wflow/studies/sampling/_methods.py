"""The sampling methods of a config, and what their target gives them."""

from typing import Annotated, Any

import jax
from pydantic import Field

from wflow import sampling
from wflow.measures import GaussianMixture
from wflow.sampling import AbstractMethod
from wflow.studies import Name, Part, Spec, build


Method = Annotated[
    Spec, Part(sampling, of=AbstractMethod, needs=["log_density", "target", "key"])
]
Methods = Annotated[dict[Name, Method], Field(min_length=1)]


def build_method(
    spec: Spec,
    place: str,
    log_density: Any,
    law: GaussianMixture | None = None,
    **given: Any,
) -> AbstractMethod:
    """The method at the dotted key ``place``.

    Args:
        spec: its class and arguments.
        place: begins a refusal.
        log_density: of the target, for embeddings that evaluate it.
        law: a mixture with the target's kernel embeddings, for the exact one.
        given: arguments that the study sets.

    Raises:
        ValueError: what the class refuses.
    """
    # Random rules have the same nodes in all runs.
    given |= {"log_density": log_density, "key": jax.random.key(0)}
    if law is not None:
        given["target"] = law
    return build(spec, sampling, AbstractMethod, place, **given)
