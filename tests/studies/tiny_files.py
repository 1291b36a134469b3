"""Small files for the configs that read one: its name, and what is in it."""

import numpy as np

from tests.sampling.posterior_files import file_of


_rng = np.random.default_rng(0)


def _clouds(sizes: list[int], dim: int) -> dict[str, np.ndarray]:
    """Clouds that drift, one after the other."""
    t = np.repeat(np.arange(len(sizes)), sizes)
    return {"x": _rng.normal(size=(len(t), dim)) + 2.0 * t[:, None], "t": t}


def _moving(times: int) -> dict[str, np.ndarray]:
    """Points in the plane with their velocities."""
    x = np.cumsum(_rng.normal(size=(times, 8, 2)), axis=0)
    return {"positions": x, "velocities": np.gradient(x, axis=0)}


_CELLS = _clouds([14, 14, 16, 13], 3)
_GROWN = _clouds([8, 10, 14], 2)


def _design() -> dict[str, np.ndarray]:
    """Three correlated inputs of unequal size, and a noisy linear output."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 3)) @ [[2, 0.5, 0], [0, 1, 0.3], [0, 0, 0.2]] + 1
    return {"X": X, "y": X @ [1.0, 0.0, -2.0] + rng.normal(size=40)}


def _line() -> dict[str, np.ndarray]:
    """A noisy line with draws of its posterior under a flat prior."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=60)
    design = np.stack([np.ones(60), x], 1)
    y = design @ [1.0, 2.0] + rng.normal(size=60)
    # But for sigma's tail: normal around least squares, to order 1 / n.
    best, residual, *_ = np.linalg.lstsq(design, y, rcond=None)
    s2 = residual[0] / 58
    draws = rng.multivariate_normal(best, s2 * np.linalg.inv(design.T @ design), 2000)
    sigma = np.sqrt(s2) * (1 + rng.normal(size=2000) / np.sqrt(116))
    return {
        "draws": np.column_stack([draws, sigma])[None],
        "names": np.array(["beta[1]", "beta[2]", "sigma"]),
        "data_kid_score": y,
        "data_mom_iq": x,
    }


FILES: dict[str, tuple[str, dict[str, np.ndarray]]] = {
    # Equal where rollouts begin, and in all of these: one compiled program.
    **{
        f"leave_one_out_{name}": ("drifting.npz", _CELLS)
        for name in (
            "embryoid_body",
            "embryoid_body_50d",
            "emt_10d",
            "emt_3d",
            "hematopoiesis",
            "ipsc_4d",
        )
    },
    "ocean_forecast": ("moving.npz", _moving(11)),
    "ocean_interpolation": ("moving.npz", _moving(5)),
    **{
        f"unbalanced_{name}": ("growing.npz", _GROWN)
        for name in ("gaussian10", "gene_2d", "hematopoiesis")
    },
    "resetting_ridge": ("design.npz", _design()),
    "posterior_kidiq": ("line__kidscore_momiq.npz", _line()),
    **{
        f"posterior_{config}": (f"few__{model}.npz", file_of(model))
        for config, model in {
            "ark": "arK",
            "blr": "blr",
            "earnings": "logearn_height",
            "eight_schools": "eight_schools_noncentered",
            "gauss_mix": "low_dim_gauss_mix",
            "gp_regr": "gp_regr",
            "kilpisjarvi": "kilpisjarvi",
        }.items()
    },
}
