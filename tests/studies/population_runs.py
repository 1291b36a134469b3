"""Settings, fits and runs of population tasks, without the command."""

from pathlib import Path

import jax
import numpy as np

from wflow.energies import Potential
from wflow.flows import LagrangianFlow
from wflow.learning import Fit
from wflow.studies import load
from wflow.studies._configs import override, read_yaml
from wflow.studies._folder import RunDirectory
from wflow.studies._params import validate
from wflow.studies.population._data import load as load_data
from wflow.studies.population._setting import Setting


CONFIGS = Path(__file__).resolve().parents[2] / "configs"
FREE = LagrangianFlow(Potential(lambda x: 0.0 * x[0]), friction=0.0)


def read(name, *settings, data=None):
    """The study of a config with changes, and its parameters."""
    raw = read_yaml(CONFIGS / f"{name}.yaml")
    raw = override(raw, ["precision=float64", "seeds=null", *settings])
    study = load(raw["task"])
    raw = raw if data is None else study.with_data(raw, data)
    return study, validate(study.config, raw, name)


def setting(p):
    """The snapshots of a config, split."""
    return Setting.of(p, load_data(p, "here"))


def flying(train, velocity, flow=FREE):
    """A fit whose particles fly on at one velocity for ever."""
    velocities = tuple(np.full_like(x, velocity) for x in train)
    history = {"step": np.arange(1, 4), "loss": np.ones(3), "horizon": np.ones(3)}
    history["friction"] = np.ones(3)
    return Fit(flow, train, velocities, history, 0.5)


def ran(folder, name, *settings, data=None, resume=False):
    """A run of a config: outcome, folder, study and parameters."""
    study, p = read(name, *settings, data=data)
    study.check(p, name)
    directory = RunDirectory(folder)
    directory.make()
    directory.write_config(p.model_dump(mode="json"))
    outcome = study.run(p, directory, resume=resume, log=lambda line: None)
    assert jax.config.jax_enable_x64
    return outcome, directory, study, p
