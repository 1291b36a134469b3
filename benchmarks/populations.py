"""Leave-one-snapshot-out on real cells: wflow, TorchCFM's OT-CFM, what needs no model.

    python benchmarks/populations.py --case CONFIG DATA [RUN] [--case ...]

CONFIG is one of configs/leave_one_out_*.yaml, DATA the file that it asks for, RUN the
folder of its finished run; without RUN the config is run here, and the word none leaves
wflow out. OT-CFM trains on the same snapshots as wflow, for each that is held out and
each seed. W1 is exact, in the units of the data.
"""

import argparse
import importlib.metadata
import importlib.util
import json
import tempfile
import time
from pathlib import Path

import numpy as np
from harness import RESULTS, report
from rich.console import Console

from wflow.cli.runner import prepare, run_config
from wflow.populations import hold_outs
from wflow.populations.leave_one_out import Cloud, HoldOut, score, yardsticks
from wflow.studies._configs import read_yaml
from wflow.studies.population._data import load


TITLE = "Populations"
ENDS = ("min", "max")
PEER = "TorchCFM OT-CFM"
PACKAGES = ("torch", "torchcfm")
# The package's single-cell example has these two, ...
WIDTH, SIGMA = 64, 0.1
# ... and batches of 256, 10000 steps at 1e-4. Three times these steps were no better.
BATCH, STEPS, RATE = 128, 1000, 1e-3
# Of Runge and Kutta's method, in a unit of time.
SUBSTEPS = 32


def main():
    """Score every case, print the table and who is nearer where."""
    arguments = _arguments()
    missing = [name for name in PACKAGES if not importlib.util.find_spec(name)]
    earlier = _earlier(arguments.earlier)
    rows, verdicts = [], []
    for config, data, *run in arguments.case:
        name = Path(config).stem.removeprefix("leave_one_out_")
        _, checked = prepare(read_yaml(Path(config)), config, Path(data))
        held_out = hold_outs(load(checked, config).snapshots)
        found = {}
        if run != ["none"]:
            folder = Path(run[0]) if run else None
            own = wflow_peer(Path(config), Path(data), folder, len(held_out))
            found["wflow"] = own
        if name in earlier:
            found[PEER] = earlier[name]
        elif not missing:
            found[PEER] = [
                [cfm_peer(held, seed, arguments.steps) for seed in arguments.seeds]
                for held in held_out
            ]
        free = [yardsticks(held) for held in held_out]
        found["OT midpoint"] = [[each.ot_midpoint] for each in free]
        found["nothing moves"] = [[each.nothing_moves] for each in free]
        rows += [
            {
                "case": name,
                "held out": held.index,
                "peer": peer,
                "w1": float(np.median(scores[i])),
                "w1_min": float(np.min(scores[i])),
                "w1_max": float(np.max(scores[i])),
            }
            for i, held in enumerate(held_out)
            for peer, scores in found.items()
        ]
        if "wflow" in found:
            verdicts += _verdicts(name, held_out, found)
    note = (
        "Exact W1 to the held-out snapshot, units of the data, lower is better; "
        "median, least and largest over seeds."
    )
    if not missing:
        peers = [f"{name} {importlib.metadata.version(name)}" for name in PACKAGES]
        note += f" {', '.join(peers)}."
    report(TITLE, rows, missing, note=note, remarks=verdicts)


def cfm_peer(held: HoldOut, seed: int, steps: int) -> float:
    """Exact W1 of ``cfm_cloud``."""
    begin = time.perf_counter()
    found = score(cfm_cloud(held, seed, steps), held)
    seconds = time.perf_counter() - begin
    print(f"{PEER}, {held.index} held out, seed {seed}: {found:.4f}, {seconds:.0f} s")
    return found


