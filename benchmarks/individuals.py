"""How well laws know individuals: clones, tracked rows, and laws that are known.

    python benchmarks/individuals.py [--clones larry_clones.h5ad] [--countries RUN]

No training sees who became whom. ``--clones`` takes cells with clones (cospar's test
data, Weinreb et al. 2020: .obsm X_pca and X_clone, .obs time_info and state_info);
``--countries`` the finished run of configs/gapminder.yaml. Simulated laws need no file;
``--given`` leaves them out.
"""

import argparse

import jax
import numpy as np
from harness import report

import wflow as wf
from wflow.flows.sums import split_growth
from wflow.io import read_gapminder
from wflow.learning import Snapshots
from wflow.learning.baselines import all_baselines
from wflow.measures import Particles
from wflow.parameters.learnable import unwrap
from wflow.populations._laws import (
    ENERGY,
    GROWING,
    SECOND,
    VELOCITY,
    carried,
    restarted,
)
from wflow.populations.individuals import cosine, followed, kept, overlap
from wflow.populations.scores import growth_correlation
from wflow.populations.simulators import Toggle, toggle, vortex
from wflow.studies.population._data import rearranged
from wflow.transport import optimal_plan


KEY, STEPS = jax.random.key(0), 1000


def main():
    """Measure what files are given for, and the simulated laws."""
    arguments = _arguments()
    rows = [] if arguments.given else [*wells(), *cells(), *tracers()]
    if arguments.clones is not None:
        rows += clones(arguments.clones)
    if arguments.countries is not None:
        rows += countries(arguments.countries)
    note = "Everything that is scored was kept out of every training."
    report("Individuals", rows, [], note=note)


def row(case, answer, score, value):
    """A line of the table."""
    print(f"{case}, {answer}: {score} {value:.4g}", flush=True)
    return {"case": case, "answer": answer, "score": score, "value": float(value)}


def matched(law, snapshots, *, timed):
    """A law matched to snapshots in one unit for all coordinates."""
    options = {"timed": timed, "path": None, "steps": STEPS, "key": KEY}
    return law.fit(snapshots, padding=len(snapshots), **options)


def velocities(fitted, x, time):
    """The velocities of a law of first order at points."""
    law = Particles.from_samples(jax.numpy.asarray(x, np.float32))
    moving = split_growth(unwrap(fitted.flow))[0]
    return np.asarray(moving.velocity(law, jax.numpy.float32(time))[0])


def wells():
    """A double well in one coordinate, a bowl in the other; every snapshot anew."""
    rng = np.random.default_rng(0)
    drift = lambda x: -np.stack([2 * x[:, 0] * (x[:, 0] ** 2 - 1), x[:, 1]], 1)

    def path(x, time):
        for _ in range(round(time / 0.005)):
            x = x + 0.005 * drift(x)
        return x

    draw = lambda n: rng.normal(size=(n, 2)) * [0.5, 1.0] + [0.1, 2.5]
    times = 0.35 * np.arange(6)
    seen = Snapshots(times, [path(draw(300), t).astype(np.float32) for t in times])
    start, end = draw(500), times[-1]
    truth, found = path(start, end), []
    for law, timed in ((ENERGY, False), (VELOCITY, False), (ENERGY, True)):
        fitted = matched(law, seen, timed=timed)
        name = law.name + " of time" * timed
        asked = Snapshots([0.0], [start.astype(np.float32)])
        reached, *_ = carried(fitted.restarted(asked, (None,)), 0, end, 0.35)
        points = path(start, end / 2)
        own = followed(start, reached, truth)
        fate = np.mean((reached[:, 0] > 0) == (truth[:, 0] > 0))
        at = velocities(fitted, points, end / 2)
        case = "double well, 2-d"
        found += [
            row(case, name, "cosine of velocities", cosine(at, drift(points))),
            row(case, name, "error of paths / nothing moves", own.error / own.still),
            row(case, name, "same fate", fate),
        ]
    return found


def cells():
    """The three-gene toggle, whose cells divide, by counts of cells."""
    law, (seen, fresh) = Toggle(), (toggle(jax.random.key(k)) for k in (1, 2))
    sizes = np.array(seen.sizes, float)
    clouds = [x.astype(np.float32) for x in seen.clouds]
    plain = Snapshots(seen.times / 8, clouds, masses=sizes / sizes[0])
    found, case = [], "three-gene toggle"
    start = fresh[2].astype(np.float64)
    truth, end = start, seen.times[-1]
    for _ in range(int(end - seen.times[2]) * 4):
        truth = np.maximum(truth + 0.25 * law.drift(truth), 0)
    for kind in (GROWING, ENERGY):
        fitted = matched(kind, plain, timed=True)
        asked = Snapshots([plain.times[2]], [start.astype(np.float32)])
        reached, *_ = carried(fitted.restarted(asked, (None,)), 0, end / 8, 1.0)
        own = followed(start, reached, truth)
        at = velocities(fitted, start, plain.times[2])
        high = lambda x: x[:, 0] > x[:, 1]
        found += [
            row(case, kind.name, "cosine of velocities", cosine(at, law.drift(start))),
            row(
                case, kind.name, "error of paths / nothing moves", own.error / own.still
            ),
            row(case, kind.name, "same fate", np.mean(high(reached) == high(truth))),
        ]
        if kind is GROWING:
            told = growth_correlation(fitted.growth, plain, law.division_rate)
            found.append(row(case, kind.name, "correlation of growth", told))
    return found


