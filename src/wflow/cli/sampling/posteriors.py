"""Posteriors of posteriordb from files: target and reference draws."""

import inspect
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from wflow.studies._params import closest

from .posterior_schema import EllipticProblem


if TYPE_CHECKING:
    from jax import Array

    from wflow.sampling.target import Target


class PosteriorFileError(ValueError):
    """A file holds no posterior as expected; the message begins with its path."""

    def __init__(self, path: str | Path, problem: str):
        super().__init__(f"{path}: {problem}")


@dataclass(frozen=True, eq=False)
class Posterior:
    """A target and draws from it that are trusted.

    Attributes:
        target: its ``scalars`` are the numbers of ``names``.
        names: such as ``theta[1]``.
        draws: of all chains, one after the other.
    """

    target: "Target"
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
    model as ``data_<name>``. Arrays are of the precision that is set.

    Raises:
        PosteriorFileError: the file is no .npz, of an unknown model, or lacks a part.
        ModuleNotFoundError: the extra ``bayes`` is missing.
    """
    import jax
    import jax.numpy as jnp

    from wflow.sampling.extras import bayes
    from wflow.sampling.target import Target

    bayes("numpyro", "A posterior")
    from .posterior_models import MODELS

    path = Path(path)
    arrays = _load(path)
    name = path.stem.rpartition("__")[2]
    if name not in MODELS:
        nearest = closest(name, MODELS)
        hint = f" Did you mean {nearest}?" if nearest else ""
        raise PosteriorFileError(
            path,
            "expected a file <data>__<model>.npz whose model is one of "
            f"{', '.join(MODELS)}, found {name!r}.{hint}",
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
        raise PosteriorFileError(
            path,
            f"draws: expected finite numbers (chains, n, {len(names)}), one for each "
            f"name, found {draws.dtype} {draws.shape}.",
        )
    # None of these models has more or fewer coordinates than numbers.
    wanted = target.labels(jnp.zeros(len(names)))
    if list(names) != wanted:
        raise PosteriorFileError(
            path, f"names: expected {', '.join(wanted)}, found {', '.join(names)}."
        )
    return Posterior(target, names, draws.reshape(-1, len(names)))


def elliptic_posterior(problem: EllipticProblem) -> Posterior:
    """The posterior of a plate's log-conductivity, with draws by a long run of NUTS.

    Its log-density is a ``GaussianInverseProblem`` in coordinates in which the Laplace
    approximation is standard normal.
    """
    import jax
    import jax.numpy as jnp

    from wflow.measures import Gaussian
    from wflow.sampling import (
        NUTS,
        GaussianInverseProblem,
        Target,
        laplace,
        sample,
    )
    from wflow.sampling.elliptic import EllipticModel

    inner = np.arange(1, problem.points + 1) / (problem.points + 1)
    points = np.stack(np.meshgrid(inner, inner, indexing="ij"), -1).reshape(-1, 2)
    plate = EllipticModel(problem.cells, problem.mesh, points, problem.source)
    d, std = plate.dim, problem.prior_std
    truth_key, noise_key, key = jax.random.split(jax.random.key(problem.data_seed), 3)
    exact = plate(std * jax.random.normal(truth_key, (d,)))
    data = exact + problem.noise_std * jax.random.normal(noise_key, exact.shape)
    prior = Gaussian(jnp.zeros(d), std**2 * jnp.eye(d))
    law = laplace(
        GaussianInverseProblem(plate, data, problem.noise_std, prior), jnp.zeros(d)
    )
    root = jnp.linalg.cholesky(law.cov)
    inverse = jnp.linalg.inv(root)
    read = lambda z: law.mean + root @ z
    # The same problem in the coordinates z: forward model and prior move along.
    moved = Gaussian(inverse @ (prior.mean - law.mean), std**2 * (inverse @ inverse.T))
    density = GaussianInverseProblem(
        lambda z: plate(read(z)), data, problem.noise_std, moved
    )
    target = Target(density, lambda z: {"a": read(z)}, ("a",))
    starts = jnp.zeros((problem.draws, d))
    method = NUTS(warmup=500, thin=4)
    long = sample(target, starts, method=method, key=key, saves=1)
    values = np.asarray(jax.vmap(target.scalars)(long.particles))
    return Posterior(target, tuple(target.labels(starts[0])), values)


def _load(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path) as file:
            return dict(file)
    except FileNotFoundError:
        raise PosteriorFileError(path, "no such file.") from None
    except (OSError, ValueError, AttributeError, zipfile.BadZipFile):
        raise PosteriorFileError(path, "is not a readable .npz file.") from None


def _array(path: Path, arrays: dict[str, np.ndarray], key: str) -> np.ndarray:
    if key not in arrays:
        raise PosteriorFileError(
            path, f"expected an array {key}, found {', '.join(arrays) or 'none'}."
        )
    return arrays[key]


def _data(path: Path, arrays: dict[str, np.ndarray], key: str) -> "Array | int":
    """Data in the precision that is set; a count stays a number of Python."""
    import jax.numpy as jnp

    found = _array(path, arrays, key)
    if found.dtype.kind not in "iuf" or not np.isfinite(found).all():
        raise PosteriorFileError(path, f"{key}: expected finite numbers.")
    if found.ndim == 0 and found.dtype.kind in "iu":
        return int(found)
    return jnp.asarray(found, float)
