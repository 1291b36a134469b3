"""Learning a law of motion from snapshots."""

import os
import re
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import PRNGKeyArray, PyTree

from wflow.checks import cast, count, function, instance, one_of, random_key
from wflow.flows import AbstractContinuousFlow
from wflow.solvers import SolveError

from . import checkpoint
from .looks import look
from .loop import Done, Loop, Memory, Request, driven, last
from .objective import AbstractObjective
from .optimizers import AdamW, Optimizer, learning_rates
from .options import check_options
from .result import Fit
from .rollouts import Rollouts, tell_unconverged
from .scales import check_scales
from .snapshots import Snapshots
from .stored import in_file
from .trained import split
from .training import Trainer


CHECKPOINT = "checkpoint.eqx"
# Points of a cloud in a file that say of what scale it is.
_SCALED = 4096


class Chunk(NamedTuple):
    """What a callback is given after every chunk of steps.

    Attributes:
        step: steps done.
        steps: of the whole training.
        loss: of the last step.
        records: what was written down of the last step, by name.
        fit: with the parameters so far.
        recent: what was written down of every step of the chunk, by name: ``step``,
            ``loss``, ``grad_norm``, ``learning_rate`` where the optimizer says it, and
            the rest.
        validation: the score after the chunk; None where there is none.
    """

    step: int
    steps: int
    loss: float
    records: dict[str, float]
    fit: Fit
    recent: dict[str, np.ndarray]
    validation: float | None

    @property
    def grad_norm(self) -> float:
        """Global norm of the last step's gradient, before it is clipped."""
        return self.records["grad_norm"]

    @property
    def learning_rate(self) -> float | None:
        """That of the last step, of networks; None where the optimizer says none."""
        rates = self.recent.get("learning_rate")
        return None if rates is None else float(rates[-1])


def fit(
    flow: AbstractContinuousFlow,
    snapshots: Snapshots,
    objective: AbstractObjective | None = None,
    *,
    steps: int,
    key: PRNGKeyArray,
    optimizer: Optimizer | None = None,
    ema: float = 0.99,
    clip: float | None = 1.0,
    validation: Snapshots | None = None,
    patience: int | None = None,
    checkpoint_dir: str | os.PathLike | None = None,
    resume: bool = False,
    chunk: int = 50,
    callbacks: Sequence[Callable[[Chunk], Any]] = (),
    progress: bool = True,
) -> Fit:
    r"""Train what is trainable in ``flow`` so that it explains the snapshots.

    Any flow without jumps that moves ``Particles``, or a ``Phase`` of them, is trained;
    the objective says what it means to explain them. Trained are the layers of
    ``equinox.nn`` and every ``Learnable``; all other arrays are held. Everything runs
    in the dtype of the snapshots.

    The same arguments give the same bits, whatever ``chunk`` and interruptions: random
    choices depend on the key and the number of the step alone. Only of large clouds, of
    which ``FlowMatching`` looks at some points at a time, the next ones are drawn
    between two chunks.

    Times and coordinates are refused where the precision does not hold them: points far
    from the origin, and, where the flow depends on time, times far from zero. What the
    compiled steps meet is not checked but for a loss and gradient that are finite.

    Args:
        flow: the law of motion.
        snapshots: training snapshots, two at least; growth needs their ``masses``.
        objective: what is lowered; ``Rollouts()`` by default.
        steps: number of optimizer steps.
        key: random key.
        optimizer: ``AdamW(...)`` or any optax transformation.
        ema: decay of the average of the parameters over steps, bias-corrected; the fit
            returns the average. 0 returns the last ones. Of a ``Learnable`` no more
            than about the last tenth of the steps counts, so that nothing is left of
            where it started.
        clip: largest global norm of a gradient; None does not clip.
        validation: snapshots scored by exact $W_1$ before the first step and after
            every chunk, as ``Fit.report`` does; the best parameters are returned, which
            are never worse than those at the start. Without them an objective that
            keeps data out of training scores by these.
        patience: stop after so many steps without a better validation score.
        checkpoint_dir: directory of a checkpoint, replaced after every chunk.
        resume: continue from the checkpoint in ``checkpoint_dir``, if there is one.
        chunk: steps between checkpoints, callbacks, validations; one compiled program.
        callbacks: each is called with a ``Chunk`` after every chunk.
        progress: show a bar.

    Returns:
        The fit, with the averaged parameters.

    Raises:
        TypeError: the flow is none without jumps, or an argument of another kind.
        ValueError: an argument out of range, snapshots that do not fit the flow, times
            that all but coincide, or a checkpoint of another training.
        TrainingError: loss or gradient is not finite; the sentence names the step.

    Examples:
        >>> import equinox as eqx
        >>> import jax
        >>> import jax.numpy as jnp
        >>> import wflow as wf
        >>> class Wind(eqx.Module):
        ...     speed: wf.Learnable
        ...     def __call__(self, x, t):
        ...         return self.speed * jnp.ones_like(x)
        >>> x = jnp.linspace(-1, 1, 8)[:, None]
        >>> shots = wf.Snapshots([0.0, 1.0], [x, x + 2])  # two units in one time
        >>> law = wf.VelocityFlow(Wind(wf.Learnable(1.0)))
        >>> rule = wf.learning.FlowMatching(batch=8, moments=2, own=0)
        >>> key = jax.random.key(0)
        >>> found = wf.fit(law, shots, rule, steps=300, key=key, progress=False)
        >>> print(round(float(found.flow.f.speed.value), 1))
        2.0
    """
    return driven(
        fitting(
            flow,
            snapshots,
            objective,
            steps=steps,
            key=key,
            optimizer=optimizer,
            ema=ema,
            clip=clip,
            validation=validation,
            patience=patience,
            checkpoint_dir=checkpoint_dir,
            resume=resume,
            chunk=chunk,
            callbacks=callbacks,
            progress=progress,
        )
    )


