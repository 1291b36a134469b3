"""The filters of wflow on given truths: arguments case, folder, cycles and seeds."""

import sys
from pathlib import Path

import jax
import numpy as np

from .worker import serve


def cases():
    """Setting, method and number of members by the names of the peer."""
    from wflow.filtering import (
        ETKF,
        LETKF,
        Domain,
        EnKF,
        ParticleFilter,
        lorenz63_full,
        lorenz96_classic,
    )

    return {
        "L63 EnKF 100": (lorenz63_full, EnKF(1.01), 100),
        "L63 EnKF 10": (lorenz63_full, EnKF(1.04), 10),
        "L63 ETKF 10": (lorenz63_full, ETKF(1.02, rotate=True), 10),
        "L63 PF 100": (lorenz63_full, ParticleFilter(2.4, 0.3), 100),
        "L63 PF 800": (lorenz63_full, ParticleFilter(0.9, 0.2), 800),
        "L96 EnKF 40": (lorenz96_classic, EnKF(1.06), 40),
        "L96 ETKF 24": (lorenz96_classic, ETKF(1.013, rotate=True), 24),
        "L96 LETKF 7": (
            lorenz96_classic,
            LETKF(Domain.ring(4, 40), 1.04, rotate=True),
            7,
        ),
    }


def main(case, folder, cycles, seeds):
    """Answer each seed with the time mean of the analysis error after the burn-in."""
    from wflow.filtering import filter

    jax.config.update("jax_enable_x64", True)
    setting, method, n = cases()[case]
    setting = setting()
    truths, starts = {}, {}
    for seed in range(seeds):
        file = Path(folder) / f"{seed}.npz"
        if file.exists():
            found = np.load(file)
            truths[str(seed)] = found["truth"], found["observed"]
        else:
            twin = setting.twin(jax.random.key(seed), cycles)
            truths[str(seed)] = twin.truth, twin.observed
        starts[str(seed)] = setting.ensemble(jax.random.key(100 + seed), n)

    def run(seed):
        truth, observed = truths[seed]
        key = jax.random.key(200 + int(seed))
        found = filter(setting.model, method, observed, starts[seed], key, save=False)
        error = np.sqrt(((np.asarray(found.mean) - truth) ** 2).mean(1))
        return float(error[setting.burn_in :].mean())

    serve({seed: lambda seed=seed: run(seed) for seed in truths})


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
