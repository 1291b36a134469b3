"""Linear maps of states: motions, and what is observed of them."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from wflow import checks
from wflow.checks import real_field


class Linear(eqx.Module):
    r"""A linear map of states, as a motion or as an observation: $x \mapsto A x$.

    Attributes:
        matrix: A, ``(p, d)``.

    Raises:
        ValueError: matrix is no finite matrix; at the call, a state of another length.
    """

    matrix: Float[Array, "p d"] = eqx.field(converter=real_field("matrix"))

    def __check_init__(self) -> None:
        checks.finite(self, "matrix", self.matrix)
        checks.shape(self, "matrix", self.matrix, ("p", "d"))
        for size in jnp.shape(getattr(self.matrix, "raw", self.matrix)):
            checks.count(self, "the sizes of matrix", size)

    def __call__(
        self, x: Float[Array, " d"], t: Float[ArrayLike, ""] = 0.0
    ) -> Float[Array, " p"]:
        """The product; it does not depend on the time."""
        del t
        checks.shape(self, "x", x, (self.matrix.shape[1],))
        return self.matrix.astype(x.dtype) @ x


class Components(eqx.Module):
    """An observation of some components of the state: every second one, say.

    It reads components ``start``, ``start + every``, ...; with the defaults all of
    them.

    Attributes:
        start: index of the first.
        every: step from one to the next.
        stop: index before which it ends; None reads to the end.

    Raises:
        ValueError: start or stop below 0, every below 1; at the call, a state that does
            not have these components.
        TypeError: one of them is no whole number.
    """

    start: int = eqx.field(static=True, default=0)
    every: int = eqx.field(static=True, default=1)
    stop: int | None = eqx.field(static=True, default=None)

    def __check_init__(self) -> None:
        checks.count(self, "start", self.start, 0)
        checks.count(self, "every", self.every)
        if self.stop is not None:
            checks.count(self, "stop", self.stop, self.start + 1)

    def __call__(self, x: Float[Array, " d"]) -> Float[Array, " p"]:
        """The components that are read."""
        checks.shape(self, "x", x, ("d",))
        last = self.start + 1 if self.stop is None else self.stop
        if last > x.shape[0]:
            raise ValueError(
                f"Components: expected x of at least {last} components, found "
                f"{x.shape[0]}."
            )
        return x[self.start : self.stop : self.every]
