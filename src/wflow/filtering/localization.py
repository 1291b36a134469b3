"""Which observations a component of the state feels, and how strongly."""

from typing import Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from wflow import checks
from wflow.checks import to_real


# Half-support of the taper in units of the radius, as in DAPPER: the taper at one
# radius is about e^{-1/2}, that of a Gaussian of this standard deviation.
_HALF_SUPPORT = 1.82


def gaspari_cohn(a: Float[ArrayLike, "*shape"]) -> Float[Array, "*shape"]:
    r"""A taper that is 1 at 0 and exactly 0 from 2 on, a piecewise quintic.

    $1 - \frac53 a^2 + \frac58 a^3 + \frac12 a^4 - \frac14 a^5$ up to $a = 1$, then
    $4 - 5a + \frac53 a^2 + \frac58 a^3 - \frac12 a^4 + \frac1{12} a^5 - \frac2{3a}$.

    Args:
        a: distances in units of the half-support, $\ge 0$.

    Returns:
        Weights in [0, 1], shaped like ``a``; nan where a is.

    Raises:
        ValueError: a distance that is known is negative or nan.

    Reference: Gaspari, Cohn, QJRMS 125 (1999), equation (4.10).
    """
    a = to_real(a, "a")
    checks.non_negative("gaspari_cohn", "a", a, infinite=True)
    near, far = jnp.minimum(a, 1), jnp.clip(a, 1, 2)
    inner = 1 + near**2 * (-5 / 3 + near * (5 / 8 + near * (1 / 2 - near / 4)))
    outer = (
        4
        + far * (-5 + far * (5 / 3 + far * (5 / 8 + far * (-1 / 2 + far / 12))))
        - 2 / (3 * far)
    )
    # Rounding must not make an observation at the end of the support felt.
    return jnp.where(a <= 1, inner, jnp.where(a >= 2, 0, jnp.maximum(outer, 0)))


class Domain(eqx.Module):
    r"""Which observations count for which component of the state, and how much.

    Observation o acts on component s with weight $w = \varphi(d_{so} / c)$, Gaspari and
    Cohn's $\varphi$ of half-support $c = 1.82\,$``radius`` (weight about $e^{-1/2}$ at
    one radius, exactly zero from 3.64 radii on). Lists are padded to the longest with
    weight zero. ``radius=inf`` is no localization.

    Around a component lies its *patch*: the components within ``patch_radius``, which a
    method may use to move it; only its own new value is kept.

    Attributes:
        observations: indices into the observation, nearest first, ``(d, L)``.
        weights: tapers in [0, 1], 0 for padding, ``(d, L)``.
        patch: indices of state components, the component itself first, ``(d, S)``.
        in_patch: False for padding, ``(d, S)``.
        sites: number of observations that it is made for.

    Raises:
        ValueError: a radius that is not positive, negative or non-finite distances, or
            a patch without distances between state components.
        TypeError: one of them is no number.

    Reference: Hunt, Kostelich, Szunyogh, Physica D 230 (2007), section 2.3; the
    convention for the radius is that of DAPPER.
    """

    observations: Int[Array, "d L"]
    weights: Float[Array, "d L"]
    patch: Int[Array, "d S"]
    in_patch: Bool[Array, "d S"]
    sites: int = eqx.field(static=True)

    def __init__(
        self,
        radius: float,
        distance: Float[ArrayLike, "d p"],
        state_distance: Float[ArrayLike, "d d"] | None = None,
        patch_radius: float = 0.0,
    ):
        """Lists from distances.

        Args:
            radius: localization radius, a length; ``inf`` for none.
            distance: between state components and observations, ``(d, p)``.
            state_distance: between state components, ``(d, d)``; needed by patches.
            patch_radius: largest distance within a patch; 0 is the component alone.
        """
        distance = _distances(distance, "distance")
        checks.positive(self, "radius", radius, infinite=True)
        checks.shape(self, "radius", radius, ())
        checks.non_negative(self, "patch_radius", patch_radius, infinite=True)
        checks.shape(self, "patch_radius", patch_radius, ())
        self.sites = distance.shape[1]
        scaled = distance / (_HALF_SUPPORT * radius)
        felt = scaled < 2
        order = np.argsort(distance, axis=1, kind="stable")
        order = order[:, : max(1, felt.sum(axis=1).max(initial=0))]
        self.observations = jnp.asarray(order)
        self.weights = gaspari_cohn(np.take_along_axis(scaled, order, axis=1))

        size = distance.shape[0]
        if patch_radius == 0:
            self.patch = jnp.arange(size)[:, None]
            self.in_patch = jnp.ones((size, 1), bool)
            return
        if state_distance is None:
            raise ValueError("Domain: a patch_radius needs state_distance.")
        between = _distances(state_distance, "state_distance")
        checks.shape(self, "state_distance", between, (size, size))
        between[np.diag_indices(size)] = -1  # the component itself first
        order = np.argsort(between, axis=1, kind="stable")
        near = np.take_along_axis(between, order, axis=1) <= patch_radius
        width = near.sum(axis=1).max()
        self.patch = jnp.asarray(order[:, :width])
        self.in_patch = jnp.asarray(near[:, :width])

    @classmethod
    def ring(
        cls,
        radius: float,
        size: int,
        sites: Int[ArrayLike, " p"] | None = None,
        patch_radius: float = 0.0,
    ) -> Self:
        """A periodic row of ``size`` components at distance one.

        Args:
            radius: localization radius.
            size: number of components.
            sites: the component where each observation lies; None is one at each.
            patch_radius: of the patches.

        Raises:
            ValueError: size below 1, or sites that are not on the ring.
            TypeError: size is no whole number, sites no numbers.
        """
        checks.count("Domain.ring", "size", size)
        place = np.arange(size)
        if sites is None:
            sites = place
        else:
            to_real(sites, "sites")
            sites = np.asarray(sites)
            checks.shape("Domain.ring", "sites", sites, ("p",))
            checks.within("Domain.ring", "sites", sites, 0, size, closed="low")
        return cls(
            radius,
            _around(place, sites, size),
            _around(place, place, size),
            patch_radius,
        )

    @property
    def dim(self) -> int:
        """Number of state components."""
        return self.weights.shape[0]


def check_domain(owner: object, domain: Domain, dim: int, observed: int) -> None:
    """Refuse a domain made for another state or for other observations.

    Raises:
        ValueError: it is.
    """
    name = type(owner).__name__
    if domain.dim != dim:
        raise ValueError(
            f"{name}: expected a domain of {dim} components, as the state has, found "
            f"one of {domain.dim}."
        )
    if domain.sites != observed:
        raise ValueError(
            f"{name}: expected a domain of {observed} observations, as many as there "
            f"are, found one of {domain.sites}."
        )


def _distances(distance: ArrayLike, name: str) -> np.ndarray:
    to_real(distance, name)
    distance = np.array(distance, float)
    if distance.ndim != 2 or 0 in distance.shape:
        raise ValueError(
            f"Domain: expected {name} with two axes, found shape {distance.shape}."
        )
    checks.non_negative("Domain", name, distance)
    return distance


def _around(a: np.ndarray, b: np.ndarray, size: int) -> np.ndarray:
    apart = np.abs(a[:, None] - b[None, :]) % size
    return np.minimum(apart, size - apart)
