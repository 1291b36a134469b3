"""Results of filters as labeled arrays of xarray."""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import ArrayLike, Float

from wflow.measures import Particles

from .metrics import rmse


if TYPE_CHECKING:
    import xarray

    from .fields import Fields
    from .result import FilterResult


def xarray_module(purpose: str) -> ModuleType:
    """The package xarray.

    Raises:
        ModuleNotFoundError: it is not installed; ``purpose`` begins the message.
    """
    try:
        return importlib.import_module("xarray")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{purpose} needs the package xarray, which comes with "
            "pip install 'wflow-jax[xarray]'."
        ) from error


def dataset(
    result: "FilterResult",
    truth: Float[ArrayLike, "T d"] | None,
    fields: "Fields | None",
) -> "xarray.Dataset":
    """What ``FilterResult.to_xarray`` returns."""
    xarray = xarray_module("to_xarray")
    states: dict[str, tuple[tuple[str, ...], Any]] = {
        "mean": (("time",), result.mean),
        "std": (("time",), result.std),
    }
    if isinstance(result.measures, Particles):
        states["ensemble"] = (("time", "member"), result.measures.x)
    if truth is not None:
        truth = result._checked(truth)
        states["truth"] = (("time",), truth)
    numbers = {
        "spread": result.spread,
        "log_evidence": result.log_evidence,
        "ess": result.ess,
        "finite": result.finite,
    }
    if truth is not None:
        numbers["rmse"] = rmse(result.mean, truth)
    coords = {"time": np.asarray(result.times)}
    attrs = {"method": result.name, "message": result.message}
    found = xarray.Dataset(
        {name: ("time", np.asarray(value)) for name, value in numbers.items()},
        coords=coords,
        attrs=attrs,
    )
    if isinstance(result.measures, Particles):
        logw = np.asarray(result.measures.logw)
        found["log_weight"] = (("time", "member"), logw)
    for name, (lead, value) in states.items():
        if fields is None:
            found[name] = ((*lead, "component"), np.asarray(value))
        else:
            found = found.assign(fields.unpack(value, lead, prefix=f"{name}_"))
    return found