def fitting(
    flow: AbstractContinuousFlow,
    snapshots: Snapshots,
    objective: AbstractObjective | None,
    *,
    steps: int,
    key: PRNGKeyArray,
    optimizer: Optimizer | None,
    ema: float,
    clip: float | None,
    validation: Snapshots | None,
    patience: int | None,
    checkpoint_dir: str | os.PathLike | None,
    resume: bool,
    chunk: int,
    callbacks: Sequence[Callable[[Chunk], Any]],
    progress: bool,
) -> Generator[Request, Done, Fit]:
    """The training of ``fit``, whose chunks are run by whoever asks for the next."""
    what = "a flow without jumps"
    instance("fit", "flow", flow, AbstractContinuousFlow, what)
    instance("fit", "snapshots", snapshots, Snapshots, "Snapshots")
    if len(snapshots) < 2:
        raise ValueError("fit: expected at least two snapshots, found 1.")
    objective = Rollouts() if objective is None else objective
    instance("fit", "objective", objective, AbstractObjective, "an objective")
    check_options(steps=steps, optimizer=optimizer, ema=ema, clip=clip, chunk=chunk)
    count("fit", "patience", 1 if patience is None else patience)
    for name, value in (("resume", resume), ("progress", progress)):
        one_of("fit", name, value, (True, False))
    if validation is not None:
        instance("fit", "validation", validation, Snapshots, "Snapshots or None")
        if validation.dim != snapshots.dim:
            raise ValueError(
                f"fit: expected validation snapshots of dimension {snapshots.dim}, "
                f"that of the training snapshots, found {validation.dim}."
            )
    if checkpoint_dir is not None:
        instance("fit", "checkpoint_dir", checkpoint_dir, (str, os.PathLike), "a path")
    if resume and checkpoint_dir is None:
        raise ValueError("fit: resume needs checkpoint_dir.")
    instance("fit", "callbacks", callbacks, (list, tuple), "a list of functions")
    for callback in callbacks:
        function("fit", "callbacks", callback, "a Chunk")
    optimizer = AdamW() if optimizer is None else optimizer
    key = random_key("fit", "key", key)
    steps, chunk, ema = int(steps), int(chunk), float(ema)
    patience = None if patience is None else int(patience)
    clip = None if clip is None else float(clip)

    dtype = jax.dtypes.canonicalize_dtype(snapshots.dtype)
    clouds = snapshots.clouds
    if in_file(clouds):
        clouds = look(snapshots, _SCALED, np.random.default_rng(0))[0].clouds
    check_scales("fit", clouds, dtype)
    flow = cast(flow, dtype)
    loss = objective.prepare(flow, snapshots, key=key)
    params, held = split(cast(loss.start(flow), dtype))
    trainer = Trainer(loss, optimizer, steps, held, ema, clip)
    train_key = jax.random.split(key, 3)[0]
    if patience is not None and validation is None and not scores(trainer, params, key):
        raise ValueError("fit: patience needs validation snapshots.")
    finish = Finish(trainer, snapshots, validation)
    told = False

    def after(memory: Memory) -> None:
        nonlocal told
        if not told and "converged" in memory.records:
            told = tell_unconverged(memory.records["converged"])
        if not callbacks:
            return
        numbers = last(memory.records)
        recent = _recent(memory, chunk, optimizer, steps)
        score = float(memory.scores[-1, 1]) if len(memory.scores) else None
        for callback in callbacks:
            found = finish(memory.state.average, memory)
            callback(
                Chunk(
                    memory.step, steps, numbers["loss"], numbers, found, recent, score
                )
            )

    loop = Loop(
        "fit",
        trainer,
        train_key,
        min(chunk, steps),
        None if validation is None else finish.score,
        after,
        patience,
        None if checkpoint_dir is None else Path(checkpoint_dir) / CHECKPOINT,
        {
            "steps": steps,
            "chunk": chunk,
            "ema": ema,
            "clip": clip,
            "patience": patience,
            "optimizer": repr(optimizer) if isinstance(optimizer, AdamW) else "optax",
            "objective": _fingerprint(objective),
            "flow": _fingerprint(flow),
            "snapshots": _data(snapshots),
            "validation": _data(validation),
            "key": checkpoint.fingerprint(key),
        },
        progress,
        "a lower learning rate may help, or for rollouts a longer ramp of the horizon "
        "or more substeps",
        lambda number: objective.renewed(loss, flow, snapshots, key=key, number=number),
    )
    memory, timing = yield from loop.chunks(params, resume=resume)
    return finish(memory.chosen, memory, timing.per_step, timing.compiling)


