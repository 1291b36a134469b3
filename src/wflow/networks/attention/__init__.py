"""Attention heads that find principal directions: risks, flows, training, PCA."""

from typing import TYPE_CHECKING, Any

from .diagnostics import alignment, critical_point
from .heads import LinearAttention, SoftmaxAttention
from .risks import AttentionRisk
from .training import train_head


if TYPE_CHECKING:
    from .estimator import AttentionPCA

__all__ = [
    "AttentionPCA",
    "AttentionRisk",
    "LinearAttention",
    "SoftmaxAttention",
    "alignment",
    "critical_point",
    "train_head",
]


def __getattr__(name: str) -> Any:
    # scikit-learn is imported where its transformer is asked for.
    if name == "AttentionPCA":
        from .estimator import AttentionPCA

        return AttentionPCA
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
