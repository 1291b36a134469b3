"""What a training lowers: the contract between ``fit`` and its objectives."""

import abc
from typing import Any, NamedTuple

import equinox as eqx
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from .snapshots import Snapshots
from .velocities import Velocities


class Step(NamedTuple):
    """Where a training is: the ``number`` of steps done, of ``total`` in all."""

    number: Int[Array, ""]
    total: int


class Motion(NamedTuple):
    """How a trained law starts and steps in forecasts.

    Attributes:
        velocities: those that each snapshot starts with, None where it has none; a law
            of first order has none at all.
        step: the time step of the trained rollouts; None leaves it to ``solve``.
        consistent: the leapfrog's form.
        correction: a trained network of points and time, already in the velocities.
    """

    velocities: Velocities
    step: float | None = None
    consistent: bool = True
    correction: Any = None


class AbstractTrainingLoss(eqx.Module):
    """An objective on given snapshots: a function of the model, a step and a key.

    What it takes from the snapshots are its leaves: it is an argument of the compiled
    step, which so never closes over data.
    """

    @abc.abstractmethod
    def __call__(
        self, model: PyTree, step: Step, key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], dict[str, Array]]:
        """The loss of one step, and numbers that are written down of it by name.

        ``model`` is what ``start`` made, with its ``Learnable``s in it (see
        ``wflow.parameters.learnable.unwrap``); ``key`` is that of the step.
        """

    def start(self, flow: PyTree) -> PyTree:
        """What is trained: the flow, or a tuple of the flow and what else is."""
        return flow

    def validate(self, model: PyTree, key: PRNGKeyArray) -> Float[Array, ""] | None:
        """A score on data kept out of training, under ``jit``; None where none is."""
        del model, key
        return None

    def motion(self, model: PyTree, snapshots: Snapshots) -> Motion:
        """How the trained model starts and steps; called on the host."""
        del model
        return Motion(tuple(snapshots.velocity(k) for k in range(len(snapshots))))


class AbstractObjective(eqx.Module):
    """What ``fit`` lowers: ``Rollouts`` or another way to say that a law is right."""

    @abc.abstractmethod
    def prepare(
        self, flow: PyTree, snapshots: Snapshots, *, key: PRNGKeyArray
    ) -> AbstractTrainingLoss:
        """The loss on ``snapshots``, with all that is computed once.

        The flow has the dtype of the snapshots.

        Raises:
            ValueError: it cannot be trained on these snapshots.
            TypeError: the flow is of a kind that the objective does not train.
        """

    def renewed(
        self,
        loss: AbstractTrainingLoss,
        flow: PyTree,
        snapshots: Snapshots,
        *,
        key: PRNGKeyArray,
        number: int,
    ) -> AbstractTrainingLoss | None:
        """``loss`` on other points of clouds that are too large to be taken whole.

        Of the same structure and shapes; None where all points are in ``loss``. The
        flow and the key are those of ``prepare``, ``number`` counts from 1.
        """
        del loss, flow, snapshots, key, number
        return None
