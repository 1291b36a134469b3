"""What moves in the pictures of the systems: figures in order, from an example's run.

``MOVING[name]`` takes what the script ``examples/.../name.py`` has made, by name, and
yields one figure after the other; ``docs/figures.py`` makes a picture of them.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import wflow as wf
from wflow.plotting.style import MODEL, OBSERVED


def _panels(count=1, width=3.0, height=2.6):
    return plt.subplots(1, count, figsize=(count * width, height), layout="constrained")


def plane(made):
    """Four geometries, at the times that are saved."""
    for k in range(len(made["times"])):
        yield made["draw"](k)


def streams(made):
    """Both streams, from before they grow."""
    for k in range(10, 81, 2):
        figure, axes = _panels(width=4.8, height=3)
        made["draw"](axes, made["solution"][k])
        yield figure


def mechanics(made):
    """A learned law, through the snapshots that it was learned from and beyond."""
    times = np.linspace(0, 2.5, 51)[1:]
    clouds = made["found"].forecast(times, start="initial")
    for time, cloud in zip(times, clouds, strict=True):
        figure, axes = _panels(width=4, height=3.4)
        for at, seen in zip(made["times"], made["clouds"], strict=True):
            look = {"color": OBSERVED, "alpha": 0.9 if abs(at - time) < 0.06 else 0.15}
            axes.plot(*seen.T, "o", ms=3, **look)
            axes.annotate(f"{at:g}", 1.45 * seen.mean(axis=0), ha="center", va="center")
        axes.plot(*np.asarray(cloud).T, ".", color=MODEL)
        axes.set(xlim=(-5, 5), ylim=(-2, 5), aspect="equal", xlabel="x", ylabel="y")
        axes.set(title=f"time {time:.2f}" + (", forecast" if time > 1.5 else ""))
        yield figure


def reaction(made):
    """Mass that goes to a second mode, by transport alone and with reaction."""
    target = wf.GaussianMixture([[-3.0], [3.0]], 0.5, weights=[1.0, 3.0])
    bump = wf.Gaussian([-3.0], [[0.5]]).log_density
    start = wf.Grid.from_log_density(bump, -6.0, 6.0, (96,))
    energy, times = wf.KLDivergence(target.log_density), jnp.linspace(0, 8, 41)
    geometries = {
        "transport alone": wf.Wasserstein(),
        "transport and reaction": wf.HellingerKantorovich(1.0, 1.0),
    }
    found = {
        name: wf.solve(wf.GradientFlow(energy, how), start, 0, 8, times=times)
        for name, how in geometries.items()
    }
    x = start.centers
    exact = jnp.exp(jax.vmap(target.log_density)(x))
    for k, time in enumerate(times):
        figure, panels = _panels(2)
        for axes, (name, solution) in zip(panels, found.items(), strict=True):
            axes.plot(x[:, 0], exact, color="black", lw=1)
            axes.fill_between(x[:, 0], solution[k].density, color=MODEL, alpha=0.5)
            axes.set(title=name, xlabel="place", ylim=(0, 0.6))
        panels[0].set(ylabel=f"density at time {time:.1f}")
        yield figure


def quadrature(made):
    """Nodes on their way, over the density that they integrate."""
    method = made["method"]
    start = wf.Particles.from_samples(made["start"])
    state = method.init(made["target"].log_density, start, key=jax.random.key(1))
    step, shown = eqx.filter_jit(method.step), {*range(0, 20, 1), *range(20, 200, 10)}
    for k in range(200):
        if k in shown:
            figure, axes = _panels(width=3.4, height=3.2)
            axes.contourf(
                made["line"], made["line"], made["density"], cmap="Blues", levels=12
            )
            axes.plot(*state.particles.x.T, "o", color="C1", ms=5)
            axes.set(xlim=(-3.3, 3.3), ylim=(-3.3, 3.3), xlabel="x", ylabel="y")
            axes.set(title=f"step {k}")
            yield figure
        state = step(state, jax.random.key(k))


def resetting(made):
    """Particles that are pulled to zero, and put back to one now and then."""
    times = jnp.linspace(0, 4, 49)[1:]
    start = wf.Particles.from_samples(jnp.ones((2000, 1)))
    key = jax.random.key(2)
    run = wf.solve(made["flow"], start, 0, 4, times=times, dt0=0.02, key=key)
    x = run.measures.x[:, :, 0]
    bins = np.linspace(-2, 2.5, 46)
    for k, time in enumerate(times):
        figure, (left, right) = _panels(2)
        left.plot(times[: k + 1], x[: k + 1, :12], lw=0.8)
        left.set(xlim=(0, 4), ylim=(-2, 2.5), xlabel="time", ylabel="twelve particles")
        right.hist(x[k], bins=bins, density=True, color=MODEL, alpha=0.6)
        right.axvline(float(x[k].mean()), color="black", lw=1)
        right.set(ylim=(0, 1.5), xlabel=f"all, time {time:.1f}; line: mean")
        yield figure


def canonical(made):
    """The network at the strengths that one training passes, the largest first."""
    grid, x, y = made["grid"], made["x"][:15], made["y"][:15]
    strengths, errors = made["strengths"], made["errors"]
    for k in reversed(range(len(strengths))):
        figure, (left, right) = _panels(2)
        left.loglog(strengths, errors, color="0.7")
        left.loglog(strengths[k], errors[k], "o", color=MODEL)
        left.set(xlabel="strength", ylabel="test error", xlim=(30, 0.003))
        right.plot(grid, made["tilted"](grid), "--", color="0.5", label="truth")
        right.plot(x, y, "k.", label="tuned on")
        right.plot(grid, jax.vmap(made["arcs"][k].value)(grid), color=MODEL)
        right.set(xlabel="x", ylabel="y", ylim=(-3.2, 3.2))
        yield figure


def chaos(made):
    """Neurons of two widths that escape from a saddle, and the risk meanwhile."""
    student, times = made["student"], jnp.linspace(0, 1.2, 41)
    runs = {}
    for m in (16, 256):
        draws = student.start.sample(jax.random.key(m), m)
        neurons = wf.Particles.from_samples(draws)
        runs[m] = wf.solve(student.flow(neurons), neurons, 0, 1.2, times=times)
    for k in range(len(times)):
        figure, panels = _panels(3, width=2.7)
        for axes, (m, run) in zip(panels, runs.items(), strict=False):
            axes.plot(*run.measures.x[k, :, :2].T, ".", color=MODEL, ms=4)
            axes.set(xlim=(-2.5, 2.5), ylim=(-0.4, 0.4), xlabel="first weight")
            axes.set(title=f"{m} neurons")
            panels[2].semilogy(times[: k + 1], run.energy[: k + 1], label=f"{m}")
        panels[0].set(ylabel="second weight")
        panels[2].set(xlim=(0, 1.2), ylim=(1e-5, 2), xlabel="time", title="risk")
        panels[2].legend(loc="lower left", title="neurons")
        yield figure


def saddle(made):
    """Neurons that grow from nothing, one after the other, and the loss in steps."""
    course, run, limit = made["course"], made["runs"][1000.0], made["limit"]
    end = 1.1 * float(limit.tau[made["count"] - 1])
    for tau in np.linspace(0, end, 41):
        k = int(np.searchsorted(run.tau, tau))
        figure, (left, right) = _panels(2)
        left.plot(run.tau, run.loss, color="0.8")
        left.plot(run.tau[: k + 1], run.loss[: k + 1], color=MODEL)
        left.set(xlim=(0, end), xlabel="slow time", ylabel="loss")
        levels = np.asarray(course.neurons.level[min(k, len(run.tau) - 1)]) / 1000
        right.bar(np.arange(len(levels)), 1 + levels, color=MODEL)
        right.axhline(1, color="black", lw=0.8)
        right.set(ylim=(0, 1.1), xlabel="neuron", ylabel="1 + log size / 1000")
        yield figure


def scale(made):
    """A matrix on its way to the teacher's, and how fast its columns are."""
    products, along = made["products"], made["along"]
    most = float(np.abs(made["teacher"]).max())
    look = {"cmap": "RdBu", "vmin": -most, "vmax": most}
    for k in range(0, 81, 2):
        figure, panels = _panels(3, width=2.5, height=2.4)
        for axes, matrix, title in (
            (panels[0], products[k], f"time {2 * k / 100:.2f}"),
            (panels[1], made["teacher"], "teacher"),
        ):
            axes.imshow(matrix, **look)
            axes.set(title=title, xticks=[], yticks=[], xlabel="channel")
        panels[2].bar(range(4), along[k], color=MODEL)
        panels[2].set(ylim=(0, 1.1 * float(along.max())), xlabel="channel")
        panels[2].set(title="speed of a channel")
        yield figure


