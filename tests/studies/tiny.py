"""Changes that make the configs run in a few seconds, by dotted key."""

from typing import Any

import numpy as np

from tests.sampling.posterior_files import file_of


# Of populations: what is trained, and on what.
_FIT = {"seeds": None, "fit.steps": 2, "fit.chunk": 2, "fit.batch": 6}
_NETWORK = {"kind": "MLPPotential", "width": 4, "depth": 1}
_ATTENTION = {"energy.width": 4, "energy.depth": 1, "energy.feedforward": 4}
_WARM = {"kind": "Entropy", "temperature": {"learn": 0.1}, "density": {"kind": "KDE"}}
_HELD_OUT = {**_FIT, **_ATTENTION, "velocity.width": 4, "sides": "before"}
_GROWING = {**_FIT, "energy": _NETWORK, "growth.width": 4, "fit.substeps": 1}
_SMALL = {"data.simulate.n": 12, "data.simulate.snapshots": 5}
_SDE = {
    **_FIT,
    **_SMALL,
    "energy": [_NETWORK, _WARM],
    "potentials": ["poly"],
    "scored_points": 8,
}
_GAPMINDER = {**_FIT, "energy": _NETWORK}

_SHORT = {"repeats": 2, "strengths.count": 2, "pretraining.steps": 5}
_ENKF = {"enkf": {"members": 10, "filter": {"kind": "EnKF"}}}
_LETKF = {"members": 10, "filter": {"kind": "LETKF"}, "local": {"radius": 4.0}}
_TWIN = {"repeats": 1, "cycles": 4, "burn_in": 0, "methods": _ENKF}
_DET = {"det": {"kind": "Deterministic"}}
_POSTERIOR = {
    "particles": 8,
    "repeats": 1,
    "methods": {"shk": {"kind": "SHK", "step_size": 0.1, "steps": 3}},
}
_MSIP = {"msip": {"kind": "MeanShift", "steps": 4, "bandwidth": 1.5, "ridge": 1e-3}}
_FEW = [{"neurons": 4, "seeds": 3}, {"neurons": 8, "seeds": 3}]

