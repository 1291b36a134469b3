"""Clouds whose points stay in a file until somebody asks for them."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int


# Of the points that are drawn of a cloud: the share that one block may give.
_SHARE = 1 / 8


class Source(NamedTuple):
    """Rows of numbers in a file, which is read by contiguous blocks alone.

    Attributes:
        name: of the file and what it is as it lies there, for fingerprints.
        shape: rows and coordinates, ``(N, d)``.
        dtype: of the numbers.
        block: rows that are read at once.
        read: the rows from a first to before a last.
    """

    name: str
    shape: tuple[int, int]
    dtype: np.dtype
    block: int
    read: Callable[[int, int], np.ndarray]

    def take(self, rows: Int[np.ndarray, " m"]) -> Float[np.ndarray, "m d"]:
        """These rows, by a pass over the blocks that hold them."""
        found = np.empty((len(rows), self.shape[1]), self.dtype)
        block = rows // self.block
        for b in np.unique(block):
            here = block == b
            wanted = rows[here]
            first = int(wanted.min())
            found[here] = self.read(first, int(wanted.max()) + 1)[wanted - first]
        return found


class StoredCloud:
    """The points of a snapshot in a file: an array ``(n, d)`` once it is asked for.

    Parts of it, ``cloud[rows]``, read no more than their blocks.
    """

    ndim = 2

    def __init__(self, source: Source, rows: Int[np.ndarray, " n"]):
        """Rows of a source, in increasing order."""
        self.source, self.rows = source, rows

    @property
    def shape(self) -> tuple[int, int]:
        """Points and coordinates."""
        return len(self.rows), self.source.shape[1]

    @property
    def dtype(self) -> np.dtype:
        """Of the numbers."""
        return self.source.dtype

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> np.ndarray:
        rows = self.rows[index]
        found = self.source.take(np.atleast_1d(rows))
        return found if np.ndim(rows) else found[0]

    def __getattr__(self, name: str) -> Any:
        # Whatever else is asked of an array is asked of all of it.
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self[:], name)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        del copy
        return self[:].astype(self.dtype if dtype is None else dtype, copy=False)


def in_file(clouds: Sequence[Any]) -> bool:
    """Whether these are clouds that stay in a file."""
    return all(isinstance(cloud, StoredCloud) for cloud in clouds)


def drawn_rows(
    clouds: Sequence[StoredCloud], size: int, rng: np.random.Generator
) -> list[Int[np.ndarray, " m"]]:
    """For each cloud ``size`` of its points, or all of them, from shuffled blocks.

    Clouds share the blocks, and no block gives more than an eighth of what is drawn of
    a cloud while others are left.
    """
    block = clouds[0].source.block
    order = rng.permutation(-(-clouds[0].source.shape[0] // block))
    most = max(1, round(_SHARE * size))
    found: list[np.ndarray] = []
    for cloud in clouds:
        edges = np.searchsorted(cloud.rows, np.stack([order, order + 1]) * block)
        taken, left, missing = [], [], min(size, len(cloud))
        for first, last in edges.T:
            if missing == 0:
                break
            if first == last:
                continue
            here = first + rng.permutation(last - first)
            taken.append(here[: min(most, missing)])
            left.append(here[len(taken[-1]) :])
            missing -= len(taken[-1])
        rest = np.concatenate([*left, np.zeros(0, np.int64)])
        taken.append(rest[:missing])
        found.append(np.sort(np.concatenate(taken)))
    return found


def taken_together(
    clouds: Sequence[StoredCloud], rows: Sequence[Int[np.ndarray, " m"]]
) -> list[Float[np.ndarray, "m d"]]:
    """These points of each cloud, every block of their file being read once."""
    places = [cloud.rows[row] for cloud, row in zip(clouds, rows, strict=True)]
    together = clouds[0].source.take(np.concatenate(places))
    return np.split(together, np.cumsum([len(row) for row in rows])[:-1])
