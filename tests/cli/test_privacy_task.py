"""The privacy study: suprema by hand against a grid, and the task from end to end."""

import json
import math
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from typer.testing import CliRunner

from wflow.cli.app import app
from wflow.cli.sampling.privacy_schema import PrivacyConfig
from wflow.cli.sampling.torus_loss import TorusLoss, accountant
from wflow.measures import Grid
from wflow.sampling.privacy import PrivacyAccountant
from wflow.studies._configs import read_yaml
from wflow.studies._params import validate


CONFIG = Path(__file__).resolve().parents[2] / "configs" / "privacy_mechanism.yaml"
POINTS = np.random.default_rng(1).uniform(0, 2 * math.pi, (4, 2))


def test_loss_of_one_person():
    theta = jnp.array([0.3, 2.0])
    s = np.cos(np.asarray(theta) - POINTS).sum(1)
    exact = np.mean(np.log1p(np.exp(-s)))
    assert TorusLoss(POINTS)(theta) == pytest.approx(exact, rel=1e-12)
    assert TorusLoss(POINTS).sensitivity == 0.5


@pytest.mark.slow
@pytest.mark.parametrize("points", [POINTS, np.ones((4, 2))])
def test_the_certificate_holds_for_every_pair(points):
    # The second set, all in one place, attains the steepest potential.
    epsilon, alpha, beta = 0.8, 0.3, 1.1
    certified = accountant(4, epsilon, alpha, beta)
    loss = TorusLoss(points)
    start = Grid.from_log_density(
        lambda x: 0.0 * x[0], 0.0, 2 * math.pi, (48, 48), "periodic"
    )
    pair = PrivacyAccountant.on_grid(
        start,
        loss.mechanism(epsilon),
        loss.without(0).mechanism(epsilon),
        alpha=alpha,
        beta=beta,
    )
    for name in ("osc_delta", "grad_delta", "osc_source"):
        assert getattr(pair, name) <= getattr(certified, name) * (1 + 1e-9)
    slopes = jax.vmap(jax.grad(loss.mechanism(epsilon)))(start.centres.reshape(-1, 2))
    steepest = float(jnp.max(jnp.linalg.norm(slopes, axis=1)))
    assert steepest <= certified.grad_h0 * (1 + 1e-9)
    assert max(pair.osc_h0) <= max(certified.osc_h0) * (1 + 1e-9)
    assert pair.hess_lower >= certified.hess_lower * (1 + 1e-9)
    if points is not POINTS:
        # Suprema over cell centres, up to 1% below those in between.
        assert steepest == pytest.approx(certified.grad_h0, rel=0.01)


def run(out, *settings):
    tiny = ("people=3", "pairs=2", "cells=12", "times=[0.2, 1.0]", *settings)
    pairs = [part for each in tiny for part in ("--set", each)]
    result = CliRunner().invoke(app, ["run", str(CONFIG), "--out", str(out), *pairs])
    assert result.exit_code == 0, result.output
    return json.loads((out / "metrics.json").read_text()), result.output


@pytest.mark.slow
def test_task(tmp_path):
    found, output = run(tmp_path)
    assert found["min_certificate_slack"] > 0
    for t in ("0.2", "1"):
        assert found[f"sup_r_t{t}"] < found[f"certificate_t{t}"]
        assert found[f"excess_loss_t{t}"] < found[f"excess_loss_bound_t{t}"]
    assert found["sup_r_t0.2"] < found["sup_r_t1"] < found["epsilon0"] == 1.0
    assert found["excess_loss_t1"] < found["excess_loss_t0.2"]
    assert found["private_until"] == pytest.approx(
        accountant(3, 1.0, 0.1, 1.0).time_for(1.0)
    )
    assert "above the least" in output
    figures = {path.name for path in (tmp_path / "figures").iterdir()}
    assert figures == {"privacy.png", "utility.png"}
    drawn = CliRunner().invoke(app, ["plot", str(tmp_path)])
    assert drawn.exit_code == 0, drawn.output


@pytest.mark.slow
def test_reaction_alone_is_certified_below_the_mechanism(tmp_path):
    found, output = run(tmp_path, "alpha=0.0")
    exact = 1 - math.exp(-1)
    assert found["certificate_t1"] == pytest.approx(exact, rel=1e-9)
    # r is -(1 - e^-t) delta and a constant; delta of these pairs oscillates by less.
    assert found["sup_r_t1"] <= exact
    assert "Every run is certified at 1 or less" in output
    assert found["private_until"] == math.inf


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"people": 2}, "one for each of 2 people, found 3"),
        ({"alpha": 0.0, "beta": 0.0}, "alpha and beta"),
        ({"epsilon": 0.0}, "epsilon"),
        ({"times": [1.0, 0.5]}, "increasing times"),
        ({"cell": 3}, "Did you mean cells"),
    ],
)
def test_bad_privacy_configs_are_named(change, match):
    data = {**read_yaml(CONFIG), **change}
    with pytest.raises(ValueError, match=match):
        validate(PrivacyConfig, data, CONFIG.name)


@pytest.mark.slow
def test_float32_losses():
    theta = jnp.array([0.3, 2.0], jnp.float32)
    loss = TorusLoss(POINTS.astype(np.float32))
    value, slope = jax.value_and_grad(loss.mechanism(np.float32(0.8)))(theta)
    assert value.dtype == slope.dtype == jnp.float32
