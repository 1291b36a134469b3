"""``wflow run`` on a task of a moment, for processes that tests end."""

import os
import resource
import signal
import sys
import time
from multiprocessing.connection import Connection

import jax
import numpy as np

from wflow import studies
from wflow.cli.app import app
from wflow.energies import MLPPotential
from wflow.flows import LagrangianFlow
from wflow.learning import (
    CharacteristicDistance,
    FixedHorizon,
    Rollouts,
    Snapshots,
    Zero,
    fit,
)
from wflow.studies._outcome import Outcome
from wflow.studies._params import StudyParams
from wflow.studies._task import AbstractTask


class FitConfig(StudyParams):
    """How long it waits after every step."""

    pause: float = 0.0


class FitTask(AbstractTask[FitConfig]):
    """Thirty steps of a small model, a checkpoint after each."""

    config = FitConfig

    def run(self, config, directory, *, resume, log):
        def write(chunk):
            directory.write_history({"loss": chunk.fit.history["loss"]})
            log(f"step {chunk.step}")
            time.sleep(config.pause)

        x = np.random.default_rng(0).normal(size=(3, 8, 2))
        energy = MLPPotential(2, width=4, depth=1, key=jax.random.key(0))
        fitted = fit(
            LagrangianFlow(energy, friction=0.3),
            Snapshots([0.0, 1.0, 2.0], x),
            Rollouts(CharacteristicDistance(), FixedHorizon(1), velocity=Zero()),
            steps=30,
            key=jax.random.key(1),
            chunk=1,
            progress=False,
            checkpoint_dir=directory.checkpoints(),
            resume=resume,
            callbacks=[write],
        )
        directory.save_fit(fitted, directory.model)
        return Outcome({"loss": fitted.history["loss"][-1]})


def _killed_at(moment):
    count, replace = 0, os.replace

    def counted(*arguments, **options):
        nonlocal count
        count += 1
        if count == moment:
            os.kill(os.getpid(), signal.SIGKILL)
        return replace(*arguments, **options)

    os.replace = counted


def command(words: list[str], said: Connection, moment: int, largest: int) -> None:
    """The command of a process of its own.

    Args:
        words: arguments of ``wflow``.
        said: takes what it says.
        moment: it kills itself before the file of that number is put in its place; 0
            is never.
        largest: as on a full disk, no file grows beyond that many bytes; 0 is no limit.
    """
    for stream in (1, 2):
        os.dup2(said.fileno(), stream)
    said.close()
    # Tests that were started in the background leave Ctrl-C ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if largest:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    if moment:
        _killed_at(moment)
    task = FitTask()
    studies.load = lambda name: task
    os.environ["COLUMNS"] = "400"
    sys.argv = ["wflow", *words]
    app()
