"""Losses of gradient descent with steps on either side of the longest stable one."""

import warnings
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from wflow.measures import Particles
from wflow.networks import chaos
from wflow.networks.chaos.finite import descend
from wflow.networks.chaos.tangent import stable_step


STABILITY = (
    "stable_step",
    "loss_near_teacher",
    "loss_below_stable_step",
    "loss_above_stable_step",
)


def stability(student: chaos.Student) -> dict[str, Any]:
    """Losses of descent from near the teacher, steps on either side of the bound."""
    risk, bound = student.risk, float(stable_step(student.risk))
    # Neurons at the teacher's root, moved a little.
    root = jnp.sqrt(len(risk.teacher) * risk.teacher)
    near = Particles.from_samples(root * (1 + 1e-4))
    losses = [risk.loss(near)]
    for factor in (0.95, 1.05):
        step = factor * bound
        with warnings.catch_warnings():
            # One of the steps is meant to be too long.
            warnings.filterwarnings("ignore", message="step .* is above")
            end = descend(student, near, step * np.array([0.0, 200.0]), step)
        losses.append(risk.loss(Particles(end.x[-1], end.logw[-1])))
    return dict(zip(STABILITY, [bound, *losses], strict=True))


def told(metrics: Mapping[str, float]) -> str:
    """The bound and the losses, in a sentence."""
    return (
        f"Steps are stable below {metrics['stable_step']:.4g}: from a loss of "
        f"{metrics['loss_near_teacher']:.2g} 200 steps lead to "
        f"{metrics['loss_below_stable_step']:.2g} at .95 of it and to "
        f"{metrics['loss_above_stable_step']:.2g} at 1.05."
    )
