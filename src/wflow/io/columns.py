"""What the names of a table's columns say."""

from pathlib import Path

from .refusals import SnapshotFileError, names
from .times import words


# Of velocity columns beside those of their coordinates.
PREFIXES = ("v_", "vel_", "velocity_")
# Words of names that are hardly those of coordinates.
NO_COORDINATES = words(
    "id ids idx index row rows barcode barcodes batch batches cluster clusters "
    "leiden louvain sample samples replicate replicates rep donor donors patient "
    "subject plate well lane condition treatment group groups label labels class "
    "type celltype clone clones lineage count counts ncount ncounts nfeature "
    "ngenes genes umi umis mito doublet stage seed split fold train test mass "
    "masses pseudotime"
)


def velocity_columns(
    path: Path,
    header: list[str],
    others: list[str],
    asked: tuple[str, ...] | None = None,
    prefix: str | None = None,
) -> tuple[list[str], str]:
    """The coordinates that have a velocity column, and the prefix of these.

    Args:
        path: of the file.
        header: names of all columns.
        others: those that may be coordinates or velocities.
        asked: the coordinates, where they are known.
        prefix: of the velocities, where it is known.

    Raises:
        SnapshotFileError: a column that was asked for is missing.
    """
    present = set(header)
    if asked is not None:
        missing = [name for name in asked if name not in present]
        if missing:
            raise SnapshotFileError(
                path, f"expected columns {names(missing)}, found {names(header)}."
            )
    columns = asked or others
    for known in (prefix,) if prefix else PREFIXES:
        moving = [name for name in columns if known + name in present]
        if moving:
            return moving, known
    if prefix:
        raise SnapshotFileError(
            path,
            "expected a velocity column for each coordinate, found none of "
            f"{names(prefix + name for name in columns)}.",
        )
    # vx beside x: only where every column is one of such a pair.
    pairs = [name for name in columns if f"v{name}" in present]
    every = len(columns) if asked is not None else len(columns) / 2
    return (pairs, "v") if pairs and len(pairs) == every else ([], PREFIXES[0])
