"""Twin experiments: settings that a config names, and a filter scored on a truth."""

import time
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from pydantic import model_validator

from wflow import filtering
from wflow.filtering import GaussianObservation, filter
from wflow.filtering.base import AbstractMethod
from wflow.filtering.settings import Setting
from wflow.filtering.twins import Twin
from wflow.studies import HERE, Strict


class Case(Strict):
    """A setting with the numbers that it has in the literature.

    Attributes:
        kind: a function of ``wflow.filtering``.
        observed: "components" as the setting has them; of ``lorenz63_full`` also
            "absolute" (|x|) or "saturated" (10 arctan x), component by component.
    """

    kind: Literal[
        "lorenz63_full", "lorenz63_partial", "lorenz96_classic", "lorenz96_hard"
    ]
    observed: Literal["components", "absolute", "saturated"] = "components"

    @model_validator(mode="after")
    def _observable(self) -> "Case":
        if self.observed != "components" and self.kind != "lorenz63_full":
            raise ValueError(
                f"{HERE}.observed: expected components, as {self.kind} is observed, "
                f"found {self.observed}."
            )
        return self

    @property
    def ring(self) -> tuple[int, ...]:
        """Components on a ring, and the distance between those seen; else nothing."""
        rings = {"lorenz96_classic": (40, 1), "lorenz96_hard": (40, 2)}
        return rings.get(self.kind, ())

    def setting(self) -> Setting:
        """The model, its start and its length."""
        if self.observed == "components":
            return getattr(filtering, self.kind)()
        operator = jnp.abs if self.observed == "absolute" else _saturated
        law = GaussianObservation(operator, 2 * np.eye(3))
        return filtering.lorenz63_full(law)


def _saturated(x: Float[Array, " d"]) -> Float[Array, " d"]:
    return 10 * jnp.arctan(x)


def climate(twin: Twin, burn_in: int) -> float:
    """RMSE of the truth's own mean over time: no filter, no model."""
    truth = np.asarray(twin.truth)[burn_in:]
    return float(np.sqrt(((truth - truth.mean(axis=0)) ** 2).mean(axis=1)).mean())


def scores(
    setting: Setting,
    method: AbstractMethod,
    twin: Twin,
    start: Float[Array, "n d"],
    key: jax.Array,
    burn_in: int,
) -> dict[str, Any]:
    """A filter on a truth, in the cycles that count; nan where it failed.

    By cycle: RMSE, spread, and levels of the truth in the ensemble. In all: CRPS, share
    of the truth in the central 90 %, the cycle that failed or -1, seconds a cycle.
    """
    began = time.perf_counter()
    result = filter(setting.model, method, twin.observed, start, key, throw=False)
    jax.block_until_ready(result.mean)
    seconds = (time.perf_counter() - began) / len(twin.times)
    late = slice(burn_in, None)
    covered = np.asarray(result.covered(twin.truth)[late], float)
    return {
        "rmse": result.rmse(twin.truth)[late],
        "spread": result.spread[late],
        "levels": result.levels(twin.truth)[late],
        "crps": jnp.mean(result.crps(twin.truth)[late]),
        "coverage": covered.mean() if int(result.failed) < 0 else np.nan,
        "failed": result.failed,
        "seconds": seconds,
    }
