"""Posteriors of posteriordb from files: target and reference draws."""

import inspect
import zipfile
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .extras import bayes
from .target import Target


@dataclass(frozen=True, eq=False)
class Posterior:
    """A target and draws from it that are trusted.

    Attributes:
        target: its ``scalars`` are the numbers of ``names``.
        names: such as ``theta[1]``.
        draws: of all chains, one after the other.
    """

    target: Target
    names: tuple[str, ...]
    draws: Float[np.ndarray, "draws p"]

    @property
    def mean(self) -> Float[np.ndarray, " p"]:
        """Means of the reference draws."""
        return self.draws.mean(0)

    @property
    def std(self) -> Float[np.ndarray, " p"]:
        """Standard deviations of the reference draws."""
        return self.draws.std(0)


def load_posterior(path: str | Path) -> Posterior:
    """The posterior of ``<data>__<model>.npz``, with the reference draws in it.

    The file has ``draws (chains, n, p)``, their ``names (p,)`` and the data of the
    model as ``data_<name>``. Arrays are of the precision that is set. Models are
    eight_schools_noncentered, kilpisjarvi, arK, kidscore_momiq, logearn_height,
    gp_regr, low_dim_gauss_mix and blr.

    Args:
        path: of the file.

    Raises:
        ValueError: the file is no .npz, of an unknown model, or lacks a part; the
            sentence begins with its path.
        TypeError: ``path`` is none.
        ModuleNotFoundError: the extra ``bayes`` is missing.

    Reference: Magnusson et al., posteriordb, arXiv:2407.04967 (2024).
    """
    if not isinstance(path, str | Path):
        raise TypeError(
            f"load_posterior: expected path to be a path, found {type(path).__name__}."
        )
    bayes("numpyro", "A posterior")
    # Its programs need numpyro, which is optional.
    from .posteriordb import MODELS

    path = Path(path)
    arrays = _load(path)
    name = path.stem.rpartition("__")[2]
    if name not in MODELS:
        raise ValueError(
            f"{path}: expected a file <data>__<model>.npz whose model is one of "
            f"{', '.join(MODELS)}, found {name!r}."
        )
    model, read = MODELS[name]
    data = {
        one: _data(path, arrays, f"data_{one}")
        for one in inspect.signature(model).parameters
    }
    target = Target.from_numpyro(model, key=jax.random.key(0), **data).reading(*read)
    names = tuple(map(str, _array(path, arrays, "names")))
    draws = _array(path, arrays, "draws")
    numeric = draws.dtype.kind in "iuf" and np.isfinite(draws).all()
    if draws.ndim != 3 or draws.shape[2:] != (len(names),) or not numeric:
        raise ValueError(
            f"{path}: draws: expected finite numbers (chains, n, {len(names)}), one "
            f"for each name, found {draws.dtype} {draws.shape}."
        )
    # None of these models has more or fewer coordinates than numbers.
    wanted = target.labels(jnp.zeros(len(names)))
    if list(names) != wanted:
        raise ValueError(
            f"{path}: names: expected {', '.join(wanted)}, found {', '.join(names)}."
        )
    return Posterior(target, names, draws.reshape(-1, len(names)))


def _load(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path) as file:
            return dict(file)
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file.") from None
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile):
        raise ValueError(f"{path}: is not a readable .npz file.") from None


def _array(path: Path, arrays: dict[str, np.ndarray], key: str) -> np.ndarray:
    if key not in arrays:
        found = ", ".join(arrays) or "none"
        raise ValueError(f"{path}: expected an array {key}, found {found}.")
    return arrays[key]


def _data(path: Path, arrays: dict[str, np.ndarray], key: str) -> Array | int:
    """Data in the precision that is set; a count stays a number of Python."""
    found = _array(path, arrays, key)
    if found.dtype.kind not in "iuf" or not np.isfinite(found).all():
        raise ValueError(f"{path}: {key}: expected finite numbers.")
    if found.ndim == 0 and found.dtype.kind in "iu":
        return int(found)
    return jnp.asarray(found, float)