def cfm_cloud(held: HoldOut, seed: int, steps: int) -> Cloud:
    """A flow between consecutive training snapshots, at the time that is held out.

    The flow is trained in units in which the pooled training snapshots are standard,
    begins at the cells of the snapshot before, and runs on the time of the data.
    """
    import torch
    from torchcfm.conditional_flow_matching import (
        ExactOptimalTransportConditionalFlowMatcher,
    )
    from torchcfm.models.models import MLP

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    # The matcher draws its pairs with numpy's global generator.
    np.random.seed(seed)  # noqa: NPY002
    train, units = held.train.standardize()
    clouds = [torch.tensor(cloud, dtype=torch.float32) for cloud in train]
    times = train.times
    matcher = ExactOptimalTransportConditionalFlowMatcher(sigma=SIGMA)
    field = MLP(dim=train.dim, w=WIDTH, time_varying=True)
    optimizer = torch.optim.Adam(field.parameters(), RATE)
    for _ in range(steps):
        inputs, targets = [], []
        for k, gap in enumerate(np.diff(times)):
            ends = [
                cloud[torch.randint(len(cloud), (BATCH,))]
                for cloud in clouds[k : k + 2]
            ]
            share, x, u = matcher.sample_location_and_conditional_flow(*ends)
            inputs.append(torch.cat([x, (times[k] + gap * share)[:, None]], 1).float())
            targets.append(u / gap)
        optimizer.zero_grad()
        loss = torch.mean((field(torch.cat(inputs)) - torch.cat(targets)) ** 2)
        loss.backward()
        optimizer.step()

    def velocity(x, t):
        return field(torch.cat([x, torch.full((len(x), 1), t)], 1))

    before = held.index - 1
    x, t = clouds[before], float(times[before])
    count = max(1, round(SUBSTEPS * (held.time - t)))
    h = (held.time - t) / count
    with torch.no_grad():
        for _ in range(count):
            a = velocity(x, t)
            b = velocity(x + h / 2 * a, t + h / 2)
            c = velocity(x + h / 2 * b, t + h / 2)
            x = x + h / 6 * (a + 2 * b + 2 * c + velocity(x + h * c, t + h))
            t += h
    points = x.numpy().astype(np.float64) * units.std + units.mean
    return points, held.train.weight(before)


def wflow_peer(config: Path, data: Path, run: Path | None, count: int) -> list:
    """Scores of the config's run, by hold-out: median, least and largest over seeds."""
    with tempfile.TemporaryDirectory() as folder:
        if run is None:
            run = Path(folder) / "run"
            run_config(config, [], data, run, resume=False, console=Console())
        metrics = json.loads((run / "metrics.json").read_text())
    names = [f"w1_{k}" for k in range(1, count + 1)]
    return [
        [metrics[name], *(metrics.get(f"{name}_{end}", metrics[name]) for end in ENDS)]
        for name in names
    ]


def _verdicts(name: str, held_out: list[HoldOut], found: dict) -> list[str]:
    """Which hold-outs wflow is nearer at, by the median over seeds, and the means."""
    medians = {
        peer: np.array([np.median(each) for each in scores])
        for peer, scores in found.items()
    }
    lines = []
    for peer, others in medians.items():
        if peer == "wflow":
            continue
        wins = medians["wflow"] < others
        at = ", ".join(str(held_out[i].index) for i in np.flatnonzero(wins)) or "none"
        lines.append(
            f"{name}: wflow (mean {medians['wflow'].mean():.4f}) is nearer than {peer} "
            f"({others.mean():.4f}) at {wins.mean():.0%} of the snapshots: {at}."
        )
    return lines


def _earlier(path: Path | None) -> dict[str, list]:
    """The peer's scores by case, from results that this script wrote."""
    found: dict[str, list] = {}
    if path is not None:
        for row in json.loads(path.read_text())["rows"]:
            if row["peer"] == PEER:
                ends = [row["w1"], row["w1_min"], row["w1_max"]]
                found.setdefault(row["case"], []).append(ends)
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--case", nargs="+", action="append", metavar="FILE", default=[]
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=STEPS, help=f"of {PEER}")
    parser.add_argument(
        "--earlier",
        type=Path,
        metavar="JSON",
        help=f"take {PEER} from what was written before, as in {RESULTS.name}/",
    )
    arguments = parser.parse_args()
    if not arguments.case:
        parser.exit(0, "No --case is given, so nothing is measured; see --help.\n")
    return arguments


if __name__ == "__main__":
    main()
