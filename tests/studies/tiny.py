"""Changes that make the configs run in a few seconds, by dotted key."""

from typing import Any


_SHORT = {"repeats": 2, "strengths.count": 2, "pretraining.steps": 5}

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
}
