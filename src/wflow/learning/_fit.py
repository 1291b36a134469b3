"""Learning a law of motion from snapshots."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from wflow.checks import cast, count, function, instance, one_of, random_key
from wflow.flows import LagrangianFlow, SumFlow, split_growth
from wflow.measures import (
    ImplicitEntropyError,
    Particles,
    Phase,
    UnsupportedMeasureError,
)
from wflow.parameters import Learnable, unwrap

from . import checkpoint
from ._simulate import check_flow, check_steps, check_times, largest_step
from .horizons import AbstractHorizon, RandomHorizon
from .loop import Chunk, Finish, Loop
from .losses import AbstractLoss, MassAndShape, Sinkhorn
from .optimizers import AdamW, Optimizer
from .options import check_options
from .result import Fit
from .rollouts import Model, Rollout, Task, step_grid
from .scales import check_scales
from .snapshots import Snapshots
from .stacks import padded, stacked
from .trained import split
from .training import Trainer
from .velocities import AbstractInitialVelocity, Given, Velocities


CHECKPOINT = "checkpoint.eqx"


def fit(
    flow: LagrangianFlow | SumFlow,
    snapshots: Snapshots,
    *,
    steps: int,
    key: PRNGKeyArray,
    loss: AbstractLoss | None = None,
    growth_penalty: float = 0.0,
    acceleration_penalty: float = 0.0,
    velocity_scale: float | None = None,
    horizon: AbstractHorizon | None = None,
    optimizer: Optimizer | None = None,
    velocity: AbstractInitialVelocity | None = None,
    starts: Literal["first", "any"] = "any",
    batch: int | None = None,
    padding: int | None = None,
    ema: float = 0.99,
    clip: float | None = 1.0,
    substeps: int = 1,
    dt0: float | None = None,
    validation: Snapshots | None = None,
    patience: int | None = None,
    checkpoint_dir: str | os.PathLike | None = None,
    resume: bool = False,
    chunk: int = 50,
    callbacks: Sequence[Callable[[Chunk], Any]] = (),
    progress: bool = True,
    stop_gradient_force: bool = False,
    consistent: bool = True,
) -> Fit:
    r"""Train what is trainable in ``flow`` so that its rollouts meet the snapshots.

    Each step rolls out from a snapshot over a horizon k and lowers
    $\frac1k \sum_{m=1}^k \ell(\hat\mu(t_m), \mu_m)$. Trained are the layers of
    ``equinox.nn`` and every ``Learnable``; all other arrays are held. Everything runs
    in the dtype of the snapshots.

    The same arguments give the same bits, whatever ``chunk`` and interruptions: random
    choices depend on the key and the number of the step alone.

    Times and coordinates are refused where the precision does not hold them: points far
    from the origin, and, where the flow depends on time, times far from zero. What the
    compiled steps meet is not checked but for a loss and gradient that are finite.

    Args:
        flow: the law of motion, a ``LagrangianFlow`` or the sum of one and a
            ``GrowthFlow``, learned together.
        snapshots: training snapshots, two at least; growth needs their ``masses``.
        steps: number of optimiser steps.
        key: random key.
        loss: default ``Sinkhorn(p=2, blur="median")``, with growth
            ``MassAndShape(Sinkhorn())``.
        growth_penalty: adds this times $\frac1k\int\overline{g^2}\,dt$ over a rollout,
            the mean over the population: of all growths that explain the snapshots the
            least.
        acceleration_penalty: adds this times $\frac1k\int\overline{|\dot v|^2}\,dt$
            over a rollout, the mean over the population: of all paths that meet the
            snapshots the one that bends least, as a cubic spline does.
        velocity_scale: a time s > 0: clouds are compared in phase space, as points
            $(x, s v)$, where every snapshot has velocities. None compares positions.
        horizon: default ``RandomHorizon(ramp=0.3)``.
        optimizer: ``AdamW(...)`` or any optax transformation.
        velocity: where start velocities come from: ``Given()`` (default), ``Zero()``,
            ``Learned(start)``, ``Displacement()``, ``SmoothedDisplacement()``,
            ``PathVelocity()``, ``Corrected(start)`` or ``DICE()``.
        starts: rollouts begin at a random one of ``"any"`` snapshots but the last that
            have velocities, or at the ``"first"``.
        batch: points of the start and of each target in a step, at random; None is all.
        padding: rows that every cloud is padded to, at least the largest's: fits that
            differ in their data alone then share one compiled program.
        ema: decay of the average of the parameters over steps, bias-corrected; the fit
            returns the average. 0 returns the last ones. Of a ``Learnable`` no more
            than about the last tenth of the steps counts, so that nothing is left of
            where it started.
        clip: largest global norm of a gradient; None does not clip.
        substeps: steps in ``dt0``.
        dt0: a time; by default the smallest gap between the snapshots. With held-out
            snapshots in between give the smallest gap of them all. A longer gap takes
            more steps in proportion, 10,000 of them in all at most.
        validation: snapshots scored by exact $W_1$ after every chunk, as
            ``Fit.report`` does; the best parameters are returned.
        patience: stop after so many steps without a better validation score.
        checkpoint_dir: directory of a checkpoint, replaced after every chunk.
        resume: continue from the checkpoint in ``checkpoint_dir``, if there is one.
        chunk: steps between checkpoints, callbacks, validations; one compiled program.
        callbacks: each is called with a ``Chunk`` after every chunk.
        progress: show a bar.
        stop_gradient_force: drop the derivative of the force in the positions, as the
            published training does; the gradient is then not that of the loss.
        consistent: form of the leapfrog; see ``wflow.solvers.leapfrog_step``.

    Returns:
        The fit, with the averaged parameters.

    Raises:
        TypeError: the flow is not a ``LagrangianFlow``, alone or with growth; an
            argument of another kind.
        ValueError: an argument out of range, snapshots that do not fit the flow, times
            that all but coincide, or a checkpoint of another training.
        TrainingError: loss or gradient is not finite; the sentence names the step.

    Reference: Guan, Atanackovic, Neklyudov, arXiv:2605.08550, section 4 and its code.
    """
    check_flow("fit", flow)
    moving, growth = split_growth(flow)
    instance("fit", "snapshots", snapshots, Snapshots, "Snapshots")
    if len(snapshots) < 2:
        raise ValueError("fit: expected at least two snapshots, found 1.")
    check_options(
        steps=steps,
        loss=loss,
        growth_penalty=growth_penalty,
        acceleration_penalty=acceleration_penalty,
        velocity_scale=velocity_scale,
        horizon=horizon,
        optimizer=optimizer,
        starts=starts,
        batch=batch,
        ema=ema,
        clip=clip,
        substeps=substeps,
        chunk=chunk,
        stop_gradient_force=stop_gradient_force,
        consistent=consistent,
    )
    count("fit", "padding", max(snapshots.sizes) if padding is None else padding)
    count("fit", "patience", 1 if patience is None else patience)
    for name, value in (("resume", resume), ("progress", progress)):
        one_of("fit", name, value, (True, False))
    compared = snapshots
    if velocity_scale is not None:
        compared = _in_phase_space(snapshots, velocity_scale)
    if validation is not None:
        instance("fit", "validation", validation, Snapshots, "Snapshots or None")
        if validation.dim != snapshots.dim:
            raise ValueError(
                f"fit: expected validation snapshots of dimension {snapshots.dim}, "
                f"that of the training snapshots, found {validation.dim}."
            )
    if patience is not None and validation is None:
        raise ValueError("fit: patience needs validation snapshots.")
    if checkpoint_dir is not None:
        instance("fit", "checkpoint_dir", checkpoint_dir, (str, os.PathLike), "a path")
    if resume and checkpoint_dir is None:
        raise ValueError("fit: resume needs checkpoint_dir.")
    instance("fit", "callbacks", callbacks, (list, tuple), "a list of functions")
    for callback in callbacks:
        function("fit", "callbacks", callback, "a Chunk")
    if loss is None:
        loss = Sinkhorn() if growth is None else MassAndShape()
    horizon = RandomHorizon() if horizon is None else horizon
    optimizer = AdamW() if optimizer is None else optimizer
    velocity = Given() if velocity is None else velocity
    rule = "a rule of start velocities"
    instance("fit", "velocity", velocity, AbstractInitialVelocity, rule)
    key = random_key("fit", "key", key)
    steps, chunk, substeps = int(steps), int(chunk), int(substeps)
    batch = None if batch is None else int(batch)
    patience = None if patience is None else int(patience)
    growth_penalty, ema = float(growth_penalty), float(ema)
    acceleration_penalty = float(acceleration_penalty)
    clip = None if clip is None else float(clip)
    velocity_scale = None if velocity_scale is None else float(velocity_scale)
    train_key, loss_key, velocity_key = jax.random.split(key, 3)
    correction_key = jax.random.fold_in(velocity_key, 1)

    dtype = jax.dtypes.canonicalize_dtype(snapshots.dtype)
    check_scales("fit", snapshots.clouds, dtype)
    step = largest_step(snapshots.times, dt0) / substeps
    check_steps(snapshots.times, step)
    flow = cast(flow, dtype)
    velocities = _checked(velocity(snapshots, velocity_key), snapshots)
    begins = _starts(starts, velocities)
    if velocity.trained:
        velocities = tuple(v if k in begins else None for k, v in enumerate(velocities))
    task = _task(snapshots, compared, begins, step, dtype, padding)
    started = jnp.asarray(
        np.stack([padded(velocities[k], task.starts.size) for k in begins]), dtype
    )
    correction = velocity.correction(snapshots, correction_key)
    phase = _check_flow(flow, task, started)
    check_times(flow, phase, snapshots.times, step, correction is not None)
    model = Model(
        flow,
        Learnable(started, positive=False) if velocity.trained else started,
        correction,
    )
    params, held = split(cast(model, dtype))
    trainer = Trainer(
        Rollout(
            loss.prepared(compared, loss_key),
            growth_penalty,
            consistent,
            stop_gradient_force,
            acceleration_penalty,
            None if velocity_scale is None else jnp.asarray(velocity_scale, dtype),
        ),
        horizon,
        optimizer,
        steps,
        batch,
        ema,
        clip,
    )
    settings = {
        "steps": steps,
        "chunk": chunk,
        "batch": batch,
        "ema": ema,
        "clip": clip,
        "time step": step,
        "starts": starts,
        "patience": patience,
        "stop_gradient_force": stop_gradient_force,
        "consistent": consistent,
        "loss": f"{loss} {checkpoint.fingerprint(loss)}",
        "horizon": f"{horizon} {checkpoint.fingerprint(horizon)}",
        "velocity": f"{velocity} {checkpoint.fingerprint(velocity)}",
        "optimizer": repr(optimizer) if isinstance(optimizer, AdamW) else "optax",
        "growth_penalty": growth_penalty,
        "acceleration_penalty": acceleration_penalty,
        "velocity_scale": velocity_scale,
        "flow": checkpoint.fingerprint((flow, moving.force_scaling)),
        "snapshots": _data(snapshots),
        "validation": _data(validation),
        "key": checkpoint.fingerprint(key),
    }
    path = None if checkpoint_dir is None else Path(checkpoint_dir) / CHECKPOINT
    finished = Finish(held, snapshots, velocities, begins, step, consistent)
    loop = Loop(
        trainer,
        held,
        task,
        train_key,
        min(chunk, steps),
        finished,
        validation,
        patience,
        path,
        settings,
    )
    return loop.run(params, resume, callbacks, progress)


def _checked(velocities: Velocities, snapshots: Snapshots) -> Velocities:
    """``velocities`` if they have the shapes of their clouds."""
    for k, (v, x) in enumerate(zip(velocities, snapshots.clouds, strict=True)):
        if v is not None and v.shape != x.shape:
            raise ValueError(
                f"fit: expected velocities {k} of shape {x.shape}, found {v.shape}."
            )
    return velocities


def _starts(starts: str, velocities: Velocities) -> list[int]:
    """Indices of the snapshots that rollouts may begin at."""
    if starts == "first":
        return [0]
    return [k for k, v in enumerate(velocities[:-1]) if v is not None]


def _in_phase_space(snapshots: Snapshots, scale: float) -> Snapshots:
    """Snapshots of the points $(x, s v)$."""
    points = []
    for k, x in enumerate(snapshots.clouds):
        v = snapshots.velocity(k)
        if v is None:
            raise ValueError(
                f"fit: velocity_scale compares velocities, and snapshot {k} has none."
            )
        points.append(np.concatenate([x, scale * v], axis=1))
    return Snapshots(
        snapshots.times, points, None, snapshots.weights, masses=snapshots.masses
    )


def _task(
    snapshots: Snapshots,
    compared: Snapshots,
    begins: list[int],
    step: float,
    dtype: np.dtype,
    padding: int | None,
) -> Task:
    return Task(
        cast(stacked(snapshots.take(begins), padding), dtype),
        jnp.asarray(begins),
        jnp.asarray(snapshots.times[begins], dtype),
        cast(stacked(compared.take(range(1, len(compared))), padding), dtype),
        step_grid(snapshots.times, step, dtype),
        None if snapshots.masses is None else jnp.asarray(snapshots.masses, dtype),
    )


def _check_flow(flow: Any, task: Task, velocities: Array) -> Phase:
    """The first start, refused where the flow does not act on it."""
    x, weights = task.starts.x[0], task.starts.weights[0]
    phase = Phase(Particles.from_samples(x, weights), velocities[0])
    try:
        jax.eval_shape(lambda: unwrap(flow).velocity(phase, task.start_times[0]))
    except (ImplicitEntropyError, UnsupportedMeasureError):
        raise
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"fit: the flow does not act on points of dimension {x.shape[1]}, that of "
            f"the snapshots: {_short(error)}"
        ) from error
    return phase


def _short(error: Exception, length: int = 200) -> str:
    """The beginning of what an error says."""
    text = " ".join(str(error).split())
    return text if len(text) <= length else f"{text[:length]}..."


def _data(snapshots: Snapshots | None) -> str | None:
    if snapshots is None:
        return None
    return checkpoint.fingerprint(
        (
            snapshots.times,
            snapshots.clouds,
            snapshots.velocities,
            snapshots.weights,
            snapshots.masses,
        )
    )
