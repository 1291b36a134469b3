"""SVGD by wflow and by BlackJAX: time and memory of a step, and eight schools.

    python benchmarks/sampling.py [eight_schools__eight_schools_noncentered.npz]

Each library has a process of its own, so that its peak of memory is its own.
"""

import importlib.util
import statistics
import sys
import warnings

import jax
import jax.numpy as jnp
import numpy as np
from harness import report
from peers.svgd import STEPS
from peers.worker import Worker


LIBRARIES = ("wflow", "blackjax")
REPEATS = 5
SEEDS, PARTICLES, SVGD_STEPS = 9, 100, 1500


def main():
    """Print both tables."""
    missing = [] if importlib.util.find_spec("blackjax") else ["blackjax"]
    peers = [name for name in LIBRARIES if name not in missing]
    rows = []
    for n in STEPS:
        for rule in ("median", "fixed"):
            rows += timings(n, rule, peers)
    note = (
        f"Median of {REPEATS} interleaved runs after one that compiles; d = 10; "
        "the peak is of the whole process, Python and compiler included."
    )
    remarks = [
        "The median rule of wflow takes 256 of the points, that of blackjax all pairs.",
        "blackjax holds all n x n x d terms of a step at once, wflow blocks of them: "
        "its memory beyond the process itself is linear in n.",
    ]
    report("SVGD steps", rows, missing, note, remarks)
    if len(sys.argv) > 1:
        report(
            "Eight schools",
            posterior(sys.argv[1], missing),
            missing,
            f"{PARTICLES} particles, medians over {SEEDS} starts; errors in units of "
            "the reference standard deviation, over theta, mu and tau.",
        )


def timings(n, rule, peers):
    """One row a library."""
    workers, found, peaks = {}, {}, {}
    for name in peers:
        workers[name] = Worker("svgd", name, str(n), rule)
        found[name] = []
    for turn in range(REPEATS + 1):
        for name, worker in workers.items():
            if found[name] is None:
                continue
            try:
                answer = worker.run("steps")
            except RuntimeError:
                found[name] = None
                continue
            peaks[name] = answer["peak_mib"]
            if turn:
                found[name].append(answer["seconds"] / STEPS[n])
    for name, worker in workers.items():
        if found[name] is not None:
            worker.close()
    base = statistics.median(found["wflow"])
    rows = []
    for name, seconds in found.items():
        row = {"case": f"n = {n}, {rule} bandwidth", "library": name}
        if seconds is None:
            row |= {"seconds": "out of memory", "ratio": "-", "peak_mib": "-"}
        else:
            middle = statistics.median(seconds)
            row |= {
                "seconds": middle,
                "ratio": middle / base,
                "peak_mib": round(peaks[name]),
            }
        rows.append(row)
    return rows


def posterior(path, missing):
    """Worst error of a mean and ratios of standard deviations, a row a method."""
    jax.config.update("jax_enable_x64", True)
    from wflow.sampling import SHK, SVGD, laplace, sample
    from wflow.sampling.posteriors import load_posterior

    found = load_posterior(path)
    d = len(found.names)
    law = laplace(found.target, jnp.zeros(d))
    whitened = found.target.whitened(law)
    root = jnp.linalg.cholesky(law.cov)
    read = {
        "whitened": jax.jit(jax.vmap(whitened.scalars)),
        "plain": jax.jit(jax.vmap(found.target.scalars)),
    }

    def ours(method):
        def run(key, z):
            samples = sample(whitened, z, method=method, key=key, saves=1)
            return read["whitened"](samples.particles), samples.weights

        return run

    def peer(key, z):
        import blackjax
        import optax

        del key
        svgd = blackjax.svgd(jax.grad(whitened.log_density), optax.adam(0.1))
        state = svgd.init(z, {"length_scale": 1.0})
        state = blackjax.vi.svgd.update_median_heuristic(state)
        step = lambda s, _: (svgd.step(s), None)
        state, _ = jax.lax.scan(step, state, length=SVGD_STEPS)
        return read["whitened"](state.particles), jnp.full(len(z), 1 / len(z))

    def peer_plain(key, z):
        import blackjax
        import optax

        del key
        svgd = blackjax.svgd(jax.grad(found.target.log_density), optax.adam(0.1))
        state = svgd.init(law.mean + z @ root.T, {"length_scale": 1.0})
        state = blackjax.vi.svgd.update_median_heuristic(state)
        step = lambda s, _: (svgd.step(s), None)
        state, _ = jax.lax.scan(step, state, length=SVGD_STEPS)
        return read["plain"](state.particles), jnp.full(len(z), 1 / len(z))

    methods = {
        "wflow SHK (default)": ours(SHK(step_size=0.1, steps=1000)),
        "wflow SVGD, 1500 steps": ours(SVGD(step_size=0.3, steps=SVGD_STEPS)),
    }
    if not missing:
        methods["blackjax SVGD, whitened, 1500 steps"] = jax.jit(peer)
        methods["blackjax SVGD, not whitened, 1500 steps"] = jax.jit(peer_plain)
    rows = []
    for name, run in methods.items():
        errors = []
        for seed in range(SEEDS):
            start_key, key = jax.random.split(jax.random.key(seed))
            z = 2 * jax.random.normal(start_key, (PARTICLES, d))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                values, weights = (np.asarray(part) for part in run(key, z))
            mean = weights @ values
            ratio = np.sqrt(weights @ (values - mean) ** 2) / found.std
            worst = np.abs((mean - found.mean) / found.std).max()
            errors.append((worst, ratio.min(), ratio.max()))
        worst, low, high = np.median(errors, axis=0)
        rows.append(
            {"method": name, "worst mean": worst, "sd least": low, "sd most": high}
        )
    return rows


if __name__ == "__main__":
    main()
