"""Flow matching on snapshots of cells: each held out in turn, alone and as warm start.

    python benchmarks/matching.py --case NAME DATA [--case ...] [--seeds 0 1 2] [--warm]
    python benchmarks/matching.py --large

DATA is a .npz with x (n, d) and t (n,). Two laws are matched for each hold-out, one of
time as it runs and one of reversed time; path and order of the law are told from the
training snapshots alone. ``--warm`` goes on from both by rollouts, which keep a tenth
of the cells for validation. W1 is exact, in the units of the data; seconds are those of
the processors, compiling included. ``--large`` matches 5 simulated snapshots of 10,000
points in 50 dimensions until pairs kept for validation have not improved for a tenth of
the steps.
"""

import argparse
import resource
import time
from pathlib import Path

import jax
import numpy as np
from harness import report

from wflow.energies import MLPPotential
from wflow.flows import GradientFlow
from wflow.geometries import Wasserstein
from wflow.learning import (
    AdamW,
    FixedHorizon,
    FlowMatching,
    Given,
    Rollouts,
    Sinkhorn,
    Snapshots,
    fit,
)
from wflow.populations import hold_outs
from wflow.populations.leave_one_out import reach, score, yardsticks
from wflow.studies._configs import override, read_yaml
from wflow.studies._params import validate
from wflow.studies.population._data import load
from wflow.studies.population._hold_outs import in_model_time
from wflow.studies.population.population_leave_one_out import Params


CONFIG = Path(__file__).parents[1] / "configs" / "leave_one_out_emt_3d.yaml"
ROLLOUTS = {"batch": 128, "horizon": FixedHorizon(1), "held": 0.1}


def main():
    """Score every case and print the table."""
    arguments = _arguments()
    rows = []
    for name, data in arguments.case:
        p = params(Path(data), arguments.steps)
        held_out = hold_outs(in_model_time(p, load(p, data)))
        for held in held_out:
            found = [hold_out(p, held, s, arguments.warm) for s in arguments.seeds]
            free = yardsticks(held)
            others = {
                "OT midpoint": [free.ot_midpoint],
                "nothing moves": [free.nothing_moves],
                "halves of the snapshot": [free.half_sample],
            }
            for method in (*found[0], *others):
                scores = others.get(method) or [each[method][0] for each in found]
                costs = [each[method][1] for each in found if method in each]
                row = {"case": name, "held out": held.index, "method": method}
                row |= {"w1": float(np.median(scores)), "w1_min": float(min(scores))}
                row |= {"w1_max": float(max(scores))}
                rows.append({**row, "cpu_s": float(np.median(costs or [0.0]))})
                print(*rows[-1].values(), flush=True)
    remarks = []
    for name, method in dict.fromkeys((row["case"], row["method"]) for row in rows):
        own = [r for r in rows if (r["case"], r["method"]) == (name, method)]
        w1, cpu = (np.mean([row[key] for row in own]) for key in ("w1", "cpu_s"))
        remarks.append(f"{name}, {method}: mean {w1:.3f}, {cpu:.1f} s a hold-out.")
    note = "Exact W1, units of the data; median, least and largest over seeds."
    report("Matching", rows, [], note=note, remarks=remarks)


def large(size=10_000, dim=50, steps=20_000):
    """Print how long a match of five large snapshots takes, and its memory."""
    rng = np.random.default_rng(0)
    drift = rng.normal(size=dim) / np.sqrt(dim)
    times = np.arange(5.0)
    clouds = [
        (rng.normal(size=(size, dim)) * 0.9**t + t * drift).astype(np.float32)
        for t in times
    ]
    energy = MLPPotential(dim, width=64, depth=3, time_dim=8, key=jax.random.key(0))
    flow = GradientFlow(energy, Wasserstein())
    wall, cpu = time.perf_counter(), time.process_time()
    found = fit(
        flow,
        Snapshots(times, clouds),
        FlowMatching(),
        steps=steps,
        patience=steps // 10,
        key=jax.random.key(0),
        progress=False,
    )
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    scores = found.history["validation_loss"]
    print(
        f"5 x {size} points in {dim} dimensions: {len(found.history['step'])} steps, "
        f"held pairs {scores[0]:.3f} to {scores.min():.3f}, {wall:.0f} s, of the "
        f"processors {cpu:.0f} s, at most "
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GB resident."
    )


def params(data, steps):
    """The study's parameters: matched laws, of the order that the snapshots ask for."""
    raw = read_yaml(CONFIG)
    raw["fit"] = {"steps": steps}
    raw["friction"] = {"learn": 0.5}
    raw["energy"] = {"kind": "MLPPotential", "width": 64, "depth": 3, "time_dim": 8}
    changes = ["objective={kind: FlowMatching}", "inertia=auto", "seeds=null"]
    raw = override(raw, changes)
    raw["data"]["path"] = str(data)
    return validate(Params, raw, str(data))


def hold_out(p, held, seed, warm):
    """W1 and seconds of the matched laws and, ``warm``, of rollouts from them."""
    matched, found = {}, {}
    key = jax.random.fold_in(jax.random.key(seed), held.index)

    def match(train, held, backwards):
        own = jax.random.fold_in(key, int(backwards))
        matched[backwards] = p.train(train, own, held.gap, progress=False)
        return matched[backwards]

    def go_on(train, held, backwards):
        del held
        begun = matched[backwards]
        # Rollouts start with the velocities that were matched, and meet places.
        given = begun.velocities if begun.kinetic else None
        seen = Snapshots(train.times, train.clouds, given)
        velocity = Given() if begun.kinetic else None
        loss = Sinkhorn(blur=0.3)
        options = {**ROLLOUTS, "velocity_scale": None, "loss": loss}
        return fit(
            begun.flow,
            seen,
            Rollouts(velocity=velocity, **options),
            steps=60,
            key=key,
            chunk=20,
            optimizer=AdamW(2e-3),
            progress=False,
        )

    ways = {"matched": match, "matched, then rollouts": go_on}
    for method, fitter in list(ways.items())[: 1 + warm]:
        begin = time.process_time()
        cloud, *_ = reach(held, fitter, **p.reaching)
        found[method] = score(cloud, held), time.process_time() - begin
    return found


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--case", nargs=2, action="append", metavar=("NAME", "DATA"), default=[]
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--warm", action="store_true")
    parser.add_argument("--large", action="store_true")
    arguments = parser.parse_args()
    if arguments.large:
        large()
        parser.exit(0)
    if not arguments.case:
        parser.exit(0, "No --case is given, so nothing is measured; see --help.\n")
    return arguments


if __name__ == "__main__":
    main()
