"""Which snapshots are trained on."""

from typing import TYPE_CHECKING

from wflow.cli.errors import CommandError

from . import schema
from .times import time_text


if TYPE_CHECKING:
    from wflow.learning import Snapshots
    from wflow.populations import Split


def split_snapshots(
    split: schema.Until | schema.Last | schema.Fraction | schema.Holdout | schema.All,
    snapshots: "Snapshots",
) -> "Split":
    """Training and test snapshots; times are in the data's units.

    Raises:
        CommandError: fewer than two to train on, or none to test on.
    """
    from wflow.populations import forecast_split, full_split, interpolation_split

    try:
        match split:
            case schema.Until():
                later = int((snapshots.times > split.time).sum())
                if not 0 < later < len(snapshots) - 1:
                    raise ValueError(
                        f"split: expected time with two snapshots up to it and one "
                        f"after, found {time_text(split.time)}."
                    )
                return forecast_split(snapshots, held_out=later)
            case schema.Last():
                return forecast_split(snapshots, held_out=split.count)
            case schema.Fraction():
                return forecast_split(snapshots, fraction=split.train)
            case schema.Holdout():
                return interpolation_split(snapshots, split.snapshots)
            case schema.All():
                if len(snapshots) < 2:
                    raise ValueError("split: expected two snapshots at least, found 1.")
                return full_split(snapshots)
    except ValueError as error:
        problem = str(error).partition(": ")[2]
        first, last = map(time_text, snapshots.times[[0, -1]])
        span = f"times {first} to {last}"
        raise CommandError(f"split: {problem} The snapshots have {span}.") from error
