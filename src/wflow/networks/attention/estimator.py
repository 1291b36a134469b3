"""Attention heads as a transformer of scikit-learn, which is needed here alone."""

from typing import Any, Literal, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, PRNGKeyArray
from numpy.typing import ArrayLike, NDArray


try:
    from sklearn.base import (
        BaseEstimator,
        ClassNamePrefixFeaturesOutMixin,
        TransformerMixin,
    )
    from sklearn.utils import check_random_state
    from sklearn.utils.validation import check_is_fitted, validate_data
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "AttentionPCA needs the package scikit-learn, which comes with "
        "pip install 'wflow-jax[sklearn]'."
    ) from error

from wflow.checks import count, one_of, positive, shape

from .diagnostics import pencil
from .heads import LinearAttention, SoftmaxAttention, initial_mu
from .training import train_head


_HEADS = {"linear": LinearAttention, "softmax": SoftmaxAttention}


class AttentionPCA(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    r"""Principal components as what trained attention heads attend to.

    A sum of ``n_components`` rank-one heads is trained to reconstruct the tokens of
    prompts that are random subsets of the centered rows; the components span
    $\Sigma M$, rotated by the eigenvectors of the pencil $(M^\top\Sigma^2M,
    M^\top\Sigma M)$. No eigenvectors of Sigma are computed. Rows are scaled to
    unit second moment for the training, in float64.

    Args:
        n_components: k, the number of heads.
        kind: "linear" or "softmax" heads.
        prompt_length: rows of a prompt, drawn with replacement.
        batch_size: prompts of a step.
        max_iter: steps of Adam.
        learning_rate: of Adam, falling to 0 by a cosine.
        random_state: of prompts and start, as everywhere in scikit-learn.

    Attributes:
        components_: ``(k, d)``, orthonormal, the largest variance first, the largest
            entry of each above zero.
        explained_variance_: variances of the components from the heads, with n - 1 in
            the denominator as PCA has it.
        mean_: of the rows.
        heads_: M in the units of the rows, ``(d, k)``.
        risks_: of the batches, in units of the total variance.
        n_iter_: steps done.

    Reference: Maulen-Soto, Boyer, arXiv:2605.18315; heads as in ``LinearAttention``.
    """

    def __init__(
        self,
        n_components: int = 1,
        *,
        kind: Literal["linear", "softmax"] = "linear",
        prompt_length: int = 64,
        batch_size: int = 32,
        max_iter: int = 2000,
        learning_rate: float = 0.1,
        random_state: Any = None,
    ):
        self.n_components = n_components
        self.kind = kind
        self.prompt_length = prompt_length
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.learning_rate = learning_rate
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Train the heads on the rows of X.

        Raises:
            ValueError: fewer than two rows, more components than columns, an unknown
                kind, or a number out of range.
        """
        del y
        rows = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        self._check(rows.shape[1])
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        self.mean_ = rows.mean(axis=0)
        centered = rows - self.mean_
        scale = float(np.sqrt(np.mean(np.sum(centered**2, axis=1))))
        k, n, self.n_iter_ = self.n_components, len(rows), self.max_iter
        if scale == 0:
            # Rows that are all alike have no direction.
            self.components_ = np.eye(rows.shape[1])[:k]
            self.explained_variance_ = np.zeros(k)
            self.heads_ = np.zeros((rows.shape[1], k))
            self.risks_ = np.zeros(self.max_iter)
            return self
        with jax.enable_x64(True):
            mu, risks = self._trained(centered / scale, seed)
            covariance = jnp.asarray(centered.T @ centered / (n * scale**2))
            found = _components(mu, covariance)
            components, variances = (np.asarray(part) for part in found)
            self.heads_ = np.asarray(mu) / scale
            self.risks_ = np.asarray(risks)
        largest = np.argmax(np.abs(components), axis=1)
        signs = np.sign(components[np.arange(k), largest])
        self.components_ = components * signs[:, None]
        self.explained_variance_ = variances * scale**2 * n / (n - 1)
        return self

    def transform(self, X: ArrayLike) -> NDArray:
        """Coordinates of rows along the components, ``(n, k)``."""
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=np.float64, reset=False)
        return (rows - self.mean_) @ self.components_.T

    def inverse_transform(self, X: ArrayLike) -> NDArray:
        """Rows of given coordinates."""
        check_is_fitted(self)
        return np.asarray(X) @ self.components_ + self.mean_

    @property
    def _n_features_out(self) -> int:
        return len(self.components_)

    def _check(self, d: int) -> None:
        one_of(self, "kind", self.kind, _HEADS)
        for name in ("n_components", "prompt_length", "batch_size", "max_iter"):
            count(self, name, getattr(self, name))
        shape(self, "learning_rate", self.learning_rate, ())
        positive(self, "learning_rate", self.learning_rate)
        if not 1 <= self.n_components <= d:
            raise ValueError(
                f"AttentionPCA: expected n_components from 1 to {d}, the number of "
                f"columns, found {self.n_components}."
            )

    def _trained(self, rows: NDArray, seed: int) -> tuple[Array, Array]:
        return _train(
            jnp.asarray(rows),
            jax.random.key(seed),
            jnp.asarray(self.learning_rate),
            self.n_components,
            self.kind,
            (self.batch_size, self.prompt_length),
            self.max_iter,
        )


@eqx.filter_jit
def _train(
    rows: Float[Array, "n d"],
    key: PRNGKeyArray,
    rate: Float[Array, ""],
    k: int,
    kind: str,
    shape: tuple[int, int],
    steps: int,
) -> tuple[Float[Array, "d k"], Float[Array, " steps"]]:
    of_start, of_prompts = jax.random.split(key)
    start = initial_mu(of_start, rows.shape[1], k)
    trained = train_head(
        _HEADS[kind](start),
        lambda key: rows[jax.random.randint(key, shape, 0, len(rows))],
        of_prompts,
        steps=steps,
        optimizer=optax.adam(lambda i: rate * (1 + jnp.cos(jnp.pi * i / steps)) / 2),
    )
    return trained.head.mu, trained.risks


@jax.jit
def _components(
    mu: Float[Array, "d k"], covariance: Float[Array, "d d"]
) -> tuple[Float[Array, "k d"], Float[Array, " k"]]:
    variances, turn = pencil(mu, covariance)
    # Their images under Sigma are orthogonal at the optimum; elsewhere the leading ones
    # are kept, those after them made orthogonal to them.
    return jnp.linalg.qr(covariance @ mu @ turn)[0].T, variances
