"""A regression's file."""

import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class Design(NamedTuple):
    """Inputs and response as they are in the file.

    Attributes:
        X: inputs, ``(n, p)``.
        y: response, ``(n,)``.
        names: of the inputs.
    """

    X: Float[np.ndarray, "n p"]
    y: Float[np.ndarray, " n"]
    names: tuple[str, ...]

    @property
    def standardized(self) -> tuple[np.ndarray, np.ndarray]:
        """Columns of mean 0 and variance 1, and the response of mean 0."""
        return (self.X - self.X.mean(0)) / self.X.std(0), self.y - self.y.mean()


def load_design(path: str | None) -> Design:
    """The design of a .npz with ``X`` or ``X_raw`` (n, p), ``y`` and perhaps ``names``.

    Raises:
        ValueError: the file is not there or no .npz, lacks a key, or holds other
            shapes or numbers that are not finite.
    """
    if path is None:
        raise ValueError("data: give a .npz with X and y by --data FILE.")
    start = f"data: {path}:"
    if not Path(path).is_file():
        raise ValueError(f"{start} there is no such file.")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
    except (ValueError, TypeError, zipfile.BadZipFile, EOFError):
        raise ValueError(f"{start} expected a .npz of numbers.") from None
    key = next((key for key in ("X", "X_raw") if key in arrays), None)
    if key is None or "y" not in arrays:
        raise ValueError(
            f"{start} expected the keys X (or X_raw) and y, found {', '.join(arrays)}."
        )
    X, y = arrays[key], arrays["y"]
    if X.ndim != 2 or y.shape != X.shape[:1] or len(y) < 4:
        raise ValueError(
            f"{start} expected {key} of shape (n, p) and y of shape (n,) with n > 3, "
            f"found {X.shape} and {y.shape}."
        )
    if X.dtype.kind not in "iufb" or y.dtype.kind not in "iufb":
        raise ValueError(f"{start} expected numbers in {key} and y.")
    X, y = X.astype(float), y.astype(float)
    if not (np.isfinite(X).all() and np.isfinite(y).all()):
        raise ValueError(f"{start} {key} or y is not finite.")
    constant = np.flatnonzero(X.std(0) == 0)
    if constant.size:
        raise ValueError(
            f"{start} column {constant[0]} of {key} is constant, so it has no unit "
            "variance; leave it out."
        )
    names = arrays.get("names", np.arange(1, X.shape[1] + 1))
    return Design(X, y, tuple(map(str, names)))
