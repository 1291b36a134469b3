"""What the command asks of a kind of run."""

import abc
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import numpy as np

from ._folder import RunDirectory
from ._outcome import Outcome, median_outcome
from ._params import StudyParams


if TYPE_CHECKING:
    from wflow.plotting.report.blocks import Section

# Takes a line for whoever waits.
Log = Callable[[str], object]
# Takes a name and a function, and returns the arrays that the function gives: a run
# keeps them under the name, and where it goes on it need not call the function again.
Keep = Callable[[str, Callable[[], Mapping[str, Any]]], Mapping[str, np.ndarray]]
Params = TypeVar("Params", bound=StudyParams)


class AbstractTask(abc.ABC, Generic[Params]):
    """A kind of run: what it is told, what it does in a folder, what it says."""

    config: type[Params]
    # Whether runs factorize many small matrices, for which a thread of LAPACK is
    # faster than several.
    small_matrices: ClassVar[bool] = False

    def with_data(self, config: dict[str, Any], path: Path) -> dict[str, Any]:
        """The unchecked ``config`` with the user's file put into it."""
        raise ValueError("this task reads no file: leave --data out.")

    def check(self, config: Params, source: str) -> None:
        """Refuse what a valid config may still lack, such as a fitting file.

        Called with the precision set, before anything is written.

        Raises:
            ValueError: it lacks something; ``source`` begins the message.
        """
        del config, source

    def check_other(self, config: Params, source: str) -> None:
        """The same of a finished run with other data than its own."""
        self.check(config, source)

    @abc.abstractmethod
    def run(
        self, config: Params, directory: RunDirectory, *, resume: bool, log: Log
    ) -> Outcome:
        """Do the work; write what was found, and figures."""

    def finished(self, directory: RunDirectory) -> Path:
        """The file that is there once a run has finished."""
        return directory.model

    def pooled(self, outcomes: Sequence[Outcome]) -> Outcome:
        """What the runs of several seeds found together."""
        return median_outcome(outcomes)

    def evaluate(self, config: Params, directory: RunDirectory, log: Log) -> Outcome:
        """Score the saved model again, on the data that ``config`` names."""
        raise ValueError(f"a run of {config.task} has nothing to evaluate again.")

    def forecast(
        self,
        config: Params,
        directory: RunDirectory,
        times: Sequence[float],
        out: Path,
        start: str | None,
    ) -> Path:
        """Write the saved model's clouds at ``times``, by default as suits these."""
        raise ValueError(f"a run of {config.task} makes no forecasts.")

    def opened(self, config: Params, directory: RunDirectory) -> tuple[Any, Any, Any]:
        """What was learned, from which snapshots, and the units of the model."""
        raise ValueError(f"a run of {config.task} has learned nothing from snapshots.")

    def plot(self, config: Params, directory: RunDirectory) -> list[Path]:
        """Draw the figures of a finished run again."""
        raise ValueError(f"a run of {config.task} draws no figures.")

    def sections(self, config: Params, directory: RunDirectory) -> "Sequence[Section]":
        """What a page on a finished run shows beside its scores: its figures."""
        # Matplotlib comes with it, and the commands have to start quickly.
        from ._report import pictures

        del config
        return pictures(directory)

    def reasons(self, config: Params, directory: RunDirectory) -> Mapping[str, str]:
        """Why keys of the config have their values, where the run has chosen them."""
        del config, directory
        return {}
