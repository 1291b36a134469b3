"""What one draw costs in privacy, and what it is worth, against the run's length."""

import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING

from wflow.cli.sampling.privacy_schema import PrivacyConfig
from wflow.cli.sampling.stability_figures import plot_bounds
from wflow.studies._folder import RunDirectory
from wflow.studies._outcome import Outcome, ScoreTable
from wflow.studies._task import AbstractTask


if TYPE_CHECKING:
    import numpy as np

    from wflow.cli.sampling.torus_loss import TorusLoss
    from wflow.measures import Grid
    from wflow.studies._task import Log

_BOUNDS = {"B1": "b1", "B2": "b2", "B3": "b3"}


class SamplingPrivacy(AbstractTask[PrivacyConfig]):
    """The certificate beside the exact privacy loss, and the utility beside both."""

    summary = "the exponential mechanism by a flow: privacy and utility against time"
    config = PrivacyConfig

    def check(self, config: PrivacyConfig, source: str) -> None:
        del config, source

    def finished(self, directory: RunDirectory) -> Path:
        return directory.history

    def run(
        self,
        config: PrivacyConfig,
        directory: RunDirectory,
        *,
        resume: bool,
        log: "Log",
    ) -> Outcome:
        del resume
        import numpy as np

        from wflow.cli.sampling.torus_loss import TorusLoss, accountant
        from wflow.measures import Grid
        from wflow.sampling.privacy import stability

        rng = np.random.default_rng(config.seed)
        loss = TorusLoss(config.spread * rng.standard_normal((config.people, 2)))
        own = loss.mechanism(config.epsilon)
        initial = Grid.from_log_density(
            lambda theta: 0.0 * theta[0],
            *(0.0, 2 * math.pi),
            (config.cells, config.cells),
            "periodic",
        )
        found = [
            stability(
                own,
                loss.without(person).mechanism(config.epsilon),
                initial,
                config.times,
                alpha=config.alpha,
                beta=config.beta,
            )
            for person in range(config.pairs)
        ]
        account = accountant(config.people, config.epsilon, config.alpha, config.beta)
        bounds = [account.bounds(t) for t in config.times]
        columns = {
            "t": np.array(config.times),
            "sup_r": np.max([pair.sup for pair in found], axis=0),
            "certificate": np.array([account.pure(t) for t in config.times]),
            **{
                key: np.array([bound[name] for bound in bounds])
                for name, key in _BOUNDS.items()
            },
            **_utility(config, loss, initial),
        }
        directory.write_history(columns)
        self.plot(config, directory)
        slack = float(np.min(columns["certificate"] - columns["sup_r"]))
        metrics = {
            f"{name}_t{t:g}": float(value)
            for name, column in columns.items()
            if name != "t"
            for t, value in zip(config.times, column, strict=True)
        }
        metrics |= {
            "epsilon0": config.epsilon,
            "min_certificate_slack": slack,
            "private_until": account.time_for(config.epsilon),
        }
        remarks = [_until(config, metrics["private_until"]), _worth(columns)]
        return Outcome(metrics, _tables(config, columns), remarks)

    def plot(self, config: PrivacyConfig, directory: RunDirectory) -> list[Path]:
        columns = directory.read_history()
        times = columns["t"]
        strengths = f"transport {config.alpha:g}, reaction {config.beta:g}"
        privacy = plot_bounds(
            times,
            {"sup |r|, the worst pair": columns["sup_r"]},
            {name: columns[key] for name, key in _BOUNDS.items()},
            limit=("the exponential mechanism", config.epsilon),
            label=r"$\epsilon$ of one draw",
            title=f"Privacy of a run, {strengths}",
        )
        utility = plot_bounds(
            times,
            {"excess loss": columns["excess_loss"]},
            {"bound": columns["excess_loss_bound"]},
            limit=("a draw from the target", columns["intrinsic_loss"][0]),
            label=r"$\mathbb{E}\,\ell - \min\ell$",
            title=f"Utility of a run, {strengths}",
        )
        figures = {"privacy": privacy, "utility": utility}
        return [directory.write_figure(name, drawn) for name, drawn in figures.items()]


def _utility(
    config: PrivacyConfig, loss: "TorusLoss", initial: "Grid"
) -> dict[str, "np.ndarray"]:
    """Mean loss above the least along the flow, and its bound."""
    import jax.numpy as jnp
    import numpy as np

    from wflow.sampling.privacy import (
        kl_flow,
        oscillation,
        utility_bound,
        warm_start_kl,
    )
    from wflow.solve import solve

    mechanism = loss.mechanism(config.epsilon)
    flow = kl_flow(mechanism, config.alpha, config.beta)
    laws = solve(
        flow, initial, 0.0, config.times[-1], times=config.times, max_steps=200_000
    ).measures
    target = dataclasses.replace(initial, density=jnp.exp(initial.evaluate(mechanism)))
    values = initial.evaluate(loss)
    excess = values - values.min()

    def mean(density: "jnp.ndarray") -> "jnp.ndarray":
        return jnp.sum(density * excess, (-2, -1)) / jnp.sum(density, (-2, -1))

    in_v = config.epsilon / (2 * loss.sensitivity)
    osc_v = in_v * float(oscillation(values))
    intrinsic = float(mean(target.density))
    # From the uniform start log(rho_0/pi) is V, up to a constant.
    kls = [warm_start_kl(t, config.beta, osc_v) for t in config.times]
    bounds = [utility_bound(kl, osc_v, in_v * intrinsic) / in_v for kl in kls]
    return {
        "excess_loss": np.asarray(mean(laws.density), float),
        "excess_loss_bound": np.array(bounds),
        "intrinsic_loss": np.full(len(bounds), intrinsic),
    }


def _until(config: PrivacyConfig, until: float) -> str:
    if math.isinf(until):
        return f"Every run is certified at {config.epsilon:g} or less."
    return f"Certified at {config.epsilon:g} or less up to t = {until:.3g}."


def _worth(columns: dict[str, "np.ndarray"]) -> str:
    return (
        f"At the last time one draw costs {columns['sup_r'][-1]:.3f} exactly, "
        f"{columns['certificate'][-1]:.3f} by the certificate, and its loss is "
        f"{columns['excess_loss'][-1]:.4f} above the least."
    )


def _tables(
    config: PrivacyConfig, columns: dict[str, "np.ndarray"]
) -> list[ScoreTable]:
    times = tuple(f"{t:g}" for t in config.times)
    privacy = {
        "sup |r|, the worst pair": columns["sup_r"].tolist(),
        "certificate": columns["certificate"].tolist(),
        "exponential mechanism": [config.epsilon] * len(times),
    }
    utility = {
        "excess loss": columns["excess_loss"].tolist(),
        "bound": columns["excess_loss_bound"].tolist(),
        "a draw from the target": columns["intrinsic_loss"].tolist(),
    }
    return [
        ScoreTable("Epsilon of one draw at t", times, privacy, ()),
        ScoreTable("Mean loss above the least at t", times, utility, ()),
    ]


TASK = SamplingPrivacy()