def _recent(
    memory: Memory, chunk: int, optimizer: Optimizer, steps: int
) -> dict[str, np.ndarray]:
    """What was written down since the chunk before."""
    first = (memory.step - 1) // chunk * chunk
    numbers = np.arange(first, memory.step)
    rates = learning_rates(optimizer, memory.state.optimizer, numbers, steps)
    return {
        "step": numbers + 1,
        **({} if rates is None else {"learning_rate": rates}),
        **{name: rows[first:] for name, rows in memory.records.items()},
    }


class Finish(NamedTuple):
    """How trained parameters become a ``Fit``."""

    trainer: Trainer
    snapshots: Snapshots
    validation: Snapshots | None

    def __call__(self, params: PyTree, memory: Memory, *seconds: float) -> Fit:
        """The fit with these parameters."""
        loss: Any = self.trainer.loss
        # Forecasts are made by each process for itself.
        loss, model = jax.tree.map(checkpoint.whole, (loss, self.trainer.model(params)))
        motion = loss.motion(model, self.snapshots)
        scored = self.validation is not None or not len(memory.scores)
        history = {
            "step": np.arange(1, memory.step + 1),
            **memory.records,
            "validation_step": memory.scores[:, 0].astype(int),
            "validation_w1" if scored else "validation_loss": memory.scores[:, 1],
        }
        return Fit(
            model[0] if isinstance(model, tuple) else model,
            self.snapshots,
            motion.velocities,
            history,
            motion.step,
            motion.consistent,
            *seconds,
            correction=motion.correction,
        )

    def score(self, memory: Memory) -> float:
        """Mean $W_1$ to the validation snapshots."""
        found = self(memory.state.average, memory)
        try:
            return found.report(self.validation, baselines=False, substeps=1).model
        except SolveError:
            # A law that is not trained yet may leave the reals.
            return float("inf")


def scores(trainer: Trainer, params: PyTree, key: PRNGKeyArray) -> bool:
    """Whether the loss itself keeps data out of training to score by."""
    loss: Any = trainer.loss
    found = jax.eval_shape(lambda: loss.validate(trainer.model(params), key))
    return found is not None


def _fingerprint(module: Any) -> str:
    """A hash of the numbers of a module and of what else it is made of."""
    text = re.sub(r" at 0x[0-9a-f]+", "", repr(module))
    return checkpoint.fingerprint((module, text))


def _data(snapshots: Snapshots | None) -> str | None:
    if snapshots is None:
        return None
    clouds = snapshots.clouds
    return checkpoint.fingerprint(
        (
            snapshots.times,
            clouds[0].source.name if in_file(clouds) else clouds,
            snapshots.velocities,
            snapshots.weights,
            snapshots.masses,
        )
    )
