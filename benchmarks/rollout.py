"""A training step of the published architectures: wflow against PyTorch and geomloss.

    python benchmarks/rollout.py [--case reference --case boids] [--repeats 7]

Both peers have the same weights and clouds, and must give the same loss and gradient.
Each runs in its own process, in turn, so that their threads do not meet. Beside the
time stands that of a large matrix product, by the same peer in the same process.
"""

import argparse
import importlib.util
import statistics
import tempfile
from pathlib import Path
from typing import Any

import jax
import numpy as np
from harness import report
from peers.step import CASES, operations
from peers.wflow_step import force_gradient
from peers.worker import Worker


TITLE = "Training step"
WORK = ("forward", "gradient", "step")
SQUARE = 2 * 2048**3
# Of the loss and, in norm, of its gradient, with a slow sweep of blurs in geomloss: for
# p = 1 neither is wholly converged.
SAME_LOSS, SAME_GRADIENT = 2e-3, 5e-2
NOTE = (
    "First call (with compiling), then median and least time of later calls, and least "
    "CPU time of both cores; the peers take turns. `ratio`: least time over that of "
    "wflow. `times_matmul`: least time over what the counted operations take at the "
    "peer's own rate of a float32 product of 2048 x 2048, `cpu_times_matmul` the same "
    "of CPU times, which other jobs disturb less. `peak_mib`: largest resident memory "
    "of the peer's process so far, compiling included."
)


def main():
    """Time every case, compare the peers' numbers and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", action="append", choices=CASES)
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    missing = [
        name for name in ("torch", "geomloss") if not importlib.util.find_spec(name)
    ]
    rows, remarks = [], []
    for name in arguments.case or ("reference", "boids"):
        peers = {"wflow": "wflow_step"}
        if not missing:
            peers["PyTorch + geomloss"] = "torch_step"
        rows += timed(name, peers, arguments.repeats, remarks)
    report(TITLE, rows, missing, NOTE, remarks)


def timed(
    name: str, peers: dict[str, str], repeats: int, remarks: list[str]
) -> list[dict[str, Any]]:
    """Rows of one case; remarks on what was counted and compared are added."""
    case = CASES[name]
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "weights.npz")
        # In this order: the first writes the weights that the others read.
        workers = {peer: Worker(module, name, path) for peer, module in peers.items()}
        runs = {
            (peer, work): [workers[peer].run(work)]
            for work in ("matmul", *WORK)
            for peer in peers
        }
        for _ in range(repeats):
            for (peer, work), answers in runs.items():
                answers.append(workers[peer].run(work))
        losses = [worker.run("export")["value"] for worker in workers.values()]
        for worker in workers.values():
            worker.close()
        rates, cpu_rates = (
            {peer: SQUARE / least(runs[peer, "matmul"], key) for peer in peers}
            for key in ("seconds", "cpu")
        )
        remarks.append(compared(name, losses, Path(folder)))
    spoken = ", ".join(f"{peer} {rate / 1e9:.0f} GF/s" for peer, rate in rates.items())
    remarks.append(
        f"{name}: matrix products at {spoken}; {operations(case, 'step') / 1e9:.1f} GF "
        "a step by the formula in peers/step.py, of which XLA counts "
        f"{xla_share(name):.3f} through one force. wflow computes every force once "
        "more on the way back, a third more than is counted for a step."
    )
    rows = []
    for work in WORK:
        base = least(runs["wflow", work], "seconds")
        for peer in peers:
            answers = runs[peer, work]
            best, used = least(answers, "seconds"), least(answers, "cpu")
            counted = operations(case, work)
            rows.append(
                {
                    "case": name,
                    "work": work,
                    "peer": peer,
                    "first_s": answers[0]["seconds"],
                    "median_s": statistics.median(a["seconds"] for a in answers[1:]),
                    "least_s": best,
                    "cpu_s": used,
                    "ratio": best / base,
                    "times_matmul": best * rates[peer] / counted,
                    "cpu_times_matmul": used * cpu_rates[peer] / counted,
                    "peak_mib": answers[0]["peak_mib"],
                }
            )
    return rows


def least(answers: list[dict[str, float]], key: str) -> float:
    """Least of the later calls."""
    return min(answer[key] for answer in answers[1:])


def xla_share(name: str) -> float:
    """What XLA counts in the gradient through one force, over the formula."""
    function, arguments = force_gradient(CASES[name])
    found = jax.jit(function).lower(*arguments).cost_analysis()["flops"]
    one = CASES[name]._replace(intervals=1)
    return found / operations(one, "gradient")


def compared(name: str, losses: list[float], folder: Path) -> str:
    """A sentence on how far the peers' numbers differ.

    Raises:
        AssertionError: they did not do the same work.
    """
    sentence = f"{name}: loss {losses[0]:.6g}"
    if len(losses) == 1:
        return sentence + "."
    ours = np.load(folder / "weights_wflow.npz")
    theirs = np.load(folder / "weights_torch.npz")
    flat = [
        np.concatenate([each[key].ravel() for key in ours.files])
        for each in (ours, theirs)
    ]
    loss = abs(losses[0] - losses[1]) / abs(losses[1])
    slope = float(np.linalg.norm(flat[0] - flat[1]) / np.linalg.norm(flat[1]))
    assert loss < SAME_LOSS, f"{name}: losses {losses}"
    assert slope < SAME_GRADIENT, f"{name}: gradients differ by {slope:.2g}"
    return sentence + f"; the peers differ by {loss:.1g}, gradients by {slope:.1g}."


if __name__ == "__main__":
    main()
