"""Where the velocity comes from that a rollout starts with."""

import abc
from collections.abc import Callable
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from wflow.checks import instance
from wflow.transport.exact import barycentric_map

from .snapshots import Snapshots


# For each snapshot its velocities, None where a rollout cannot start.
Velocities = tuple[Float[np.ndarray, "n d"] | None, ...]


def check_snapshots(owner: str, snapshots: Any, least: int = 2) -> None:
    """Refuse what is not ``Snapshots``, or too few of them.

    Raises:
        TypeError: it is not.
        ValueError: there are fewer than ``least``, at most two.
    """
    instance(owner, "snapshots", snapshots, Snapshots, "Snapshots")
    if len(snapshots) < least:
        raise ValueError(f"{owner}: expected at least two snapshots, found 1.")


class AbstractInitialVelocity(eqx.Module):
    """A rule that gives the points of snapshots their velocities.

    Where it has none, a forecast takes them from a rollout of the fitted model.
    """

    @abc.abstractmethod
    def __call__(self, snapshots: Snapshots, key: PRNGKeyArray) -> Velocities:
        """A velocity for every snapshot, None where the rule has none.

        The first is never None.
        """

    @property
    def trained(self) -> bool:
        """Whether ``fit`` changes the velocities that it starts from."""
        return False

    def correction(
        self, snapshots: Snapshots, key: PRNGKeyArray
    ) -> Callable[[Array, Array], Array] | None:
        """A network of points and time that ``fit`` trains and adds to them, if any."""
        del snapshots, key
        return None


class Given(AbstractInitialVelocity):
    """The velocities that come with the snapshots."""

    def __call__(self, snapshots: Snapshots, key: PRNGKeyArray) -> Velocities:
        del key
        check_snapshots("Given", snapshots, 1)
        if snapshots.velocity(0) is None:
            raise ValueError(
                "Given: the first snapshot has no velocities; give them to Snapshots, "
                "or choose Zero(), Learned(), Displacement() or DICE()."
            )
        return tuple(snapshots.velocity(k) for k in range(len(snapshots)))


class Zero(AbstractInitialVelocity):
    """The first snapshot is at rest."""

    def __call__(self, snapshots: Snapshots, key: PRNGKeyArray) -> Velocities:
        del key
        check_snapshots("Zero", snapshots, 1)
        return (np.zeros_like(snapshots[0]), *[None] * (len(snapshots) - 1))


class Displacement(AbstractInitialVelocity):
    r"""Start velocities that lead to where transport takes each point next.

    $v_i = (T(x_i) - x_i) / \Delta t$, T the optimal map to the next snapshot.

    T is the barycentric map of the exact plan for the squared distance. The last
    snapshot takes the map to the one before, with the sign turned.
    """

    def __call__(self, snapshots: Snapshots, key: PRNGKeyArray) -> Velocities:
        del key
        check_snapshots("Displacement", snapshots)
        count = len(snapshots)
        pairs = [(k, k + 1) for k in range(count - 1)] + [(count - 1, count - 2)]
        return tuple(displacement_velocity(snapshots, i, j) for i, j in pairs)


def displacement_velocity(
    snapshots: Snapshots, i: int, j: int
) -> Float[np.ndarray, "n d"]:
    """Velocities by which one snapshot would be carried to another.

    $(T(x) - x) / (t_j - t_i)$ on snapshot i, T its barycentric map to j.
    """
    x = snapshots[i]
    moved = barycentric_map(x, snapshots[j], snapshots.weight(i), snapshots.weight(j))
    gap = snapshots.times[j] - snapshots.times[i]
    return ((moved - x) / gap).astype(snapshots.dtype)


class Learned(AbstractInitialVelocity):
    """Velocities that are trained together with the model, from those of ``start``.

    Those of the last snapshot are not: no target follows it.

    Raises:
        TypeError: start is no such rule.
    """

    start: AbstractInitialVelocity = Zero()

    def __check_init__(self) -> None:
        rule = "a rule of start velocities"
        instance(self, "start", self.start, AbstractInitialVelocity, rule)

    def __call__(self, snapshots: Snapshots, key: PRNGKeyArray) -> Velocities:
        return (*self.start(snapshots, key)[:-1], None)

    @property
    def trained(self) -> bool:
        return True
