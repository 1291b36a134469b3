"""The loop over compiled chunks of training steps, on the host."""

import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PRNGKeyArray, PyTree

from wflow.parameters import unwrap

from . import checkpoint
from .progress import progress_bar
from .result import Fit, corrected
from .rollouts import Model, Task
from .snapshots import Snapshots
from .training import Record, Trainer, TrainState, no_records, train_chunk
from .velocities import Velocities


# A share of steps whose loss stopped its iterations early that does no harm.
_UNCONVERGED = 0.05


class TrainingError(FloatingPointError):
    """A loss or gradient of training that is not finite."""


class Chunk(NamedTuple):
    """What a callback is given after every chunk of steps."""

    step: int
    steps: int
    loss: float
    friction: float
    fit: Fit


class Memory(NamedTuple):
    """What a checkpoint holds; ``scores`` are pairs of step and validation score."""

    state: TrainState
    records: Record
    best: PyTree
    scores: Float[np.ndarray, "k 2"]

    @property
    def step(self) -> int:
        """Steps done."""
        return int(self.state.step)


class Finish(NamedTuple):
    """How trained parameters become a ``Fit``."""

    held: PyTree
    snapshots: Snapshots
    velocities: Velocities
    begins: list[int]
    step: float
    consistent: bool

    def __call__(self, params: PyTree, memory: Memory, *seconds: float) -> Fit:
        """The fit with these parameters."""
        model: Model = eqx.combine(params, self.held)
        started = np.asarray(unwrap(model.velocities))
        velocities = list(self.velocities)
        for k, v in zip(self.begins, started, strict=True):
            velocities[k] = v[: len(self.snapshots[k])]
        velocities = corrected(model.correction, self.snapshots, tuple(velocities))
        records = memory.records
        history = {
            "step": np.arange(1, len(records.loss) + 1),
            **records._asdict(),
            "start": np.asarray(self.begins)[records.start],
            "validation_step": memory.scores[:, 0].astype(int),
            "validation_w1": memory.scores[:, 1],
        }
        return Fit(
            model.flow,
            self.snapshots,
            velocities,
            history,
            self.step,
            self.consistent,
            *seconds,
            correction=model.correction,
        )


class Loop(NamedTuple):
    """A training that is ready to run, or to go on from its checkpoint."""

    trainer: Trainer
    held: PyTree
    task: Task
    key: PRNGKeyArray
    chunk: int
    finish: Finish
    validation: Snapshots | None
    patience: int | None
    path: Path | None
    settings: dict[str, Any]

    @property
    def steps(self) -> int:
        """Steps of the whole training."""
        return self.trainer.steps

    def run(
        self,
        params: PyTree,
        resume: bool,
        callbacks: Sequence[Callable[[Chunk], Any]],
        progress: bool,
    ) -> Fit:
        """Train from ``params``, or from the checkpoint if there is one to resume."""
        memory = self._fresh(params)
        if resume and self.path is not None and self.path.exists():
            memory = self._restored(memory, self.path)
        first, compiling, training = memory.step, 0.0, 0.0
        told = False
        if not self._done(memory):
            begin = time.perf_counter()
            jax.block_until_ready(self._chunk(memory, 0))
            compiling = time.perf_counter() - begin
            with progress_bar(progress, first, self.steps) as show:
                while not self._done(memory):
                    begin = time.perf_counter()
                    todo = min(self.chunk, self.steps - memory.step)
                    out = jax.block_until_ready(self._chunk(memory, todo))
                    training += time.perf_counter() - begin
                    memory = self._scored(self._grown(memory, *out))
                    told = told or self._warned(memory.records)
                    if self.path is not None:
                        header = {"kind": "training", "step": memory.step}
                        sizes = {"scores": len(memory.scores)}
                        header = {**header, **sizes, "settings": self.settings}
                        checkpoint.write(self.path, header, memory)
                    loss = float(memory.records.loss[-1])
                    friction = float(memory.records.friction[-1])
                    show(memory.step, loss, friction)
                    for callback in callbacks:
                        fit = self.finish(memory.state.average, memory)
                        callback(Chunk(memory.step, self.steps, loss, friction, fit))
        chosen = memory.state.average if self.validation is None else memory.best
        per_step = training / max(memory.step - first, 1)
        return self.finish(chosen, memory, per_step, compiling)

    def _chunk(self, memory: Memory, todo: int) -> tuple[TrainState, Record, Any]:
        return train_chunk(
            self.trainer,
            memory.state,
            self.held,
            self.task,
            self.key,
            jnp.asarray(todo, jnp.int32),
            self.chunk,
        )

    def _fresh(self, params: PyTree) -> Memory:
        state = self.trainer.init(params)
        records = no_records(0, self.task.starts.x.dtype)
        return Memory(state, records, params, np.zeros((0, 2)))

    def _restored(self, fresh: Memory, path: Path) -> Memory:
        """The memory in the checkpoint, if it is one of this training."""
        header = checkpoint.read_header(path)
        saved = header.get("settings", {})
        for name, value in self.settings.items():
            if name not in saved or saved[name] != value:
                raise ValueError(
                    f"fit: the checkpoint {path} is of another training: its {name} is "
                    f"{saved.get(name)!r}, not {value!r}."
                )
        step, scores = header["step"], header["scores"]
        records = no_records(step, self.task.starts.x.dtype)
        like = fresh._replace(records=records, scores=np.zeros((scores, 2)))
        return checkpoint.read(path, like)

    def _grown(
        self, memory: Memory, state: TrainState, chunk: Record, finite: Any
    ) -> Memory:
        """``memory`` after a chunk; refuse one that met a number that is not finite."""
        count = int(state.step) - memory.step
        chunk = jax.tree.map(np.asarray, chunk)
        if not finite:
            at = jax.tree.map(lambda rows: rows[count].item(), chunk)
            # Whatever the file holds before the first chunk is of another training.
            kept = self.path is not None and memory.step > 0
            where = f"; {self.path} holds step {memory.step}" if kept else ""
            raise TrainingError(
                f"fit: step {int(state.step) + 1} is not finite: loss {at.loss:g}, "
                f"gradient norm {at.grad_norm:g}, friction {at.friction:g}, a rollout "
                f"over {at.horizon} snapshots; a lower learning rate, a longer ramp of "
                f"the horizon or more substeps may help{where}."
            )
        records = Record(
            *(
                np.concatenate([old, new[:count]])
                for old, new in zip(memory.records, chunk, strict=True)
            )
        )
        return memory._replace(state=state, records=records)

    def _scored(self, memory: Memory) -> Memory:
        """``memory`` with a validation score, and its parameters if it is the best."""
        if self.validation is None:
            return memory
        params = memory.state.average
        fit = self.finish(params, memory)
        score = fit.report(self.validation, baselines=False, substeps=1).model
        best = params if (score < memory.scores[:, 1]).all() else memory.best
        scores = np.vstack([memory.scores, [memory.step, score]])
        return memory._replace(best=best, scores=scores)

    def _done(self, memory: Memory) -> bool:
        if memory.step >= self.steps:
            return True
        if self.patience is None or len(memory.scores) == 0:
            return False
        best = memory.scores[np.argmin(memory.scores[:, 1]), 0]
        return memory.step - best >= self.patience

    def _warned(self, records: Record) -> bool:
        """Whether it had to be said that the losses do not converge."""
        share = 1 - records.converged.mean()
        if share <= _UNCONVERGED:
            return False
        warnings.warn(
            f"fit: in {share:.0%} of the steps the iterations of the loss ended before "
            "they converged; a larger blur or max_iterations helps.",
            stacklevel=4,
        )
        return True
