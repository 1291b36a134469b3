"""Posteriors with reference draws, in coordinates in which Laplace's are normal."""

from dataclasses import replace
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
from pydantic import Field

from wflow.measures import Gaussian
from wflow.sampling import NUTS, GaussianInverseProblem, Target, laplace, sample
from wflow.sampling.elliptic import EllipticModel
from wflow.sampling.posteriors import Posterior, load_posterior
from wflow.studies import Count, Positive, Seed, Strict


class ReferenceFile(Strict):
    """A posterior of posteriordb; see ``wflow.sampling.load_posterior``.

    Attributes:
        path: of its .json in a copy of posteriordb, or of a ``<data>__<model>.npz``;
            ``--data`` gives it.
        model: which posterior of posteriordb the config is for.
    """

    path: str | None = None
    model: str

    def load(self) -> Posterior:
        """As it is in the file.

        Raises:
            ValueError: the file is not given, holds none, or is of another model.
        """
        model = self.model
        if self.path is None:
            raise ValueError(
                f"data.path: expected the file <data>__{model}.npz, or the posterior's "
                ".json in a copy of posteriordb; give it with --data."
            )
        try:
            found = load_posterior(self.path)
        except (ValueError, ModuleNotFoundError) as error:
            raise ValueError(f"data: {error}") from error
        if found.model != model:
            raise ValueError(f"data: expected model {model}, found {found.model}.")
        return found

    def posterior(self) -> Posterior:
        """With the Laplace approximation from the origin as the unit of length."""
        found = self.load()
        law = laplace(found.target, jnp.zeros(len(found.names)))
        return replace(found, target=found.target.whitened(law))


class Plate(Strict):
    """Log-conductivity of a plate from noisy heights of a membrane over it.

    Data are made from a conductivity drawn from the prior, and reference draws by a
    long run of NUTS.

    Attributes:
        cells: unknowns a side.
        mesh: elements a side.
        points: observations a side.
        source: on the right-hand side of the equation.
        noise_std: of the observations.
        prior_std: of the log-conductivity.
        data_seed: of the truth and the noise.
        draws: for the reference, by four chains.
    """

    cells: Count = 4
    mesh: Annotated[int, Field(ge=2)] = 16
    points: Count = 5
    source: float = 10.0
    noise_std: Positive = 0.05
    prior_std: Positive = 2.0
    data_seed: Seed = 0
    draws: Annotated[int, Field(ge=100)] = 4000

    def posterior(self) -> Posterior:
        """Its log-density is a ``GaussianInverseProblem``, as some methods need."""
        inner = np.arange(1, self.points + 1) / (self.points + 1)
        points = np.stack(np.meshgrid(inner, inner, indexing="ij"), -1).reshape(-1, 2)
        plate = EllipticModel(self.cells, self.mesh, points, self.source)
        d, std = plate.dim, self.prior_std
        truth_key, noise_key, key = jax.random.split(jax.random.key(self.data_seed), 3)
        exact = plate(std * jax.random.normal(truth_key, (d,)))
        data = exact + self.noise_std * jax.random.normal(noise_key, exact.shape)
        prior = Gaussian(jnp.zeros(d), std**2 * jnp.eye(d))
        problem = GaussianInverseProblem(plate, data, self.noise_std, prior)
        law = laplace(problem, jnp.zeros(d))
        root = jnp.linalg.cholesky(law.cov)
        read = lambda z: {"a": law.mean + root @ z}
        target = Target(problem.whitened(law), read, ("a",))
        starts = jnp.zeros((self.draws, d))
        method = NUTS(warmup=500, thin=4)
        long = sample(target, starts, method=method, key=key, saves=1)
        values = np.asarray(jax.vmap(target.scalars)(long.particles))
        return Posterior(target, tuple(target.labels(starts[0])), values)
