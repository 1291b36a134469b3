"""The board of the field: its protocols on public cells, wflow's laws beside others.

    python benchmarks/board.py [FOLDER] [--masses NAME DATA] [--seed 0] [--page FILE]

FOLDER holds val_rna.npz and test_rna.npz of github.com/take-koshizuka/NLSB (X, ts):
embryoid bodies, 1,000 and 1,750 cells. Each inner time is left out of both together, in
5 whitened, 50 raw and 100 raw components; and the former train for the latter, nothing
left out. ``--masses`` adds a .npz with x and t whose counts are masses, once without
them and once with them. OT-CFM of TorchCFM answers too where it is installed.
"""

import argparse
import datetime
import importlib.metadata
import importlib.util
import platform
from pathlib import Path

import jax
import numpy as np
from populations import PACKAGES, PEER, STEPS, cfm_cloud

from wflow.learning import Snapshots
from wflow.populations.board import board


VERSIONS = ("wflow-jax", "jax", "equinox", "optax", "pot", "numpy", *PACKAGES)
# Printed in the repository of OTP-FM, in an earlier REPRODUCIBILITY.md.
PUBLISHED = """\
Published, not run here: mean $W_1$ over the three hold-outs of 5 components of all
16,819 cells, in units in which these are standard, as the repository of OTP-FM
(github.com/Bexorg-Inc/OTP-FM, an earlier REPRODUCIBILITY.md) prints it. With six times
the cells the floor is lower, so that these are marks and no rows of the table above.

| published | $W_1$ | chosen |
|---|---|---|
| OTP-FM, W2 | 0.643 (0.618, 0.657, 0.654) | "best checkpoint should be used" |
| OTP-FM, W2Inf | 0.748 (0.712, 0.732, 0.801) | not said |
| OT-CFM | 0.822 | not said |
| WLF-OT | 0.641 | its potential knows the held-out cells |
"""


def main():
    """Run every protocol, print the page and write it."""
    arguments = _arguments()
    key, others = jax.random.key(arguments.seed), _peers(arguments.seed)
    lines = _head(arguments.seed)
    if arguments.folder is not None:
        lines += _embryoid_bodies(arguments.folder, key, others)
    for name, path in arguments.masses:
        with np.load(path) as file:
            x, t = file["x"], file["t"]
        for counted in (False, True):
            found = board(_snapshots(x, t, counted=counted), key=key, others=others)
            how = "with masses as counts" if counted else "without masses"
            lines += _section(f"{name}: each inner time left out, {how}", found)
        title = f"{name}: another sample of the same times, with masses as counts"
        parts = (_snapshots(x[k::2], t[k::2], counted=True) for k in (0, 1))
        lines += _section(title, board(next(parts), key=key, test=next(parts)))
    text = "\n".join(lines).rstrip() + "\n"
    print(text)
    if arguments.page is not None:
        arguments.page.write_text(text)


def _embryoid_bodies(folder, key, others):
    parts = {name: _read(folder / f"{name}_rna.npz") for name in _FILES}
    x = np.concatenate([parts[name][0] for name in _FILES])
    t = np.concatenate([parts[name][1] for name in _FILES])
    white = x[:, :5].mean(0), x[:, :5].std(0)
    lines = []
    runs = [
        (
            "5 whitened components, each inner time left out",
            (x[:, :5] - white[0]) / white[1],
        )
    ]
    runs += [
        (f"{d} raw components, each inner time left out", x[:, :d]) for d in (50, 100)
    ]
    for title, points in runs:
        found = board(_snapshots(points, t), key=key, others=others)
        lines += _section(f"Embryoid bodies: {title}", found)
        if title.startswith("5"):
            lines += [PUBLISHED]
    train, test = (
        _snapshots((parts[name][0][:, :5] - white[0]) / white[1], parts[name][1])
        for name in _FILES
    )
    title = "Embryoid bodies: 5 whitened components, another sample of the same times"
    lines += _section(title, board(train, key=key, test=test))
    return lines


_FILES = ("val", "test")


def _read(path):
    with np.load(path) as file:
        return file["X"], file["ts"]


def _snapshots(x, t, *, counted=False):
    times = np.unique(t)
    clouds = [x[t == time] for time in times]
    sizes = np.array([len(cloud) for cloud in clouds], float)
    masses = sizes / sizes[0] if counted else None
    return Snapshots(times.astype(float), clouds, masses=masses)


def _peers(seed):
    if not all(importlib.util.find_spec(name) for name in PACKAGES):
        return {}
    return {PEER: lambda held: cfm_cloud(held, seed, STEPS)}


def _head(seed):
    known = []
    for name in VERSIONS:
        try:
            known.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            known.append(f"{name} not installed")
    now = datetime.datetime.now(datetime.UTC).date()
    return [
        "# The board",
        "",
        f"{now:%d %B %Y}, Python {platform.python_version()}, {', '.join(known)}; seed "
        f"{seed}. Written by `python benchmarks/board.py`, whose text says how.",
        "",
        "Exact $W_1$, lower is better. *Above the floor* is what it is more than the "
        "distance of two samples of the truth of its size, from halves of it. The "
        "energy distance is without bias: zero on average for a sample of the truth. "
        "Intervals are of 95 %, by a paired bootstrap of the cells. *Chosen blind* is "
        "the law that the training snapshots alone chose, at the step that pairs kept "
        "out of training chose; *best epoch* is the same training at the step of "
        "twenty that the held-out cells like best: what such a choice is worth, and "
        "no forecast.",
        "",
    ]


def _section(title, found):
    print(f"{title}: done", flush=True)
    return [f"## {title}", "", str(found), ""]


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument(
        "--masses", nargs=2, action="append", metavar=("NAME", "DATA"), default=[]
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--page", type=Path)
    arguments = parser.parse_args()
    if arguments.folder is None and not arguments.masses:
        parser.exit(0, "Nothing is given, so nothing is measured; see --help.\n")
    return arguments


if __name__ == "__main__":
    main()
