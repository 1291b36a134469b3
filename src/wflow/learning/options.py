"""The options of ``fit`` that no snapshots are needed to refuse."""

from typing import Any

import optax

from wflow.checks import count, instance, positive, shape

from .average import check_decay
from .optimizers import AdamW


def check_options(
    *,
    steps: Any,
    optimizer: Any = None,
    ema: Any = 0.99,
    clip: Any = None,
    chunk: Any = 50,
) -> None:
    """Refuse options that ``fit`` would refuse of any flow and any snapshots.

    Raises:
        TypeError: one of another kind.
        ValueError: one out of range.
    """
    for name, value in (("steps", steps), ("chunk", chunk)):
        count("fit", name, value)
    if clip is not None:
        shape("fit", "clip", clip, ())
        positive("fit", "clip", clip, infinite=True)
    check_decay(ema)
    if optimizer is not None:
        kinds = (AdamW, optax.GradientTransformation)
        instance("fit", "optimizer", optimizer, kinds, "AdamW or of optax")
