"""Changes that make the configs run in a few seconds, by dotted key."""

from typing import Any

import numpy as np

from tests.sampling.posterior_files import file_of


_SHORT = {"repeats": 2, "strengths.count": 2, "pretraining.steps": 5}
_ENKF = {"enkf": {"members": 10, "filter": {"kind": "EnKF"}}}
_LETKF = {"members": 10, "filter": {"kind": "LETKF"}, "local": {"radius": 4.0}}
_TWIN = {"repeats": 1, "cycles": 4, "burn_in": 0, "methods": _ENKF}
_DET = {"det": {"kind": "Deterministic"}}
_POSTERIOR = {
    "particles": 8,
    "repeats": 1,
    "methods": {"shk": {"kind": "SHK", "step": 0.1, "steps": 3}},
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
    "joker": {
        "methods": _MSIP,
        "particles": [5],
        "repeats": 1,
        "reweighted.nodes": ["iid"],
    },
    "msip_mixture": {
        "methods": _MSIP,
        "particles": [5],
        "repeats": 1,
        "reweighted.nodes": ["iid"],
    },
    "msip_recovery": {"methods": _MSIP, "particles": [5], "repeats": 1},
    "posterior_ark": _POSTERIOR,
    "posterior_blr": _POSTERIOR,
    "posterior_earnings": _POSTERIOR,
    "posterior_eight_schools": _POSTERIOR,
    "posterior_gauss_mix": _POSTERIOR,
    "posterior_gp_regr": _POSTERIOR,
    "posterior_kidiq": _POSTERIOR,
    "posterior_kilpisjarvi": _POSTERIOR,
    "privacy_mechanism": {"people": 2, "pairs": 1, "cells": 8, "times": [0.2]},
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
}

_rng = np.random.default_rng(0)

# For configs that read a file: its name, and what is in it.
FILES: dict[str, tuple[str, dict[str, np.ndarray]]] = {
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