def attention(made):
    """The head's direction, entry by entry, until it is that of the spike."""
    direction = made["solution"].measures.value
    direction = direction / jnp.linalg.norm(direction, axis=1, keepdims=True)
    direction = direction * jnp.sign(direction[-1].sum())
    times, off, d = made["times"], 1 - made["cos2"], made["d"]
    for k in range(len(times)):
        figure, (left, right) = _panels(2)
        left.bar(range(d), direction[k], color=MODEL)
        left.axhline(d**-0.5, color="black", lw=0.8)
        left.set(ylim=(-0.6, 0.6), xlabel="entry", ylabel="direction of the head")
        right.semilogy(times, off, color="0.8")
        right.semilogy(times[: k + 1], off[: k + 1], color=MODEL)
        right.set(xlabel="time", ylabel="1 - cos2 to the spike")
        yield figure


def filtering(made):
    """A truth, and the filter that sees its first and last component only."""
    truth, mean, std = made["data"].truth, made["after"].mean, made["after"].std
    for k in range(1, 100, 2):
        since = slice(max(0, k - 12), k + 1)
        figure, axes = _panels(width=4.2, height=3)
        axes.plot(truth[since, 0], truth[since, 1], "k", lw=1, label="truth")
        axes.plot(truth[k, 0], truth[k, 1], "ko", ms=5)
        where = mean[k, 0], mean[k, 1]
        bars = {"xerr": 2 * std[k, 0], "yerr": 2 * std[k, 1], "color": MODEL}
        axes.errorbar(*where, fmt="s", ms=5, label="filter, 2 deviations", **bars)
        axes.set(xlim=(-22, 22), ylim=(-28, 28), title=f"cycle {k}")
        axes.set(xlabel="x, seen with errors", ylabel="y, never seen")
        axes.legend(loc="upper left", fontsize="small")
        yield figure


MOVING = {
    function.__name__: function
    for function in (
        *(plane, streams, mechanics, reaction, quadrature, resetting, canonical),
        *(chaos, saddle, scale, attention, filtering),
    )
}
