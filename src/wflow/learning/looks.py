"""A look at some of the points of large clouds."""

import numpy as np
from jaxtyping import Int

from .pairs import systematic
from .snapshots import Snapshots
from .stored import drawn_rows, in_file, taken_together


def look(
    snapshots: Snapshots, size: int, rng: np.random.Generator
) -> tuple[Snapshots, list[Int[np.ndarray, " m"]]]:
    """At most ``size`` points of every cloud by weight, and which ones they are.

    Of clouds in a file from shuffled blocks of it; rows that are not finite are left
    out.
    """
    clouds, velocities = snapshots.clouds, None
    if in_file(clouds):
        rows = drawn_rows(clouds, size, rng)
        points = taken_together(clouds, rows)
        good = [np.isfinite(x).all(axis=1) for x in points]
        rows = [row[fine] for row, fine in zip(rows, good, strict=True)]
        points = [x[fine] for x, fine in zip(points, good, strict=True)]
    else:
        rows = [
            systematic(snapshots.weight(k), min(len(x), size), rng)
            for k, x in enumerate(clouds)
        ]
        points = [x[row] for x, row in zip(clouds, rows, strict=True)]
        given = snapshots.velocities
        velocities = given and [
            None if v is None else v[row] for v, row in zip(given, rows, strict=True)
        ]
    seen = Snapshots(
        snapshots.times,
        points,
        velocities,
        masses=snapshots.masses,
        sharding=snapshots.sharding,
    )
    return seen, rows
