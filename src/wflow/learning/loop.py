"""The loop over compiled chunks of training steps, on the host."""

import dataclasses
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from . import checkpoint
from .progress import progress_bar
from .training import Records, Trainer, TrainState, train_chunk


class TrainingError(FloatingPointError):
    """A loss or gradient of training that is not finite."""


# Steps after which a loss that sees some of the points at a time is given others.
_RENEWED = 500


class Memory(NamedTuple):
    """What a checkpoint holds.

    Attributes:
        state: of the training.
        records: of every step so far, by name.
        best: the parameters of the best score.
        scores: pairs of step and validation score, of which the least is the best.
    """

    state: TrainState
    records: dict[str, np.ndarray]
    best: PyTree
    scores: Float[np.ndarray, "k 2"]

    @property
    def step(self) -> int:
        """Steps done."""
        return int(self.state.step)

    @property
    def chosen(self) -> PyTree:
        """The parameters of the best score, or those at the end where none is."""
        return self.best if len(self.scores) else self.state.chosen


class Timing(NamedTuple):
    """Seconds of the steps, of one of them, and of compiling."""

    steps: float
    per_step: float
    compiling: float


class Request(NamedTuple):
    """What a compiled program is asked for: ``todo`` <= ``size`` steps."""

    trainer: Trainer
    state: TrainState
    key: PRNGKeyArray
    todo: int
    size: int


# What ``train_chunk`` gives: state, records, whether all was finite, and a score.
Done = tuple[TrainState, Records, Array, Any]


