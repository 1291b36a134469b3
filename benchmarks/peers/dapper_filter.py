"""DAPPER's filters on its own settings: arguments case, folder, cycles and seeds.

It writes the truths and observations that it draws into the folder, for others to
filter too.
"""

import contextlib
import sys
from pathlib import Path

import numpy as np

from .worker import serve


def cases():
    """Hidden Markov model and filter by name, as DAPPER's files suggest them."""
    import dapper.da_methods as da
    from dapper.mods.Lorenz63.sakov2012 import HMM as LORENZ63
    from dapper.mods.Lorenz96.sakov2008 import HMM as LORENZ96

    return {
        "L63 EnKF 100": (LORENZ63, da.EnKF("PertObs", N=100, infl=1.01)),
        "L63 EnKF 10": (LORENZ63, da.EnKF("PertObs", N=10, infl=1.04)),
        "L63 ETKF 10": (LORENZ63, da.EnKF("Sqrt", N=10, infl=1.02, rot=True)),
        "L63 PF 100": (LORENZ63, da.PartFilt(N=100, reg=2.4, NER=0.3)),
        "L63 PF 800": (LORENZ63, da.PartFilt(N=800, reg=0.9, NER=0.2)),
        "L96 EnKF 40": (LORENZ96, da.EnKF("PertObs", N=40, infl=1.06)),
        "L96 ETKF 24": (LORENZ96, da.EnKF("Sqrt", N=24, infl=1.013, rot=True)),
        "L96 LETKF 7": (LORENZ96, da.LETKF(N=7, rot=True, infl=1.04, loc_rad=4)),
    }


def main(case, folder, cycles, seeds):
    """Answer each seed with the time mean of the analysis error after the burn-in."""
    # Its messages must not come between the answers.
    with contextlib.redirect_stdout(sys.stderr):
        import dapper as dpr
        import dapper.tools.progressbar as progress

        progress.disable_progbar = True
        model, filter = cases()[case]
        # It counts observations from 0 to Ko.
        model.tseq.Ko = cycles - 1
        twins = {}
        for seed in range(seeds):
            dpr.set_seed(3000 + seed)
            truth, observed = model.simulate()
            twins[str(seed)] = truth, observed
            np.savez(
                Path(folder) / f"{seed}.npz",
                truth=truth[model.tseq.kko],
                observed=np.stack(list(observed)),
            )

    def run(seed):
        with contextlib.redirect_stdout(sys.stderr):
            filter.assimilate(model, *twins[seed], liveplots=False)
            filter.stats.average_in_time()
        return float(filter.avrgs.err.rms.a.val)

    serve({seed: lambda seed=seed: run(seed) for seed in twins})


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
