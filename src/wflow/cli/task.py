"""What a domain gives to the command line."""

import abc
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from .config import TaskConfig
from .errors import CommandError
from .report import Outcome, median_outcome
from .rundir import RunDirectory


if TYPE_CHECKING:
    from rich.console import Console


Config = TypeVar("Config", bound=TaskConfig)


class AbstractTask(abc.ABC, Generic[Config]):
    """A kind of run; ``tasks/<name>.py`` holds the one of that name as ``TASK``.

    Modules of tasks import jax and what needs it inside functions only: configs are
    checked, and the precision is set, before.
    """

    summary: ClassVar[str]
    config: type[Config]
    # Whether runs factorise many small matrices; see ``threads``.
    small_matrices: ClassVar[bool] = False

    def with_data(self, config: dict[str, Any], path: Path) -> dict[str, Any]:
        """The unchecked ``config`` with the user's file put into it."""
        raise CommandError("this task reads no file: leave --data out.")

    @abc.abstractmethod
    def check(self, config: Config, source: str) -> None:
        """Refuse what a valid config may still lack, such as a fitting file.

        Called with the precision set, before anything is written.

        Raises:
            CommandError: it lacks something; ``source`` begins the message.
        """

    @abc.abstractmethod
    def run(
        self,
        config: Config,
        directory: RunDirectory,
        *,
        resume: bool,
        console: "Console",
    ) -> Outcome:
        """Do the work; write history, model, checkpoints and figures."""

    def finished(self, directory: RunDirectory) -> Path:
        """The file that is there once a run has finished."""
        return directory.model

    def pooled(self, outcomes: Sequence[Outcome]) -> Outcome:
        """What the runs of several seeds found together."""
        return median_outcome(outcomes)

    def evaluate(
        self, config: Config, directory: RunDirectory, console: "Console"
    ) -> Outcome:
        """Score the saved model again, on the data that ``config`` names."""
        raise CommandError(f"a run of {config.task} has nothing to evaluate again.")

    def forecast(
        self,
        config: Config,
        directory: RunDirectory,
        times: Sequence[float],
        out: Path,
        start: str,
    ) -> Path:
        """Write the saved model's clouds at ``times``."""
        raise CommandError(f"a run of {config.task} makes no forecasts.")

    def plot(self, config: Config, directory: RunDirectory) -> list[Path]:
        """Draw the figures of a finished run again."""
        raise CommandError(f"a run of {config.task} draws no figures.")
