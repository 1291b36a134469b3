"""Changes that make the configs run in a few seconds, by dotted key."""

from typing import Any


# Of populations: what is trained, and on what.
_FIT = {"seeds": None, "fit.steps": 4, "fit.chunk": 2, "fit.batch": 8}
_NETWORK = {"kind": "MLPPotential", "width": 4, "depth": 1}
_ATTENTION = {"energy.width": 4, "energy.depth": 1, "energy.feedforward": 4}
_WARM = {"kind": "Entropy", "temperature": {"learn": 0.1}, "density": {"kind": "KDE"}}
_BOWL = {"kind": "Potential", "potential": {"kind": "Polynomial", "degree": 2}}
_LAW = {**_WARM, "density": {"kind": "GaussianClosure"}}
_MATCHED = {
    "seeds": None,
    "energy.width": 4,
    "energy.depth": 1,
    "energy.time_dim": 2,
    "fit.steps": 4,
    "objective": {"kind": "FlowMatching", "batch": 16, "moments": 2},
}
# One precision: what they forecast with is one program.
_GROWING = {
    "seeds": None,
    "precision": "float64",
    "fit.steps": 4,
    "fit.chunk": 2,
    "objective.batch": 8,
    "objective.moments": 2,
    "energy": {**_NETWORK, "time_dim": 2},
    "growth.width": 4,
}
_SMALL = {"data.simulate.n": 24, "data.simulate.snapshots": 5}
_SDE = {
    **_FIT,
    **_SMALL,
    "energy": [_NETWORK, _WARM],
    "potentials": ["poly"],
    "scored_points": 16,
}
_GAPMINDER = {**_FIT, "energy": _NETWORK}

_SHORT = {"repeats": 2, "strengths.count": 2, "pretraining.steps": 5}
_DESCENT = {"rate": 0.05, "steps": 100}
_TRANSFER = {
    "repeats": 2,
    "width": 8,
    "held_out": 100,
    "strengths": {"low": 0.1, "high": 10.0, "count": 3},
    "pretraining": _DESCENT,
    "finetuning": _DESCENT,
}
_ENKF = {"enkf": {"members": 10, "filter": {"kind": "EnKF"}}}
_LETKF = {"members": 10, "filter": {"kind": "LETKF"}, "local": {"radius": 4.0}}
_ENSEMBLE = {"members": 20, "filter": {"kind": "EnKF", "inflation": 1.02}}
_TWIN = {"repeats": 1, "cycles": 4, "burn_in": 0, "methods": _ENKF}
_TRANSPORT = {
    "members": 50,
    "filter": {
        "kind": "CouplingTransport",
        "start": "identity",
        "steps": 20,
        "step": 0.15,
        "permutations": 1,
        "kernel_x": {"kind": "InverseMultiquadric", "bandwidth": 0.5},
        "kernel_y": {
            "kind": "ScaleMixture",
            "kernel": {"kind": "GaussianKernel", "bandwidth": 1.0},
            "scales": [0.5, 1.0, 2.0],
        },
    },
}
_DET = {"det": {"kind": "Deterministic"}}
_POSTERIOR = {
    "particles": 8,
    "repeats": 1,
    # The name is the one of the config's default, the method the cheapest.
    "methods": {"shk": {"kind": "ULA", "step_size": 0.1, "steps": 3}},
}
_MSIP = {"msip": {"kind": "MeanShift", "steps": 4, "bandwidth": 1.5, "ridge": 1e-3}}

