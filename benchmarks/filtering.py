"""Filters by wflow and by DAPPER: error and time of a cycle on the same observations.

    python benchmarks/filtering.py [--dapper PYTHON] [--cycles 1000] [--seeds 4]

DAPPER may live in another environment: ``--dapper`` is its Python. It draws the truths,
and both filter them. Each library has a process of its own.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile

from harness import report
from peers.wflow_filter import cases
from peers.worker import Worker


# As DAPPER prints them beside its settings.
PUBLISHED = {
    "L63 EnKF 100": 0.56,
    "L63 EnKF 10": 0.65,
    "L63 ETKF 10": 0.60,
    "L63 PF 100": 0.38,
    "L63 PF 800": 0.28,
    "L96 EnKF 40": 0.22,
    "L96 ETKF 24": 0.18,
    "L96 LETKF 7": 0.22,
}


def main():
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--dapper", default=sys.executable, metavar="PYTHON")
    parser.add_argument("--cycles", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=4)
    options = parser.parse_args()
    # Threads of the linear algebra cost more than they give on matrices this small.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    command = [options.dapper, "-c", "import dapper"]
    missing = subprocess.run(command, capture_output=True).returncode != 0
    rows = []
    for case in cases():
        rows += timings(case, options, missing)
    note = (
        f"Means over {options.seeds} truths of {options.cycles} observations, burn-in "
        "16 (L63) and 20 (L96) time units; +- is the standard error of the mean. "
        "Seconds are CPU seconds of a cycle, medians over the runs after the first."
    )
    remarks = [
        "L63: DAPPER's Lorenz63/sakov2012, observed every 0.25; L96: "
        "Lorenz96/sakov2008, observed every 0.05. The number is that of members.",
        "DAPPER's time includes its statistics, which it takes at every model step; "
        "its published scores are in the last column.",
        "first_s is the first run, in wflow with compiling.",
        "wflow's particle filter is scored before it resamples, DAPPER's after.",
    ]
    report("Filters", rows, ["dapper"] if missing else [], note, remarks)


def timings(case, options, missing):
    """One row a library."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        arguments = case, folder, str(options.cycles), str(options.seeds)
        # DAPPER first: it writes the truths.
        peers = {} if missing else {"dapper": options.dapper}
        for name, python in {**peers, "wflow": sys.executable}.items():
            worker = Worker(f"{name}_filter", *arguments, python=python)
            answers = [worker.run(str(seed)) for seed in range(options.seeds)]
            answers += [worker.run("0")]
            worker.close()
            errors = [answer["value"] for answer in answers[: options.seeds]]
            spread = statistics.stdev(errors) if len(errors) > 1 else float("nan")
            rows.append(
                {
                    "case": case,
                    "library": name,
                    "rmse": statistics.mean(errors),
                    "+-": spread / len(errors) ** 0.5,
                    "cpu_s_per_cycle": statistics.median(
                        answer["cpu"] / options.cycles for answer in answers[1:]
                    ),
                    "wall_s_per_cycle": statistics.median(
                        answer["seconds"] / options.cycles for answer in answers[1:]
                    ),
                    "first_s": answers[0]["seconds"],
                    "published": PUBLISHED[case],
                }
            )
    rows.reverse()
    base = rows[0]["cpu_s_per_cycle"]
    return [row | {"ratio": row["cpu_s_per_cycle"] / base} for row in rows]


if __name__ == "__main__":
    main()
