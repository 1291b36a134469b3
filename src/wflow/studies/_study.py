"""A study: science as functions from parameters to arrays, and from arrays on."""

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic

import jax
import numpy as np

from ._folder import RunDirectory
from ._outcome import Outcome
from ._task import AbstractTask, Keep, Log, Params


if TYPE_CHECKING:
    # Heavy, and the commands have to start quickly.
    from matplotlib.figure import Figure


Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Study(AbstractTask[Params], Generic[Params]):
    """An experiment that comes down to arrays.

    All that ``report`` and ``figures`` need is in the arrays (``results.npz`` of a
    run), so that both can be had again without the computation, and be tested on
    arrays that somebody made up.

    ```python
    study = wf.studies.load("chaos_quadratic")
    p = study.config(task="chaos_quadratic", widths=[...])
    arrays = study.arrays(p)
    print(study.report(p, arrays).metrics)
    ```

    Attributes:
        config: the parameters, a pydantic model.
        science: called as ``run(p, key, log)``; returns arrays by name.
        report: called as ``report(p, arrays)``; numbers, tables and remarks.
        figures: called as ``figures(p, arrays)``; figures by name.
        small_matrices: whether many small matrices are factorized, for which one
            thread of LAPACK is faster than several.
        data: the dotted key of the file that ``--data`` names; None where the study
            reads none.
        reads: called as ``reads(p)`` before anything is written: it reads the files
            that the parameters name, and refuses what does not fit by a ValueError.
        parts: whether the science is long and has parts that are worth keeping: it is
            then called as ``run(p, key, log, keep)``.
    """

    config: type[Params]
    science: Callable[..., Mapping[str, Any]]
    report: Callable[[Params, Arrays], Outcome]
    figures: Callable[[Params, Arrays], "Mapping[str, Figure]"]
    _: KW_ONLY
    small_matrices: bool = False  # pyright: ignore[reportIncompatibleVariableOverride]
    data: str | None = None
    reads: Callable[[Params], object] | None = None
    parts: bool = False

    def arrays(
        self,
        p: Params,
        log: Log = lambda line: None,
        keep: Keep = lambda name, compute: compute(),
    ) -> dict[str, np.ndarray]:
        """What the science finds, of the seed of ``p``.

        Raises:
            TypeError: something of it is no array that a file can hold.
        """
        kept = (keep,) if self.parts else ()
        found = self.science(p, jax.random.key(p.seed), log, *kept)
        arrays = {name: np.asarray(value) for name, value in found.items()}
        for name, value in arrays.items():
            if value.dtype.kind not in "biufcU":
                raise TypeError(
                    f"{p.task}: expected numbers or texts under {name!r}, found "
                    f"{value.dtype}."
                )
        return arrays

    def with_data(self, config: dict[str, Any], path: Path) -> dict[str, Any]:
        if self.data is None:
            return super().with_data(config, path)
        *above, last = self.data.split(".")
        whole = inner = dict(config)
        for name in above:
            inner[name] = dict(inner.get(name) or {})
            inner = inner[name]
        inner[last] = str(path.resolve())
        return whole

    def check(self, config: Params, source: str) -> None:
        if self.reads is not None:
            try:
                self.reads(config)
            except ValueError as error:
                raise ValueError(f"{source}: {error}") from None

    def run(
        self, config: Params, directory: RunDirectory, *, resume: bool, log: Log
    ) -> Outcome:
        """One seed; what it found before is read where a run goes on."""
        if resume and directory.results.is_file():
            log(f"Seed {config.seed} had finished: its results are read.")
        else:
            directory.write_results(self.arrays(config, log, directory.kept))
        # As they lie in the file, so that plotting again sees the same.
        arrays = directory.read_results()
        outcome = self.report(config, arrays)
        directory.write_metrics(outcome.metrics)
        self._draw(config, directory, arrays)
        return outcome

    def finished(self, directory: RunDirectory) -> Path:
        return directory.results

    def plot(self, config: Params, directory: RunDirectory) -> list[Path]:
        return self._draw(config, directory, directory.read_results())

    def _draw(
        self, config: Params, directory: RunDirectory, arrays: Arrays
    ) -> list[Path]:
        drawn = self.figures(config, arrays)
        return [directory.write_figure(name, figure) for name, figure in drawn.items()]
