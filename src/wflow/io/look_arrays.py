"""Look at a .npz file."""

from pathlib import Path

import numpy as np

from .findings import Findings
from .npz_file import opened, time_of
from .refusals import SnapshotFileError, pick, reading
from .times import snapshot_rows, to_times


# Most bytes of the times and of what is looked at beside them.
_MAX_BYTES = 2**31


def look_arrays(path: Path, time: str | None, representation: str | None) -> Findings:
    """What a .npz holds; of its arrays but the times the shapes alone are read."""
    with reading(path), opened(path) as arrays:
        arrays.max_bytes = _MAX_BYTES

        def one(
            what: str, usual: tuple[str, ...], required: bool = False
        ) -> str | None:
            return pick(path, what, None, usual, arrays, what, required=required)

        positions = representation or one("positions", ("positions", "x"), True)
        if positions not in arrays:
            raise SnapshotFileError(
                path, f"expected an array {positions!r}, found {', '.join(arrays)}."
            )
        shape = arrays.shape(positions)
        if len(shape) not in (2, 3) or 0 in shape:
            raise SnapshotFileError(
                path,
                f"key {positions!r}: expected shape (T, n, d), or (cells, d) with a "
                f"time for each cell, found {shape}.",
            )
        stacked = len(shape) == 3
        clock = time_of(arrays, time, shape[0], stacked)
        if stacked:
            found = np.arange(shape[0]) if clock is None else arrays[clock].ravel()
            times = to_times(path, clock or "t", found)
            counts = [shape[1]] * shape[0]
        else:
            if clock is None:
                raise AssertionError
            t = to_times(path, clock, arrays[clock].ravel())
            times, rows = snapshot_rows(path, t, clock)
            counts = list(map(len, rows))
        velocities = one("velocities", ("velocities", "velocity", "vel", "v"))
        used = {
            "weights": one("weights", ("weights", "weight")),
            "masses": one("masses", ("masses", "mass")),
        }
        read = {positions, clock, velocities, *used.values()}
        return Findings(
            path,
            "arrays",
            "point",
            clock or "",
            tuple(times.tolist()),
            tuple(counts),
            positions,
            shape[-1],
            {positions: shape[-1]},
            velocities=velocities,
            **used,
            left_out=tuple(
                (f"{key!r} of shape {arrays.shape(key)}", "under no name that is known")
                for key in arrays
                if key not in read
            ),
        )
