"""Posteriors of posteriordb from files: target and reference draws."""

import inspect
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
        model: its name in posteriordb.
    """

    target: Target
    names: tuple[str, ...]
    draws: Float[np.ndarray, "draws p"]
    model: str = ""

    @property
    def mean(self) -> Float[np.ndarray, " p"]:
        """Means of the reference draws."""
        return self.draws.mean(0)

    @property
    def std(self) -> Float[np.ndarray, " p"]:
        """Standard deviations of the reference draws."""
        return self.draws.std(0)


def load_posterior(path: str | Path) -> Posterior:
    """A posterior of posteriordb with its reference draws, from its own files or one.

    Of posteriordb itself, ``posteriors/<name>.json``, beside which lie the folders
    ``data/data`` and ``reference_posteriors/draws/draws``, of .json or .json.zip files.
    Or ``<data>__<model>.npz``: ``draws (chains, n, p)``, their ``names (p,)`` and the
    data of the model as ``data_<name>``. Arrays are of the precision that is set.
    Models are eight_schools_noncentered, kilpisjarvi, arK, kidscore_momiq,
    logearn_height, gp_regr, low_dim_gauss_mix and blr.

    Args:
        path: of the file.

    Raises:
        ValueError: the file cannot be read, is of an unknown model, or lacks a part;
            the sentence begins with its path.
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
    own = path.suffix.lower() == ".json"
    arrays = {} if own else _load(path)
    found = _json(path) if own else {"model_name": path.stem.rpartition("__")[2]}
    name = _entry(path, found, "model_name") if own else found["model_name"]
    if name not in MODELS:
        raise ValueError(
            f"{path}: expected a posterior of posteriordb or a file "
            f"<data>__<model>.npz whose model is one of {', '.join(MODELS)}, found "
            f"{name!r}."
        )
    model, read = MODELS[name]
    if own:
        arrays = _of_posteriordb(path, found)
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
    if own and sorted(wanted) == sorted(names):
        draws, names = draws[..., [names.index(one) for one in wanted]], tuple(wanted)
    if list(names) != wanted:
        raise ValueError(
            f"{path}: names: expected {', '.join(wanted)}, found {', '.join(names)}."
        )
    return Posterior(target, names, draws.reshape(-1, len(names)), name)


def _of_posteriordb(path: Path, found: dict[str, Any]) -> dict[str, np.ndarray]:
    """What an .npz has, of the three files of posteriordb."""
    folder = path.parent.parent
    data = _entry(path, found, "data_name")
    reference = _entry(path, found, "reference_posterior_name")
    drawn = folder / "reference_posteriors" / "draws" / "draws" / f"{reference}.json"
    chains = _json(drawn)
    if not isinstance(chains, list) or not chains:
        raise ValueError(f"{drawn}: expected a list of chains, found {chains!r:.60}.")
    names = list(chains[0])
    if any(list(chain) != names for chain in chains):
        raise ValueError(f"{drawn}: expected chains of the same parameters.")
    draws = [[np.asarray(chain[name]) for name in names] for chain in chains]
    if len({one.shape for chain in draws for one in chain}) != 1:
        raise ValueError(f"{drawn}: expected as many draws of every parameter.")
    values = _json(folder / "data" / "data" / f"{data}.json")
    return {
        "names": np.asarray(names),
        "draws": np.moveaxis(np.asarray(draws), 1, -1),
        **{f"data_{name}": np.asarray(value) for name, value in values.items()},
    }


def _json(path: Path) -> Any:
    """What is in a .json file, or in the .json.zip in its place."""
    zipped = path.with_name(f"{path.name}.zip")
    try:
        if path.exists() or not zipped.exists():
            return json.loads(path.read_text(encoding="utf-8"))
        with zipfile.ZipFile(zipped) as archive:
            return json.loads(archive.read(path.name))
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file, nor {zipped.name}.") from None
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        raise ValueError(f"{path}: is not readable as JSON.") from None


def _entry(path: Path, found: Any, key: str) -> str:
    if not isinstance(found, dict) or not isinstance(found.get(key), str):
        raise ValueError(f"{path}: expected a posterior with a {key}.")
    return found[key]


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