TINY: dict[str, dict[str, Any]] = {
    "attention_pca": {
        "dimension": 4,
        "settings": {"own": {"theta": 3.0, "prompt_length": 4, "degrees": 4}},
        "repeats": 1,
        "steps": 8,
        "batch": 4,
        "prompts": 8,
        "layers": 2,
        "recovery": {"thetas": [1.0, 4.0], "prompt_length": 4, "steps": 4},
        "course": {"theta": 3.0, "prompt_length": 4, "prompts": 8, "end": 1.0},
        "gap": {"theta": 3.0, "lengths": [2, 4], "tokens": 40},
    },
    "boids": {**_FIT, **_SMALL, "energy": [_NETWORK]},
    "canonical_bias": {"strengths.count": 2, "dial": [64.0], "rtol": 1e-6},
    "canonical_diabetes": {**_SHORT, "finetuning.steps": 5, "width": 4},
    "canonical_digits": {**_SHORT, "finetuning.steps": 5, "width": 4},
    "canonical_finetune": {**_SHORT, "finetuning.steps": 5, "units": 4},
    "canonical_kernel": {"outputs": 1, "parameters": 2, "strengths.count": 2},
    "canonical_tumours": {**_SHORT, "finetuning.steps": 5, "width": 4},
    "chaos_exponents": {"exponents": [3.5], "dim": 20, "resamples": 5, "widths": _FEW},
    "chaos_noisy": {
        "dim": 2,
        "horizon": 0.5,
        "resamples": 5,
        "step": 0.1,
        "temperatures": [0.01, 0.1],
        "widths": _FEW,
    },
    "chaos_quadratic": {
        "dim": 2,
        "horizon": 0.2,
        "long_horizon": 61.0,
        "resamples": 5,
        "step": 0.1,
        "widths": _FEW,
    },
    "chaos_samples_steps": {
        "resamples": 5,
        "sample_horizon": 0.5,
        "sample_seeds": 2,
        "samples": [10, 20],
        "step_horizon": 0.5,
        "step_seeds": 2,
        "steps": [0.04, 0.02],
        "teacher": [0.5, 0.3],
        "width": 4,
    },
    "chaos_single_index": {
        "dims": [2],
        "horizon": 1.0,
        "reference": 32,
        "resamples": 5,
        "targets": {"two": [0.0, 0.0, 1.0]},
        "widths": _FEW,
    },
    "chaos_teacher": {
        "dim": 2,
        "horizon": 1.0,
        "inputs": 10,
        "reference": 32,
        "resamples": 5,
        "teacher": 2,
        "widths": _FEW,
    },
    "elliptic_inverse": {
        "plate.cells": 1,
        "plate.mesh": 2,
        "plate.points": 2,
        "plate.draws": 100,
        **_POSTERIOR,
    },
    "filter_bimodal": {
        "repeats": 1,
        "cells": 201,
        "methods.transport.members": 10,
        "methods.transport.filter.steps": 3,
        "methods.particle.members": 10,
    },
    "filter_lorenz63": _TWIN,
    "filter_lorenz63_partial": _TWIN,
    "filter_lorenz96": {**_TWIN, "methods": {"letkf": _LETKF}},
    "filter_lorenz96_hard": {**_TWIN, "methods": {"letkf": _LETKF}},
    "filter_nonlinear_observations": _TWIN,
    "filter_static": {
        "repeats": 1,
        "correlations": [0.6],
        "scales": [],
        "methods": _ENKF,
    },
    "gapminder": _GAPMINDER,
    "gapminder_ensemble": {**_GAPMINDER, "ensemble.members": 2},
    "gradient_flow_sde": _SDE,
    "gradient_flow_sde_conservative": _SDE,
    "gradient_flow_sde_paired": _SDE,
    "joker": {
        "methods": _MSIP,
        "particles": [5],
        "repeats": 1,
        "reweighted.nodes": ["iid"],
    },
    "leave_one_out_emt_10d": _HELD_OUT,
    "leave_one_out_emt_3d": _HELD_OUT,
    "leave_one_out_hematopoiesis": _HELD_OUT,
    "leave_one_out_ipsc_4d": _HELD_OUT,
    "msip_mixture": {
        "methods": _MSIP,
        "particles": [5],
        "repeats": 1,
        "reweighted.nodes": ["iid"],
    },
    "msip_recovery": {"methods": _MSIP, "particles": [5], "repeats": 1},
    "ocean_forecast": {**_FIT, "energy": _NETWORK},
    "ocean_interpolation": {
        **_FIT,
        **_ATTENTION,
        "energy.time_dim": 2,
        "split.snapshots": [1, 3],
    },
    "posterior_ark": _POSTERIOR,
    "posterior_blr": _POSTERIOR,
    "posterior_earnings": _POSTERIOR,
    "posterior_eight_schools": _POSTERIOR,
    "posterior_gauss_mix": _POSTERIOR,
    "posterior_gp_regr": _POSTERIOR,
    "posterior_kidiq": _POSTERIOR,
    "posterior_kilpisjarvi": _POSTERIOR,
    "privacy_mechanism": {"people": 2, "pairs": 1, "cells": 8, "times": [0.2]},
    "readable_gapminder": {**_FIT, "candidates": {"one": _NETWORK, "two": _WARM}},
    "readable_langevin": {**_FIT, **_SMALL, "split.count": 2},
    "readable_swarm": {**_FIT, **_SMALL, "split.count": 2},
    "resetting_laws": {
        "problems": {"isotropic": [{"count": 3}]},
        "laws": _DET,
        "monte_carlo": None,
    },
    "resetting_ou": {
        "laws": {"poisson": {"kind": "Exponential"}},
        "samples": 100,
        "horizon": 1.0,
        "steps": 4,
    },
    "resetting_ridge": {"laws": _DET, "particles": 100, "splits": 2, "rates": 3},
    "saddle_descent": {
        "samples": 4,
        "width": 3,
        "instances": 1,
        "inverse_scales": [5.0, 1000.0],
        "step_shares": [0.5],
        "points": 200,
    },
    "saddle_interpolation": {
        "samples": [4, 6],
        "widths": [4, 8],
        "draws": 100,
        "flow": None,
    },
    "saddle_near_orthogonal": {
        "samples": 4,
        "width": 3,
        "instances": 2,
        "dims": [16],
        "cosines": [1e-3, 1e-12],
        "inverse_scales": [10.0],
        "points": 100,
    },
    "saddle_norm": {
        "cases": [{"samples": 4, "width": 12}, {"samples": 8, "width": 12}],
        "repeats": 4,
        "flow": [],
    },
    "saddle_staircase": {
        "samples": 4,
        "width": 3,
        "instances": 1,
        "inverse_scales": [50.0, 200.0],
        "rtol": 1e-7,
    },
    "saddle_width": {
        "samples": 4,
        "widths": [2, 8],
        "dims": [4],
        "draws": 4,
        "steps": 200,
    },
    "scale_flow": {
        "end": 0.5,
        "inputs": 2,
        "late": 1.0,
        "outputs": 1,
        "rtol": 1e-6,
        "times": 3,
    },
    "scale_language_model": {
        "model.heads": 2,
        "model.hidden": 8,
        "model.layers": 1,
        "model.size": 8,
        "more_seeds": 1,
        "rates": [1e-2],
        "training.batch": 2,
        "training.context": 8,
        "training.every": 2,
        "training.steps": 2,
        "variants": {"none": {"scaling": "none", "decayed": ["matrix"]}},
    },
    "scale_output_norm": {
        "batch": 8,
        "decays": [0.0, 0.1],
        "held_out": 16,
        "hidden": 4,
        "runs": 2,
        "size": 4,
        "steps": 10,
    },
    "shk_circle": {"cells": 8, "rtol": 1e-4, "times": [0.1]},
    "shk_mixture": {
        "baselines": {"ula": [{"kind": "ULA", "steps": 4}]},
        "grid.cells": 8,
        "grid.time": 0.1,
        "methods": {"smc_wfr": {"kind": "SMCWFR", "steps": 4}},
        "particles": 10,
        "repeats": 1,
    },
    "unbalanced_gaussian10": _GROWING,
    "unbalanced_gene_2d": _GROWING,
    "unbalanced_hematopoiesis": _GROWING,
    "vortex_ensemble": {
        **_FIT,
        "data.simulate.n": 12,
        "energy": _NETWORK,
        "ensemble.members": 2,
    },
}

