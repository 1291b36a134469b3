"""Draws of a simulator: what a law that saw one of them, and that one, score on others.

The truth itself does not score zero on another draw: what it scores is the bar.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from wflow.io.base import SnapshotFile
from wflow.io.npz import NPZ
from wflow.learning import Fit, Snapshots
from wflow.populations import simulators
from wflow.populations.scores import mean_w1
from wflow.populations.simulators import Toggle
from wflow.studies import ScoreTable, Spec, build

from ._setting import Setting


# Beside the streams of the training and of simulated data.
_STREAM = 30_000
# Draws that are scored on.
_OTHERS = 3
MODEL, TRUTH = "model of one draw", "the draw itself"


@dataclasses.dataclass(frozen=True)
class Fresh:
    """The simulator that a config names beside its data, and the data's setting."""

    spec: Spec
    setting: Setting

    def draw(self, k: int) -> Snapshots:
        """Draw ``k``, at the times and in the first coordinates of the data.

        Raises:
            ValueError: it has another number of snapshots, or fewer coordinates.
        """
        data, p = self.setting.data.snapshots, self.setting.p
        key = jax.random.fold_in(jax.random.key(p.seed), _STREAM)
        spec = {"snapshots": len(data), **self.spec}
        given = {"key": jax.random.fold_in(key, k), "dim": data.dim}
        found = build(spec, simulators, Snapshots, "fresh", **given)
        if len(found) != len(data) or found.dim < data.dim:
            raise ValueError(
                f"fresh: expected {len(data)} snapshots of at least {data.dim} "
                f"coordinates, as the data have, found {len(found)} of {found.dim}."
            )
        clouds = [cloud[:, : data.dim] for cloud in found]
        masses = np.array(found.sizes) / found.sizes[0]
        return Snapshots(data.times, clouds, masses=masses)

    @property
    def first(self) -> Setting:
        """The first draw in the place of the data."""
        p = self.setting.p
        return Setting.of(p, SnapshotFile(self.draw(0), NPZ))

    def table(self, fitted: Fit) -> ScoreTable:
        """The law that was fitted to the first draw, and that draw, on the others."""
        first = self.first
        test, substeps = first.split.test, first.p.evaluation.substeps
        others = [
            first.units.to_model(self.draw(k)).take(range(1, len(test) + 1))
            for k in range(1, _OTHERS + 1)
        ]
        law = fitted.forecast(test.times, "initial", substeps=substeps)
        return ScoreTable(
            f"Fresh draws of {self.spec['kind']} (exact W1, {first.unit})",
            tuple(map(first.column, test.times)),
            {MODEL: mean_w1(law, others), TRUTH: mean_w1(test, others)},
            models=(MODEL,),
            floor=first.floor(test.times),
        )

    @property
    def rate(self) -> Callable[[np.ndarray], np.ndarray] | None:
        """The true growth at points in the data's units, where it is known."""
        if self.spec["kind"] != "toggle":
            return None
        given: Any = self.spec.get("law", {"kind": "Toggle"})
        return build(given, simulators, Toggle, "fresh.law").division_rate
