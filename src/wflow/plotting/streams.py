"""Velocities averaged over a plane, and the lines along them."""

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure


Lattice = tuple[
    Float[np.ndarray, " nx"], Float[np.ndarray, " ny"], Float[np.ndarray, "ny nx 2"]
]

# Of the larger extent: how far a velocity is felt.
_REACH = 0.03
# Mass around a place below which nothing is drawn, as a share of the usual one.
_LEAST = 0.05
_MOST = 20_000


def averaged(
    points: Float[np.ndarray, "n 2"],
    velocities: Float[np.ndarray, "n 2"],
    size: int = 40,
) -> Lattice:
    r"""Mean velocity around each place of a lattice, nan where hardly any point is.

    $\sum_i k(y, x_i) v_i / \sum_i k(y, x_i)$ with a Gaussian kernel k in the units of
    the axes, of a width of 3 percent of them.

    Args:
        points: positions; those that are not finite are left out.
        velocities: one for each of them.
        size: of the lattice, along either axis.

    Returns:
        Both axes and the velocities.
    """
    known = np.isfinite(points).all(1) & np.isfinite(velocities).all(1)
    points, velocities = points[known], velocities[known]
    step = max(1, -(-len(points) // _MOST))
    points, velocities = points[::step], velocities[::step]
    low, high = points.min(axis=0), points.max(axis=0)
    extent = np.where(high > low, high - low, 1.0)
    low, high = low - 0.03 * extent, high + 0.03 * extent
    x, y = (np.linspace(a, b, size) for a, b in zip(low, high, strict=True))
    # The kernel is a product over both axes.
    along_x, along_y = (
        np.exp(-0.5 * ((axis[:, None] - points[:, k]) / (_REACH * extent[k])) ** 2)
        for k, axis in enumerate((x, y))
    )
    mass = along_y @ along_x.T
    field = np.stack([(along_y * v) @ along_x.T for v in velocities.T], axis=-1)
    # What a point feels of all, itself too.
    felt = (along_y * (mass @ along_x)).sum(0) / (along_y.sum(0) * along_x.sum(0))
    few = mass < _LEAST * np.median(felt)
    field[few] = np.nan
    return x, y, field / np.where(few, 1.0, mass)[..., None]


def lines(lattice: Lattice, density: float = 1.0) -> list[Float[np.ndarray, "k 2"]]:
    """Lines along the velocities of a lattice, each from its start to its end."""
    x, y, field = lattice
    if not np.nan_to_num(field).any():
        return []
    masked = np.ma.masked_invalid(field)
    axes = Figure().subplots()
    drawn = axes.streamplot(
        x, y, masked[..., 0], masked[..., 1], density=density, arrowstyle="-"
    )
    found: list[list[np.ndarray]] = []
    # A line comes whole, or in pieces that begin where the last one ended.
    for piece in map(np.asarray, drawn.lines.get_segments()):
        if not found or not np.array_equal(found[-1][-1], piece[0]):
            found.append([piece[0]])
        found[-1].extend(piece[1:])
    return [np.array(line) for line in found]