class Loop(NamedTuple):
    """A training in chunks of steps, which may go on from its checkpoint.

    Attributes:
        owner: who trains, for sentences.
        trainer: what is trained and how.
        key: of the steps.
        chunk: steps between checkpoints, validations and what comes ``after``.
        score: of the memory, on the host; None takes the score of the loss, if any.
        after: called with the memory after every chunk.
        patience: steps without a better score after which training stops.
        path: of the checkpoint.
        settings: by which a checkpoint is known to be of this training.
        progress: whether a bar is shown.
        advice: what may help where a number is not finite.
        renew: the loss on other points, by how many times it was renewed; None where it
            stays.
    """

    owner: str
    trainer: Trainer
    key: PRNGKeyArray
    chunk: int
    score: Callable[[Memory], float] | None = None
    after: Callable[[Memory], Any] | None = None
    patience: int | None = None
    path: Path | None = None
    settings: dict[str, Any] | None = None
    progress: bool = False
    advice: str = "a lower learning rate may help"
    renew: Callable[[int], Any] | None = None

    def run(self, params: PyTree, *, resume: bool = False) -> tuple[Memory, Timing]:
        """Train from ``params``, or from the checkpoint if there is one to resume.

        Raises:
            TrainingError: loss or gradient is not finite; the sentence names the step.
            ValueError: the checkpoint is of another training.
        """
        return driven(self.chunks(params, resume=resume))

    def chunks(
        self, params: PyTree, *, resume: bool = False
    ) -> Generator[Request, Done, tuple[Memory, Timing]]:
        """The same, whose compiled chunks are run by whoever asks for the next."""
        memory = Memory(self.trainer.init(params), {}, params, np.zeros((0, 2)))
        if resume and self.path is not None and self.path.exists():
            memory = self._restored(memory, self.path)
        first, compiling, training = memory.step, 0.0, 0.0
        if not self._done(memory):
            begin = time.perf_counter()
            *_, score = yield self._chunk(memory, 0)
            compiling = time.perf_counter() - begin
            if memory.step == 0:
                # The start counts too: no training ends worse than it began.
                memory = self._scored(memory, score)
            steps, number, trainer = self.trainer.steps, 0, self.trainer
            with progress_bar(self.progress, self.owner, first, steps) as show:
                while not self._done(memory):
                    if self.renew and memory.step // _RENEWED > number:
                        number = memory.step // _RENEWED
                        loss = self.renew(number)
                        if loss is not None:
                            trainer = dataclasses.replace(trainer, loss=loss)
                    begin = time.perf_counter()
                    todo = min(self.chunk, steps - memory.step)
                    out = yield self._chunk(memory, todo, trainer)
                    training += time.perf_counter() - begin
                    memory = self._grown(memory, *out)
                    if self.path is not None:
                        checkpoint.write(self.path, self._header(memory), memory)
                    show(memory.step, last(memory.records))
                    if self.after is not None:
                        self.after(memory)
        per_step = training / max(memory.step - first, 1)
        return memory, Timing(training, per_step, compiling)

    def _chunk(
        self, memory: Memory, todo: int, trainer: Trainer | None = None
    ) -> Request:
        trainer = self.trainer if trainer is None else trainer
        return Request(trainer, memory.state, self.key, todo, self.chunk)

    def _header(self, memory: Memory) -> dict[str, Any]:
        return {
            "kind": "training",
            "step": memory.step,
            "scores": len(memory.scores),
            "records": {
                name: [str(rows.dtype), rows.shape]
                for name, rows in memory.records.items()
            },
            "settings": self.settings or {},
        }

    def _restored(self, fresh: Memory, path: Path) -> Memory:
        """The memory in the checkpoint, if it is one of this training."""
        header = checkpoint.read_header(path)
        saved = header.get("settings", {})
        for name, value in (self.settings or {}).items():
            if name not in saved or saved[name] != value:
                raise ValueError(
                    f"{self.owner}: the checkpoint {path} is of another training: its "
                    f"{name} is {saved.get(name)!r}, not {value!r}."
                )
        records = {
            name: np.zeros(shape, dtype)
            for name, (dtype, shape) in header["records"].items()
        }
        scores = np.zeros((header["scores"], 2))
        return checkpoint.read(path, fresh._replace(records=records, scores=scores))

    def _grown(
        self, memory: Memory, state: TrainState, rows: Any, finite: Any, score: Any
    ) -> Memory:
        """``memory`` after a chunk; refuse one that met a number that is not finite."""
        count = int(state.step) - memory.step
        first = ("loss", "grad_norm")
        names = (*first, *(name for name in rows if name not in first))
        rows = {name: np.asarray(rows[name]) for name in names}
        if not finite:
            at = last({name: row[: count + 1] for name, row in rows.items()})
            numbers = ", ".join(f"{name} {value:g}" for name, value in at.items())
            # Whatever the file holds before the first chunk is of another training.
            kept = self.path is not None and memory.step > 0
            where = f"; {self.path} holds step {memory.step}" if kept else ""
            raise TrainingError(
                f"{self.owner}: step {int(state.step) + 1} is not finite: {numbers}; "
                f"{self.advice}{where}."
            )
        done = memory.records or {name: row[:0] for name, row in rows.items()}
        records = {
            name: np.concatenate([done[name], row[:count]])
            for name, row in rows.items()
        }
        return self._scored(memory._replace(state=state, records=records), score)

    def _scored(self, memory: Memory, score: Any) -> Memory:
        """``memory`` with its score, the loss's own ``score`` where none is given."""
        if self.score is not None:
            score = self.score(memory)
        if score is None:
            return memory
        score = float(np.nan_to_num(float(score), nan=np.inf))
        better = (score < memory.scores[:, 1]).all()
        best = memory.state.chosen if better else memory.best
        scores = np.vstack([memory.scores, [memory.step, score]])
        return memory._replace(best=best, scores=scores)

    def _done(self, memory: Memory) -> bool:
        if memory.step >= self.trainer.steps:
            return True
        if self.patience is None or len(memory.scores) == 0:
            return False
        best = memory.scores[np.argmin(memory.scores[:, 1]), 0]
        return memory.step - best >= self.patience


T = TypeVar("T")


def driven(training: Generator[Request, Done, T]) -> T:
    """What a training returns whose chunks are run one after the other."""
    done = None
    while True:
        try:
            asked = training.send(done)
        except StopIteration as end:
            return end.value
        todo = jnp.asarray(asked.todo, jnp.int32)
        done = jax.block_until_ready(
            train_chunk(asked.trainer, asked.state, asked.key, todo, asked.size)
        )


def last(records: dict[str, np.ndarray]) -> dict[str, float]:
    """The numbers of the last step."""
    return {name: float(rows[-1]) for name, rows in records.items() if rows.ndim == 1}
