"""What a release says of its own privacy."""

import dataclasses

from wflow.checks import count, shape, within

from .conversions import number


MEAN_FIELD = (
    "The guarantee is for the law of the exact flow. Step size, density estimate and "
    "the finite number of particles are outside it, and particles of one run are not "
    "independent draws: release one."
)
GRID = "The guarantee is for the law on this grid, up to the tolerance of the solver."


class UnboundedPrivacyWarning(UserWarning):
    """A guarantee is infinite because a quantity that it needs is."""


class UncertifiedReleaseError(ValueError):
    """A release that the certificate does not cover was asked for."""


@dataclasses.dataclass(frozen=True)
class Certificate:
    r"""The guarantee $(\epsilon, \delta)$ of one release.

    Attributes:
        epsilon: the level.
        delta: probability that the level is exceeded; 0 is pure differential privacy.
        t: length of the run.
        draws: independent draws that are released.
        bound: the bound that gave the level.
        unbounded: quantities that are infinite and left bounds without a value.
        scope: what the guarantee is for.
    """

    epsilon: float
    delta: float
    t: float
    draws: int
    bound: str
    unbounded: tuple[str, ...]
    scope: str

    def __post_init__(self) -> None:
        number("Certificate", "epsilon", self.epsilon)
        number("Certificate", "t", self.t, infinite=False)
        shape(self, "delta", self.delta, ())
        within(self, "delta", self.delta, 0, 1)
        count(self, "draws", self.draws)

    def __str__(self) -> str:
        level = f"epsilon = {self.epsilon:.6g}, delta = {self.delta:.3g}"
        infinite = f" Infinite: {', '.join(self.unbounded)}." if self.unbounded else ""
        return (
            f"{level} by {self.bound}, run to t = {self.t:g}, {self.draws} draw(s)."
            f"{infinite} {self.scope}"
        )
