"""Attention heads that find principal directions: risks, flows, training, PCA."""

from typing import TYPE_CHECKING, Any

from .covariance import UncentredWarning, second_moment, square_root
from .diagnostics import (
    Alignment,
    CriticalPoint,
    SaddleWarning,
    alignment,
    critical_point,
)
from .geometries import CovarianceMetric, oja, whitened
from .heads import (
    AbstractHead,
    LinearAttention,
    SoftmaxAttention,
    initial_mu,
    power_layers,
)
from .prompts import (
    bbp_overlap,
    gaussian_prompts,
    prompt_pca,
    spiked_covariance,
    spiked_wishart,
)
from .risks import AttentionRisk, PromptRisk
from .streaming import StreamedPCA, stream_pca
from .training import Trained, train_head


if TYPE_CHECKING:
    from .estimator import AttentionPCA

__all__ = [
    "AbstractHead",
    "Alignment",
    "AttentionPCA",
    "AttentionRisk",
    "CovarianceMetric",
    "CriticalPoint",
    "LinearAttention",
    "PromptRisk",
    "SaddleWarning",
    "SoftmaxAttention",
    "StreamedPCA",
    "Trained",
    "UncentredWarning",
    "alignment",
    "bbp_overlap",
    "critical_point",
    "gaussian_prompts",
    "initial_mu",
    "oja",
    "power_layers",
    "prompt_pca",
    "second_moment",
    "spiked_covariance",
    "spiked_wishart",
    "square_root",
    "stream_pca",
    "train_head",
    "whitened",
]


def __getattr__(name: str) -> Any:
    # scikit-learn is imported where its transformer is asked for.
    if name == "AttentionPCA":
        from .estimator import AttentionPCA

        return AttentionPCA
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
