"""The options of ``fit`` that no snapshots are needed to refuse."""

from typing import Any

import optax

from wflow.checks import count, instance, non_negative, one_of, positive, shape

from .average import check_decay
from .horizons import AbstractHorizon
from .losses import AbstractLoss
from .optimizers import AdamW


def check_options(
    *,
    steps: Any,
    loss: Any = None,
    growth_penalty: Any = 0.0,
    acceleration_penalty: Any = 0.0,
    velocity_scale: Any = None,
    horizon: Any = None,
    optimizer: Any = None,
    starts: Any = "any",
    batch: Any = None,
    ema: Any = 0.99,
    clip: Any = None,
    substeps: Any = 1,
    chunk: Any = 50,
    stop_gradient_force: Any = False,
    consistent: Any = True,
) -> None:
    """Refuse options that ``fit`` would refuse of any flow and any snapshots.

    Raises:
        TypeError: one of another kind.
        ValueError: one out of range.
    """
    whole = {"steps": steps, "substeps": substeps, "chunk": chunk}
    for name, value in (whole if batch is None else {**whole, "batch": batch}).items():
        count("fit", name, value)
    for name, value in (
        ("growth_penalty", growth_penalty),
        ("acceleration_penalty", acceleration_penalty),
    ):
        shape("fit", name, value, ())
        non_negative("fit", name, value)
    for name, value, infinite in (
        ("velocity_scale", velocity_scale, False),
        ("clip", clip, True),
    ):
        if value is not None:
            shape("fit", name, value, ())
            positive("fit", name, value, infinite=infinite)
    for name, value in (
        ("stop_gradient_force", stop_gradient_force),
        ("consistent", consistent),
    ):
        one_of("fit", name, value, (True, False))
    one_of("fit", "starts", starts, ("first", "any"))
    check_decay(ema)
    for name, value, kinds, what in (
        ("loss", loss, AbstractLoss, "a loss"),
        ("horizon", horizon, AbstractHorizon, "a horizon"),
        (
            "optimizer",
            optimizer,
            (AdamW, optax.GradientTransformation),
            "AdamW or of optax",
        ),
    ):
        if value is not None:
            instance("fit", name, value, kinds, what)
