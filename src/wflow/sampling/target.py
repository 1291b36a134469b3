"""What is sampled: a log-density on all of R^d, and how to read its points."""

from collections.abc import Callable
from typing import Any, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from wflow.checks import function, instance, random_key, real_field
from wflow.measures import Gaussian, UnsupportedMeasureError

from .coordinates import Coordinates
from .density import check_density
from .models import numpyro_model
from .observed import Observed


class Target(eqx.Module):
    r"""What is to be sampled: a log-density on all of R^d and the parameters behind it.

    $\log\pi$ on $\mathbb R^d$, up to a constant. ``Target.of`` makes one of a density
    with supports, ``Target.from_numpyro`` of a model.

    Args:
        log_density: of unconstrained coordinates ``(d,)``, the log-Jacobian of
            ``constrain`` included.
        constrain: coordinates ``(d,)`` to a dictionary of parameters; by default one
            parameter, ``x``, the coordinates themselves.
        names: of the parameters to read, in their order.
        unconstrain: a point as its user writes it to coordinates ``(d,)``.
        log_jacobian: what ``log_density`` owes to ``constrain``, of coordinates
            ``(d,)``: without it, the density with respect to the parameters themselves.
            None where there is none, or none is known.
        observed: the data behind the density and their likelihood, where it is known.

    Raises:
        ValueError: no names, or one twice.
        TypeError: what should be a function is none.
    """

    log_density: Callable[[Float[Array, " d"]], Float[Array, ""]]
    constrain: Callable[[Float[Array, " d"]], dict[str, Array]]
    names: tuple[str, ...] = eqx.field(static=True)
    unconstrain: Callable[[Any], Float[Array, " d"]]
    log_jacobian: Callable[[Float[Array, " d"]], Float[Array, ""]] | None
    observed: Observed | None

    def __init__(
        self,
        log_density: Callable[[Array], Array],
        constrain: Callable[[Array], dict[str, Array]] | None = None,
        names: tuple[str, ...] = ("x",),
        unconstrain: Callable[[Any], Array] | None = None,
        log_jacobian: Callable[[Array], Array] | None = None,
        observed: Observed | None = None,
    ):
        self.log_density = log_density
        self.constrain = _alone if constrain is None else constrain
        self.names = (names,) if isinstance(names, str) else tuple(names)
        self.unconstrain = _written if unconstrain is None else unconstrain
        self.log_jacobian = log_jacobian
        self.observed = observed

    def __check_init__(self) -> None:
        function(self, "log_density", self.log_density, "one point")
        function(self, "constrain", self.constrain, "coordinates (d,)")
        function(self, "unconstrain", self.unconstrain, "a point")
        if self.log_jacobian is not None:
            function(self, "log_jacobian", self.log_jacobian, "coordinates (d,)")
        if self.observed is not None:
            instance(self, "observed", self.observed, Observed, "of Target.of")
        for name in self.names:
            instance(self, "names", name, str, "texts")
        if not self.names or len(set(self.names)) < len(self.names):
            raise ValueError(
                f"Target: expected names, each once, found {list(self.names)}."
            )

    def __call__(self, x: Float[Array, " d"]) -> Float[Array, ""]:
        return self.log_density(x)

    def parameter_density(self, x: Float[Array, " d"]) -> Float[Array, ""]:
        """The log-density with respect to the parameters, at the coordinates ``x``.

        That of coordinates, the log-Jacobian left out. Maxima of the two differ.
        """
        found = self.log_density(x)
        return found if self.log_jacobian is None else found - self.log_jacobian(x)

    def scalars(self, x: Float[Array, " d"]) -> Float[Array, " p"]:
        """All parameters at ``x``, one number after the other."""
        found = self.constrain(x)
        return jnp.concatenate([jnp.ravel(found[name]) for name in self.names])

    def labels(self, x: Float[Array, " d"]) -> list[str]:
        """Names of ``scalars``: ``theta[1]``, ``theta[2]``, ``mu``."""
        found = jax.eval_shape(self.constrain, x)
        return [
            f"{name}[{','.join(str(i + 1) for i in index)}]" if index else name
            for name in self.names
            for index in np.ndindex(*found[name].shape)
        ]

    def reading(self, *names: str) -> Self:
        """The same target, of which ``names`` are read, in this order."""
        return type(self)(
            self.log_density,
            self.constrain,
            names,
            self.unconstrain,
            self.log_jacobian,
            self.observed,
        )

    def whitened(self, law: Gaussian) -> Self:
        r"""The same target in coordinates z with $x = m + L z$, $L L^\top = S$.

        ``law`` is $N(m, S)$; where it is near the target, z is nearly standard normal.
        The normalizer is the same: $\log|\det L|$ is added.
        """
        if not isinstance(law, Gaussian):
            raise UnsupportedMeasureError(self, law, "Gaussian")
        affine = _Affine(law.mean, jnp.linalg.cholesky(law.cov))
        return type(self)(
            _Pulled(self.log_density, affine),
            _Read(self.constrain, affine),
            self.names,
            _Written(self.unconstrain, affine),
            None if self.log_jacobian is None else _Pulled(self.log_jacobian, affine),
            self.observed,
        )

    @classmethod
    def of(
        cls,
        log_density: Callable[[Any], Array],
        example: PyTree,
        supports: PyTree | None = None,
        *,
        log_likelihood: Callable[[Any], PyTree] | None = None,
        data: PyTree = None,
        predict: Callable[[Any, PRNGKeyArray], PyTree] | None = None,
    ) -> Self:
        """The target of a density of an array, or of any pytree of arrays.

        Args:
            log_density: of one point, with respect to its own (constrained) values.
            example: a point: ``(d,)`` or a pytree; its values matter only in that they
                lie in the supports.
            supports: one name for all, or a pytree of names like ``example`` (of a
                dictionary, only those that are not real): real, positive,
                unit_interval, simplex, ordered, or the ends of an interval,
                ``(0, 2)``, of which one may be infinite.
            log_likelihood: of one point, that of every datum, an array or a dictionary
                of arrays by name: what leaving one out needs (``Samples.to_arviz``).
            data: the data, in the same form.
            predict: data drawn at one point with a key, in the same form.

        Raises:
            ValueError: an unknown support, a point outside the interior of its
                support, an example without numbers or with nan, a density that is no
                real number.
            TypeError: a density that is no function or returns no number.
            ModuleNotFoundError: supports need the extra ``bayes``.
        """
        coordinates = Coordinates.of(example, supports)
        density = _Density(log_density, coordinates)
        x = jax.ShapeDtypeStruct((coordinates.dim,), jnp.result_type(float))
        point = jax.eval_shape(density.point, x)
        check_density("Target.of", "log_density", log_density, point)
        return cls(
            density,
            coordinates.parameters,
            coordinates.names,
            coordinates,
            coordinates.log_jacobian,
            Observed.of(coordinates.point, log_likelihood, data, predict),
        )

    @classmethod
    def from_numpyro(
        cls, model: Callable[..., Any], *args: Any, key: PRNGKeyArray, **kwargs: Any
    ) -> Self:
        """The posterior of a NumPyro model, by its own potential energy.

        Latent and deterministic sites are its parameters. ``unconstrain`` takes a
        dictionary of the latent ones. Its data, their likelihood and the names of its
        plates are known to ``Samples.to_arviz``.

        Args:
            model: the model.
            args: its arguments, the data.
            key: for the values that its sites are first tried at.
            kwargs: its keyword arguments.

        Raises:
            ValueError: the model has no latent site, or one that is discrete.
            TypeError: the model is no function, or the key none.
            ModuleNotFoundError: the extra ``bayes`` is missing.
        """
        function("Target.from_numpyro", "model", model, "its arguments")
        key = random_key("Target.from_numpyro", "key", key)
        return cls(*numpyro_model(model, args, kwargs, key))


