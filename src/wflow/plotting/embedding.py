"""Points and velocities of a high-dimensional space in a picture of it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import ArrayLike, Float

from wflow.checks import count, finite

from . import given


# Of the weights of neighbors: how sharply those ahead are preferred.
_SHARP = 0.1


@dataclass(frozen=True, eq=False)
class Embedding:
    r"""Places of cells in a plane, such as a UMAP or a slide, and all else by them.

    ```python
    umap = Embedding(x, places)
    plot_snapshots(times, [umap.embed(cloud) for cloud in forecast])
    plot_streams(places, umap.embed_velocities(x, v))
    ```

    Attributes:
        cells: points of the space, ``(n, d)``, finite.
        places: theirs in the plane, ``(n, 2)``, finite.
        neighbors: how many nearest cells say where something is.

    Raises:
        TypeError: arrays of something else than real numbers; neighbors not whole.
        ValueError: places that are not as many as cells; what is not finite; fewer
            cells than neighbors and one.
    """

    cells: Float[ArrayLike, "n d"]
    places: Float[ArrayLike, "n 2"]
    neighbors: int = 15

    def __post_init__(self) -> None:
        cells = given.real("Embedding", "cells", self.cells, ("n", "d"))
        places = given.real("Embedding", "places", self.places, (len(cells), 2))
        finite("Embedding", "cells", cells)
        finite("Embedding", "places", places)
        count("Embedding", "neighbors", self.neighbors)
        if len(cells) <= self.neighbors:
            raise ValueError(
                f"Embedding: expected more cells than the {self.neighbors} neighbors, "
                f"found {len(cells)}."
            )
        object.__setattr__(self, "cells", cells)
        object.__setattr__(self, "places", places)

    def embed(self, points: Float[ArrayLike, "m d"]) -> Float[np.ndarray, "m 2"]:
        r"""Where points are in the plane: among the places of their nearest cells.

        $\sum_j w_j e_j / \sum_j w_j$ with $w_j = e^{-r_j^2 / 2 h^2}$, where h is the
        distance of the middle one of the nearest cells. Points that are not finite have
        no place.

        Args:
            points: ``(m, d)``.

        Raises:
            TypeError: the points are no real numbers.
            ValueError: they have another dimension.
        """
        points = self._given("points", points)
        distances, nearest = self._nearest(points, self.neighbors)
        width = np.median(distances, axis=1, keepdims=True)
        ratio = distances / np.where(width > 0, width, 1.0)
        weights = np.exp(-0.5 * (ratio**2 - ratio[:, :1] ** 2))
        weights /= weights.sum(axis=1, keepdims=True)
        found = np.einsum("mk,mkj->mj", weights, self._places[nearest])
        return np.where(np.isfinite(points).all(axis=1)[:, None], found, np.nan)

    def embed_velocities(
        self, points: Float[ArrayLike, "m d"], velocities: Float[ArrayLike, "m d"]
    ) -> Float[np.ndarray, "m 2"]:
        r"""Velocities in the plane: the mean direction to the cells that lie ahead.

        $\sum_j (p_j - 1/k)\,(e_j - e)/|e_j - e|$ over the k nearest cells, with $p_j$
        in proportion to $e^{\cos(v, x_j - x)/\sigma}$, times the length of v in units
        of the plane: its cells are as far apart there as they are in the space.

        Args:
            points: where the velocities are, ``(m, d)``.
            velocities: ``(m, d)``; what is not finite has none.

        Raises:
            TypeError: arrays of something else than real numbers.
            ValueError: arrays of another dimension, or not as many velocities.

        Reference: La Manno et al., Nature 560 (2018), supplementary note 1; Bergen et
        al., Nature Biotechnology 38 (2020).
        """
        points = self._given("points", points)
        velocities = given.real(
            "Embedding", "velocities", velocities, (len(points), points.shape[1])
        )
        own = self.embed(points)
        # One more than neighbors: the nearest may be the point itself.
        distances, nearest = self._nearest(points, self.neighbors + 1)
        known = np.isfinite(points).all(axis=1) & np.isfinite(velocities).all(axis=1)
        steps = self._cells[nearest] - points[:, None]
        speed = np.linalg.norm(velocities, axis=1)
        cosines = np.einsum("mkd,md->mk", steps, velocities)
        cosines /= np.maximum(distances * speed[:, None], 1e-300)
        ahead = np.exp((cosines - cosines.max(axis=1, keepdims=True)) / _SHARP)
        ahead /= ahead.sum(axis=1, keepdims=True)
        shown = self._places[nearest] - own[:, None]
        lengths = np.linalg.norm(shown, axis=2)
        units = shown / np.maximum(lengths, 1e-300)[..., None]
        share = ahead - 1 / ahead.shape[1]
        found = np.einsum("mk,mkj->mj", share, units)
        scale = np.median(lengths, axis=1) / np.maximum(
            np.median(distances, axis=1), 1e-300
        )
        found *= (speed * scale)[:, None]
        return np.where(known[:, None], found, np.nan)

    @property
    def _cells(self) -> np.ndarray:
        return np.asarray(self.cells)

    @property
    def _places(self) -> np.ndarray:
        return np.asarray(self.places)

    def _given(self, name: str, points: Float[ArrayLike, "m d"]) -> np.ndarray:
        return given.real("Embedding", name, points, ("m", self._cells.shape[1]))

    def _nearest(
        self, points: np.ndarray, number: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Distances to the nearest cells, and which these are."""
        from scipy.spatial import KDTree

        known = np.nan_to_num(points, posinf=0.0, neginf=0.0)
        distances, nearest = KDTree(self._cells).query(known, number)
        shape = len(points), number
        return distances.reshape(shape), nearest.reshape(shape)
