"""Blocks of pages, of arrays that somebody made up."""

import numpy as np

from wflow.plotting.report.blocks import Motion, Table


ODD = "</script><script>alert(1)</script> & <b>"
TABLE = Table(
    "Scores",
    ["day 1", ODD],
    {"model": [0.5, 0.25], "nothing moves": [0.75, None], "mean": [0.5, 0.5]},
    models=["model"],
    floor=[0.375, None],
    spread={"model": [(0.4, 0.625), None]},
)


def motion(paths=6, times=5, dim=2, **options):
    """Points that move along the first axis, each at its own height."""
    t = np.linspace(0.0, 4.0, times)
    x = np.zeros((times, paths, dim))
    x[..., 0] = t[:, None]
    x[..., -1] += np.arange(paths)
    seen = [x[0] + 0.5, x[-1]]
    found = {"observed_times": [0.0, 4.0], "observed": seen, "held_out": [4.0]}
    return Motion(t, x, **{**found, **options})