_rng = np.random.default_rng(0)


def _clouds(sizes: list[int], dim: int) -> dict[str, np.ndarray]:
    """Clouds that drift, one after the other."""
    t = np.repeat(np.arange(len(sizes)), sizes)
    return {"x": _rng.normal(size=(len(t), dim)) + 2.0 * t[:, None], "t": t}


def _moving(times: int) -> dict[str, np.ndarray]:
    """Points in the plane with their velocities."""
    x = np.cumsum(_rng.normal(size=(times, 8, 2)), axis=0)
    return {"positions": x, "velocities": np.gradient(x, axis=0)}


# For configs that read a file: its name, and what is in it.
FILES: dict[str, tuple[str, dict[str, np.ndarray]]] = {
    **{
        f"leave_one_out_{name}": ("drifting.npz", _clouds([8] * 4, dim))
        for name, dim in (
            ("emt_10d", 10),
            ("emt_3d", 3),
            ("hematopoiesis", 2),
            ("ipsc_4d", 4),
        )
    },
    "ocean_forecast": ("moving.npz", _moving(11)),
    "ocean_interpolation": ("moving.npz", _moving(5)),
    **{
        f"unbalanced_{name}": ("growing.npz", _clouds([6, 8, 10], dim))
        for name, dim in (("gaussian10", 10), ("gene_2d", 2), ("hematopoiesis", 2))
    },
    "resetting_ridge": (
        "design.npz",
        {"X": _rng.normal(size=(12, 2)), "y": _rng.normal(size=12)},
    ),
    **{
        f"posterior_{config}": (f"few__{model}.npz", file_of(model))
        for config, model in {
            "ark": "arK",
            "blr": "blr",
            "earnings": "logearn_height",
            "eight_schools": "eight_schools_noncentered",
            "gauss_mix": "low_dim_gauss_mix",
            "gp_regr": "gp_regr",
            "kidiq": "kidscore_momiq",
            "kilpisjarvi": "kilpisjarvi",
        }.items()
    },
}