TINY: dict[str, dict[str, Any]] = {
    "attention_pca": {
        "precision": "float64",
        "dimension": 5,
        "settings": {"own": {"theta": 3.0, "prompt_length": 6, "degrees": 6}},
        "repeats": 1,
        "steps": 600,
        "batch": 32,
        "prompts": 200,
        "recovery": {"thetas": [1.0, 4.0], "prompt_length": 6, "steps": 300},
        "course.prompt_length": 6,
        "course.prompts": 32,
        "course.times": 61,
        "gap.lengths": [2, 6],
        "gap.tokens": 1200,
    },
    "boids": {**_FIT, **_SMALL, "energy": [_NETWORK]},
    "branching_ensemble": {
        **_MATCHED,
        "data.simulate.n": 12,
        "energy": _NETWORK,
        "ensemble.members": 2,
    },
    "canonical_bias": {
        "strengths": {"low": 0.01, "high": 1.0, "count": 2},
        "dial": [64.0],
    },
    "canonical_diabetes": {**_TRANSFER, "data": {"kind": "Diabetes"}},
    "canonical_digits": {
        "data": {"kind": "Digits", "old": [0, 1, 2, 3, 4], "new": [5, 6, 7, 8, 9]},
        "repeats": 2,
        "width": 16,
        "held_out": 100,
        "strengths": {"low": 0.01, "high": 1.0, "count": 3},
        "pretraining.steps": 300,
        "finetuning.steps": 300,
    },
    "canonical_finetune": {**_SHORT, "finetuning.steps": 5, "units": 4},
    "canonical_kernel": {
        "outputs": 2,
        "parameters": 3,
        "strengths": {"low": 1.0, "high": 2.0, "count": 2},
    },
    "canonical_tumors": {**_TRANSFER, "data": {"kind": "BreastCancer"}},
    "chaos_exponents": {
        "exponents": [3.5],
        "widths": [{"neurons": m, "seeds": 200} for m in (16, 64)],
    },
    "chaos_noisy": {
        "temperatures": [0.01, 0.1],
        "horizon": 2.0,
        "step": 0.02,
        "widths": [{"neurons": m, "seeds": 20} for m in (8, 32)],
    },
    "chaos_quadratic": {
        "step": 0.05,
        "long_horizon": 100.0,
        "widths": [{"neurons": m, "seeds": 100} for m in (16, 64)],
    },
    "chaos_samples_steps": {
        "samples": [100, 400],
        "sample_seeds": 20,
        "steps": [0.04, 0.02],
        "step_seeds": 2,
        "step_horizon": 2.0,
    },
    "chaos_single_index": {
        "targets": {"two": [0.0, 0.0, 1.0]},
        "dims": [3],
        "reference": 64,
        "horizon": 5.0,
        "widths": [{"neurons": m, "seeds": 16} for m in (4, 16)],
    },
    "chaos_teacher": {
        "inputs": 100,
        "dim": 2,
        "teacher": 2,
        "reference": 64,
        "horizon": 20.0,
        "widths": [{"neurons": m, "seeds": 4} for m in (4, 16)],
    },
    "elliptic_inverse": {
        "plate.cells": 2,
        "plate.mesh": 4,
        "plate.points": 3,
        "plate.draws": 400,
        "particles": 100,
        "repeats": 3,
        "spread": 1.5,
        "default": "mala",
        "methods": {
            "mala": {"kind": "MALA", "step_size": 0.2, "steps": 100},
            "free": {
                "kind": "ALDI",
                "gradient_free": True,
                "step_size": 0.05,
                "steps": 100,
            },
            "wild": {"kind": "ULA", "step_size": 1e200, "steps": 5},
        },
    },
    "filter_bimodal": {
        "repeats": 1,
        "cells": 201,
        "methods": {"transport": _TRANSPORT, "enkf": _ENSEMBLE},
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
    "gapminder_ensemble": {
        **_GAPMINDER,
        "precision": "float64",
        "ensemble.members": 2,
    },
    "gradient_flow_sde": {**_SDE, "potentials": ["poly", "wavy_plateau"]},
    "gradient_flow_sde_conservative": _SDE,
    "gradient_flow_sde_paired": _SDE,
    "joker": {
        "methods": _MSIP,
        "particles": [5],
        "repeats": 1,
        "reweighted.nodes": ["iid"],
    },
    "leave_one_out_emt_10d": _MATCHED,
    "leave_one_out_embryoid_body": _MATCHED,
    "leave_one_out_embryoid_body_50d": _MATCHED,
    "leave_one_out_emt_3d": _MATCHED,
    "leave_one_out_hematopoiesis": _MATCHED,
    "leave_one_out_ipsc_4d": _MATCHED,
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
    "posterior_kidiq": {
        "particles": 100,
        "repeats": 3,
        "methods": {"shk": {"kind": "SHK", "step_size": 0.1, "steps": 200}},
    },
    "posterior_kilpisjarvi": _POSTERIOR,
    "privacy_mechanism": {"people": 3, "pairs": 2, "cells": 12, "times": [0.2, 1.0]},
    "readable_gapminder": {
        **_FIT,
        "candidates": {"bowl": _BOWL, "warm": [_BOWL, _LAW]},
    },
    "readable_langevin": {**_FIT, **_SMALL, "split.count": 2},
    "readable_swarm": {**_FIT, **_SMALL, "split.count": 2},
    "resetting_laws": {
        "problems": {"one": [{"count": 3}]},
        "laws": _DET,
        "monte_carlo": {"n": 30, "p": 10, "signals": ["high"], "replicates": 4},
    },
    "resetting_ou": {
        "laws": {"poisson": {"kind": "Exponential"}},
        "samples": 4000,
        "steps": 60,
    },
    "resetting_ridge": {"laws": _DET, "particles": 2000, "splits": 4, "rates": 5},
    "saddle_descent": {
        "samples": 5,
        "width": 4,
        "instances": 2,
        "inverse_scales": [10.0, 200.0, 1000.0],
        "step_shares": [0.4, 0.1],
        "points": 1000,
    },
    "saddle_interpolation": {
        "samples": [3],
        "widths": [6],
        "draws": 10,
        "flow": {"samples": 3, "widths": [6], "draws": 4},
    },
    "saddle_near_orthogonal": {
        "samples": 6,
        "width": 5,
        "instances": 4,
        "dims": [24],
        "cosines": [1e-2, 1e-6, 1e-10, 1e-14, 1e-18],
        "inverse_scales": [20.0],
        "points": 400,
    },
    "saddle_norm": {
        "cases": [{"samples": n, "width": 6} for n in (3, 4)],
        "repeats": 6,
        "flow": [{"samples": 3, "width": 6}],
        "flow_repeats": 2,
    },
    "saddle_staircase": {
        "seed": 1,
        "samples": 5,
        "width": 4,
        "instances": 2,
        "inverse_scales": [50.0, 200.0, 1000.0],
        "rtol": 1e-7,
    },
    "saddle_width": {
        "samples": 6,
        "widths": [2, 4, 16],
        "dims": [6],
        "draws": 12,
        "steps": 3000,
    },
    "scale_flow": {
        "outputs": 1,
        "times": 5,
        "late": 60.0,
        "channels": [
            {"curvature": 1.0, "target": 2.0, "weight": 0.0, "scale": 1.0},
            {"curvature": 1.0, "target": 2.0, "weight": 0.5, "scale": 0.5},
            {"curvature": 0.7, "target": -1.3, "weight": 1.1, "scale": 0.3},
        ],
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
        "decays": [0.0, 0.1],
        "hidden": 8,
        "runs": 1,
        "size": 4,
        "steps": 600,
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
    "unbalanced_gene_2d": {**_GROWING, "fresh.n": 8, "balanced": True},
    "unbalanced_hematopoiesis": _GROWING,
    "vortex_ensemble": {
        **_FIT,
        "data.simulate.n": 12,
        "energy": _NETWORK,
        "ensemble.members": 2,
    },
}