def clones(path):
    """Mass that is sent within clones, and fates, of cells whose clones are known."""
    import anndata

    data = anndata.read_h5ad(path)
    x = np.asarray(data.obsm["X_pca"], np.float64)
    days = np.asarray(data.obs["time_info"]).astype(str)
    kinds = np.asarray(data.obs["state_info"]).astype(str)
    member = data.obsm["X_clone"]
    member = member.toarray() if hasattr(member, "toarray") else np.asarray(member)
    clone = member.argmax(axis=1)
    rows = [np.flatnonzero(days == day) for day in ("2", "4", "6")]
    scale = np.concatenate([x[r] for r in rows]).std(0).max()
    clouds = [((x[r] - x.mean(0)) / scale).astype(np.float32) for r in rows]
    seen = Snapshots([0.0, 1.0, 2.0], clouds)
    plans = {
        "independence": [_even(a, b) for a, b in zip(clouds, clouds[1:], strict=False)],
        "exact plan": [
            optimal_plan(a, b) for a, b in zip(clouds, clouds[1:], strict=False)
        ],
    }
    for law in (ENERGY, VELOCITY, SECOND):
        fitted = matched(law, seen, timed=True)
        moved = [carried(fitted, k, k + 1.0, 1.0)[0] for k in (0, 1)]
        plans[law.name] = [
            optimal_plan(a, b) for a, b in zip(moved, clouds[1:], strict=True)
        ]
    found, names = [], np.unique(kinds)
    for name, both in plans.items():
        for k, plan in enumerate(both):
            case = f"clones, day {2 + 2 * k} to {4 + 2 * k}"
            before, after = clone[rows[k]], clone[rows[k + 1]]
            found.append(row(case, name, "kept in clone", kept(plan, before, after)))
            later = (kinds[rows[k + 1]][:, None] == names).astype(float)
            same = (before[:, None] == after).astype(float)
            known = same.sum(1) > 0
            own = (same @ later)[known] / same.sum(1)[known, None]
            said = (plan @ later)[known] / plan.sum(1)[known, None]
            found.append(row(case, name, "overlap of fates", overlap(said, own)))
    return found


def _even(x, y):
    return np.full((len(x), len(y)), 1 / len(x) / len(y))


def tracers():
    """Tracers of a drifting vortex, at every second of eleven times."""
    every = vortex(jax.random.key(1))
    odd = range(1, len(every) - 1, 2)
    others = every.take([k for k in range(len(every)) if k not in odd])
    return tracked("tracers of a vortex", others, every.take(odd), {}, timed=True)


def countries(run):
    """Where each country is after 1992, and in every second year."""
    opened = wf.open_run(run)
    every = opened.units.to_model(read_gapminder(None).snapshots)
    known = len(opened.fit.snapshots)
    train, test = every.take(range(known)), every.take(range(known, len(every)))
    fitted = opened.config.restarted(opened.fit, train)
    config = {"the config's law": lambda _, time: fitted.forecast([time])[0]}
    case = "countries, 1997 to 2007 from 1992"
    found = tracked(case, train, test, config, timed=False)
    odd = range(1, len(every) - 1, 2)
    others = every.take([k for k in range(len(every)) if k not in odd])
    case = "countries, every second year held out"
    return found + tracked(case, others, every.take(odd), {}, timed=True)


def tracked(case, train, test, others, *, timed):
    """Individuals of ``test``, reached from the snapshot before.

    Rows of both are the same individuals. Those that train are shuffled, and one answer
    alone knows who is who: each goes its own way on, or half of the way to where it is
    next.
    """
    rng = np.random.default_rng(0)
    blind = rearranged(train, [rng.permutation(size) for size in train.sizes])
    gap = float(np.median(np.diff(train.times)))
    laws = {}
    for law in (ENERGY, VELOCITY, SECOND):
        fitted = restarted(matched(law, blind, timed=timed), train)
        laws[law.name] = lambda k, t, fitted=fitted: carried(fitted, k, t, gap)[0]
    told = {}
    for time, truth in zip(test.times.tolist(), test, strict=True):
        k = train.before(time)
        baselines = all_baselines(train, k, time)
        answers = {name: cloud for name, (cloud, _) in baselines.items()}
        first = min(k, len(train) - 2)
        (start, end), (x, y) = (
            entries[first : first + 2] for entries in (train.times, train.clouds)
        )
        own_way = x + (time - start) / (end - start) * (y - x)
        answers["own way, knows who is who"] = own_way
        answers |= {name: answer(k, time) for name, answer in (laws | others).items()}
        for name, cloud in answers.items():
            own = followed(train[k], cloud, truth)
            plan, names = optimal_plan(cloud, truth), range(len(truth))
            same = kept(plan, names, names)
            told.setdefault(name, []).append((own.error, own.cosine, same))
    scores = ("error of an individual", "cosine", "taken for itself")
    return [
        row(case, name, score, value)
        for name, found in told.items()
        for score, value in zip(scores, np.mean(found, axis=0), strict=True)
    ]


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clones", metavar="H5AD")
    parser.add_argument("--countries", metavar="RUN")
    parser.add_argument("--given", action="store_true")
    found = parser.parse_args()
    if found.given and not (found.clones or found.countries):
        parser.error("--given: no file is given.")
    return found


if __name__ == "__main__":
    main()
