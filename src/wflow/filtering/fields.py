"""Fields on grids as state vectors: how files of xarray become what filters take."""

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import ArrayLike, Float

from .labeled import xarray_module


if TYPE_CHECKING:
    import xarray


# Axes that are not part of a state.
_LEAD = ("time", "member")
# Observations later or earlier than a cycle by less than this share of the interval
# belong to it.
_SLACK = 1e-6


class Fields:
    """How the variables of a file lie in a state vector, and come back labeled.

    A state is the variables of one time and member, one after the other, each in the
    order of its axes; the axes ``time`` and ``member`` are no part of it.

    ```python
    fields = filtering.Fields("restart.nc", ["u", "v"])
    ensemble = fields.pack("ensemble.zarr")  # (member, d)
    times, observed = fields.series("stations.nc", interval=6.0, unit="h")
    fields.unpack(result.mean, ("time",))  # a Dataset of u and v
    ```

    Args:
        source: a Dataset, or the path of a netCDF file or a zarr store.
        variables: names and their order; by default all with numbers.

    Attributes:
        shapes: of the variables by name, without time and member.
        dims: names of their axes.
        size: numbers in a state, d.

    Raises:
        ValueError: a file that cannot be read, an unknown variable, or none.
        ModuleNotFoundError: xarray is not installed (the extra ``xarray``).
    """

    def __init__(
        self,
        source: "xarray.Dataset | str | os.PathLike",
        variables: Sequence[str] | None = None,
    ):
        self._template = _opened(source)
        found = self._template.data_vars
        names = (
            [str(name) for name, one in found.items() if one.dtype.kind in "iuf"]
            if variables is None
            else [variables]
            if isinstance(variables, str)
            else list(variables)
        )
        if not names or any(name not in found for name in names):
            raise ValueError(
                f"Fields: expected variables among {', '.join(map(str, found))}, found "
                f"{names}."
            )
        self.dims: dict[str, tuple[str, ...]] = {
            name: tuple(str(d) for d in found[name].dims if d not in _LEAD)
            for name in names
        }
        self.shapes: dict[str, tuple[int, ...]] = {
            name: tuple(found[name].sizes[d] for d in dims)
            for name, dims in self.dims.items()
        }

    @property
    def size(self) -> int:
        """Numbers in a state, d."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    def pack(
        self, source: "xarray.Dataset | str | os.PathLike"
    ) -> Float[np.ndarray, "*lead d"]:
        """States in a file: ``(d,)``, or with leading axes of times, then of members.

        Raises:
            ValueError: a variable is missing, or its axes are others.
        """
        data = _opened(source)
        own = {axis for name in self._in(data) for axis in data[name].dims}
        lead = [axis for axis in _LEAD if axis in own]
        flat = []
        for name, dims in self.dims.items():
            one = data[name]
            if set(one.dims) - set(lead) != set(dims) or self.shapes[name] != tuple(
                one.sizes[d] for d in dims
            ):
                raise ValueError(
                    f"Fields: expected {name} with axes "
                    f"{dict(zip(dims, self.shapes[name], strict=True))}, found "
                    f"{dict(one.sizes)}."
                )
            missing = {axis: data.sizes[axis] for axis in lead if axis not in one.dims}
            values = one.expand_dims(missing).transpose(*lead, *dims).to_numpy()
            flat.append(values.reshape(*values.shape[: len(lead)], -1))
        return np.concatenate(flat, axis=-1)

    def series(
        self,
        source: "xarray.Dataset | str | os.PathLike",
        interval: float | None = None,
        unit: str = "h",
    ) -> tuple[Float[np.ndarray, " T"], Float[np.ndarray, "T d"]]:
        """States at equal intervals, as ``filter`` takes observations.

        Cycles without any are nan. Dates become numbers, since the first of them.

        Args:
            source: with an axis ``time``.
            interval: from one cycle to the next; by default the shortest between two
                times in the file.
            unit: of the numbers that dates become: s, min, h or D.

        Returns:
            Times of the cycles and states there.

        Raises:
            ValueError: there is no time, or two states are at the same one or between
                two cycles.
        """
        data = _opened(source)
        if "time" not in data.coords:
            raise ValueError("Fields.series: expected a coordinate time, found none.")
        order = np.argsort(data["time"].to_numpy())
        data = data.isel(time=order)
        times = _numbers(data["time"].to_numpy(), unit)
        gaps = np.diff(times)
        if (gaps <= 0).any():
            raise ValueError("Fields.series: expected every time once.")
        if interval is None:
            interval = float(gaps.min()) if len(gaps) else 1.0
        if not interval > 0:
            raise ValueError(f"Fields.series: expected interval > 0, found {interval}.")
        cycle = (times - times[0]) / interval
        at = np.round(cycle).astype(int)
        if (np.abs(cycle - at) > _SLACK).any() or len(set(at)) < len(at):
            late = times[np.argmax(np.abs(cycle - at) > _SLACK)]
            raise ValueError(
                f"Fields.series: expected times {interval:g} apart from "
                f"{times[0]:g}, found {late:g}."
            )
        values = self.pack(data)
        filled = np.full((at[-1] + 1, self.size), np.nan)
        filled[at] = values
        return times[0] + interval * np.arange(len(filled)), filled

    def unpack(
        self,
        states: Float[ArrayLike, "*lead d"],
        lead: Sequence[str] = (),
        *,
        coords: Mapping[str, Any] | None = None,
        prefix: str = "",
    ) -> "xarray.Dataset":
        """States as a Dataset with the axes and coordinates of the file.

        Args:
            states: ``(..., d)``.
            lead: names of the axes before the last one.
            coords: of these axes.
            prefix: before every variable's name.

        Raises:
            ValueError: states of another size, or of other axes than ``lead``.
        """
        xarray = xarray_module("Fields")
        states = np.asarray(states)
        if states.shape[-1:] != (self.size,) or states.ndim != len(lead) + 1:
            raise ValueError(
                f"Fields: expected states of axes {(*lead, self.size)}, found shape "
                f"{states.shape}."
            )
        found, start = {}, 0
        for name, shape in self.shapes.items():
            stop = start + math.prod(shape)
            values = states[..., start:stop].reshape(*states.shape[:-1], *shape)
            own = self._template[name]
            found[f"{prefix}{name}"] = ((*lead, *self.dims[name]), values, own.attrs)
            start = stop
        axes = {dim for dims in self.dims.values() for dim in dims}
        kept = {
            name: one
            for name, one in self._template.coords.items()
            if set(one.dims) <= axes and one.dims
        }
        return xarray.Dataset(found, coords={**kept, **(coords or {})})

    def _in(self, data: "xarray.Dataset") -> list[str]:
        if missing := [name for name in self.dims if name not in data.data_vars]:
            raise ValueError(
                f"Fields: expected variables {', '.join(self.dims)}, found none of "
                f"{', '.join(missing)}."
            )
        return list(self.dims)


def _opened(source: Any) -> "xarray.Dataset":
    """A Dataset; of a path the one in it, read when it is used."""
    xarray = xarray_module("Fields")
    if isinstance(source, xarray.Dataset):
        return source
    if not isinstance(source, str | os.PathLike):
        raise TypeError(
            f"Fields: expected source to be a Dataset or a path, found "
            f"{type(source).__name__}."
        )
    path = Path(source)
    if not path.exists():
        raise ValueError(f"{path}: no such file.")
    try:
        if path.suffix == ".zarr" or path.is_dir():
            return xarray.open_zarr(path, consolidated=None)
        return xarray.open_dataset(path)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: is not readable by xarray: {error}") from error


def _numbers(times: np.ndarray, unit: str) -> Float[np.ndarray, " T"]:
    if times.dtype.kind != "M":
        return times.astype(float)
    units = {"s": "s", "min": "m", "h": "h", "D": "D"}
    if unit not in units:
        raise ValueError(
            f"Fields.series: expected unit to be one of {', '.join(units)}, found "
            f"{unit!r}."
        )
    return (times - times[0]) / np.timedelta64(1, units[unit])
