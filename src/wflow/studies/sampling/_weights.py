"""How the weights of nodes behave, in numbers and in sentences."""

from collections.abc import Mapping, Sequence

import numpy as np

from wflow.studies import Arrays

from ._nodes import SHARE


def of_weights(arrays: Arrays, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Medians of condition numbers and the largest weights, for every size."""
    found = {}
    for name in names:
        found[f"condition_{name}"] = np.median(arrays[f"condition_{name}"], axis=1)
        found[f"max_abs_weight_{name}"] = arrays[f"max_abs_weight_{name}"].max(1)
    return found


def largest_weight(arrays: Arrays, names: Sequence[str]) -> float:
    """Of all sizes and runs."""
    return max(float(arrays[f"max_abs_weight_{name}"].max()) for name in names)


def told_weights(metrics: Mapping[str, float], names: Sequence[str], n: int) -> str:
    """Condition numbers and largest weights of so many nodes."""
    worst = ", ".join(
        f"{name} {metrics[f'condition_{name}_m{n}']:.2g} "
        f"({metrics[f'max_abs_weight_{name}_m{n}']:.3g})"
        for name in names
    )
    return f"Condition of the kernel matrix (largest weight), {n} nodes: {worst}."


def told_modes(modes: int, fewest: Mapping[str, np.ndarray], n: int) -> str:
    """How many modes the nodes of every row found, of the last size."""
    counts = ", ".join(f"{name} {found[-1]}" for name, found in fewest.items())
    return (
        f"Modes of {modes} that hold a weight of {SHARE:g}, fewest over runs of {n} "
        f"nodes: {counts}."
    )
