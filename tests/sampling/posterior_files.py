"""Files of posteriordb's kind with few data."""

import numpy as np


X = np.array([1, 3, 4, 7])
Y = np.array([0.5, -0.3, 1.2, 0.1])
DESIGN = np.array([[1.0, 0.5], [0.2, -1.0], [0.3, 0.3], [-1.0, 2.0]])
FEW = {
    "eight_schools_noncentered": {"y": Y, "sigma": np.array([1, 2, 1, 3])},
    "kilpisjarvi": {
        **{"x": X, "y": Y, "pmualpha": 9.3, "psalpha": 100},
        **{"pmubeta": 0, "psbeta": 0.03},
    },
    "arK": {"y": np.append(Y, [0.7, 0.2]), "K": 2},
    "kidscore_momiq": {"kid_score": X, "mom_iq": Y},
    "logearn_height": {"earn": X, "height": Y},
    "gp_regr": {"x": X, "y": Y},
    "low_dim_gauss_mix": {"y": Y},
    "blr": {"X": DESIGN, "y": Y},
}
# The parameters of each model, with how many numbers they are.
SIZES = {
    "eight_schools_noncentered": {"theta": 4, "mu": 1, "tau": 1},
    "kilpisjarvi": {"alpha": 1, "beta": 1, "sigma": 1},
    "arK": {"alpha": 1, "beta": 2, "sigma": 1},
    "kidscore_momiq": {"beta": 2, "sigma": 1},
    "logearn_height": {"beta": 2, "sigma": 1},
    "gp_regr": {"rho": 1, "alpha": 1, "sigma": 1},
    "low_dim_gauss_mix": {"mu": 2, "sigma": 2, "theta": 1},
    "blr": {"beta": 2, "sigma": 1},
}


def file_of(name):
    """The arrays of a file of the model; its draws are of no posterior."""
    names = [
        f"{parameter}[{i + 1}]" if size > 1 else parameter
        for parameter, size in SIZES[name].items()
        for i in range(size)
    ]
    draws = np.random.default_rng(0).normal(size=(2, 3, len(names)))
    data = {f"data_{key}": np.asarray(value) for key, value in FEW[name].items()}
    return {"draws": draws, "names": np.array(names), **data}