def _alone(x: Array) -> dict[str, Array]:
    return {"x": x}


# One for all targets: equal targets share their compiled programs.
_written = real_field("x")


class _Density(eqx.Module):
    log_density: Callable[[Any], Array]
    coordinates: Coordinates

    def __call__(self, x: Array) -> Array:
        leaves, log_det = self.coordinates.leaves(x)
        point = self.coordinates.structure.unflatten(leaves)
        return jnp.asarray(self.log_density(point)).astype(x.dtype) + log_det

    def point(self, x: Array) -> PyTree:
        """What the log-density is asked at."""
        return self.coordinates.structure.unflatten(self.coordinates.leaves(x)[0])


class _Affine(eqx.Module):
    mean: Float[Array, " d"]
    root: Float[Array, "d d"]

    def __call__(self, z: Array) -> Array:
        return self.mean.astype(z.dtype) + self.root.astype(z.dtype) @ z


class _Pulled(eqx.Module):
    log_density: Callable[[Array], Array]
    affine: _Affine

    def __call__(self, z: Array) -> Array:
        log_det = jnp.sum(jnp.log(jnp.diagonal(self.affine.root)))
        return (self.log_density(self.affine(z)) + log_det).astype(z.dtype)


class _Read(eqx.Module):
    constrain: Callable[[Array], dict[str, Array]]
    affine: _Affine

    def __call__(self, z: Array) -> dict[str, Array]:
        return self.constrain(self.affine(z))


class _Written(eqx.Module):
    unconstrain: Callable[[Any], Array]
    affine: _Affine

    def __call__(self, point: Any) -> Array:
        x = self.unconstrain(point) - self.affine.mean
        return jax.scipy.linalg.solve_triangular(self.affine.root, x, lower=True)
