"""Time to a stated W1 on the ocean interpolation: the default recipe, the plain one.

    python benchmarks/recipes.py --data oceans_with_v0.npz

The clock starts before the fit and includes compiling; it stands still while the
held-out snapshots are scored, every few steps. A recipe has arrived at the first score
at or below the target. The plain recipe is that of arXiv:2605.08550: a wide and deep
attention potential, a small constant learning rate, rollouts from the first snapshot
over random horizons, positions compared. Where it has not arrived after a stated
multiple of the default recipe's time it is stopped, and the multiple is a bound.
"""

import argparse
import contextlib
import statistics
import time
from pathlib import Path
from typing import Any, NamedTuple

import jax
from harness import report

from wflow.cli.runner import prepare
from wflow.learning._fit import Chunk
from wflow.studies._configs import override, read_yaml
from wflow.studies.population._data import load
from wflow.studies.population._setting import Setting


TITLE = "Time to a stated W1"
CONFIG = Path(__file__).resolve().parent.parent / "configs" / "ocean_interpolation.yaml"
PLAIN = [
    "energy.width=256",
    "energy.depth=4",
    "fit.steps=50000",
    "fit.starts=first",
    "fit.velocity_scale=null",
    "fit.horizon={kind: RandomHorizon, ramp: 0}",
    "fit.optimizer.learning_rate=1e-4",
    "fit.optimizer.scalar_learning_rate=1e-3",
    "fit.optimizer.schedule=constant",
]
NOTE = (
    "Seconds of training, compiling included and scoring not, until the mean W1 of the "
    "held-out snapshots, from the averaged parameters, is at or below the target, or "
    "until the recipe is stopped. `least_w1`: least score seen on the way."
)


class Arrival(NamedTuple):
    """When a recipe came to the target, or was stopped, and how."""

    seconds: float
    step: int
    arrived: bool
    least_w1: float


class _Stop(Exception):
    """Training has gone far enough."""


def main():
    """Run both recipes and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="the .npz that the config asks for")
    parser.add_argument("--target", type=float, default=0.065)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--every", type=int, default=25, help="steps between scores")
    parser.add_argument(
        "--cap", type=float, default=15.0, help="the plain recipe's, in default times"
    )
    arguments = parser.parse_args()
    if arguments.data is None:
        print(f"{TITLE}: not measured; it needs --data FILE, see its docstring.")
        return
    # Every run compiles for itself.
    jax.config.update("jax_enable_compilation_cache", False)
    rows = []
    for seed in arguments.seeds:
        found = arrival([], seed, arguments, float("inf"))
        rows.append(row("default", seed, found))
        print(rows[-1], flush=True)
    typical = statistics.median(each["seconds"] for each in rows)
    cap = arguments.cap * typical
    found = arrival(PLAIN, arguments.seeds[0], arguments, cap)
    rows.append(row("plain", arguments.seeds[0], found))
    relation = "takes" if found.arrived else "stopped, takes more than"
    remarks = [
        f"target {arguments.target}; the plain recipe {relation} "
        f"{found.seconds / typical:.1f} times the default one's median of "
        f"{typical:.1f} s, scored every {arguments.every} steps."
    ]
    report(TITLE, rows, [], NOTE, remarks)


def row(recipe: str, seed: int, found: Arrival) -> dict[str, Any]:
    """One row of the table."""
    return {"recipe": recipe, "seed": seed, **found._asdict()}


def arrival(
    changes: list[str], seed: int, arguments: argparse.Namespace, cap: float
) -> Arrival:
    """Train the config with ``changes`` until it arrives, or for ``cap`` seconds."""
    jax.clear_caches()
    raw = override(read_yaml(CONFIG), [*changes, f"seed={seed}"])
    _, config = prepare(raw, str(CONFIG), arguments.data)
    split = Setting.of(config, load(config, str(CONFIG))).split
    # Scored every few steps.
    options = {**config.fit, "chunk": arguments.every}
    config = config.model_copy(update={"fit": options})
    substeps = config.evaluation.substeps
    seen: list[tuple[float, int, float]] = []
    idle = 0.0
    begin = time.perf_counter()

    def look(chunk: Chunk) -> None:
        nonlocal idle
        paused = time.perf_counter()
        scored = chunk.fit.report(split.test, baselines=False, substeps=substeps)
        w1 = scored.model
        seen.append((paused - begin - idle, chunk.step, w1))
        idle += time.perf_counter() - paused
        if w1 <= arguments.target or seen[-1][0] >= cap:
            raise _Stop

    with contextlib.suppress(_Stop):
        config.train(
            split.train,
            jax.random.key(config.seed),
            split.gap,
            callbacks=[look],
            progress=False,
        )
    seconds, step, last = seen[-1]
    least = min(w1 for _, _, w1 in seen)
    return Arrival(seconds, step, last <= arguments.target, least)


if __name__ == "__main__":
    main()
