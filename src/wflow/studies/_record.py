"""The record of a run: which files in its folder are the command's own."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal, get_args

from wflow import __version__

from ._files import unfinished, write_text


NAME = ".wflow.json"

# A run is being filled, is finished, or makes room for another one.
State = Literal["running", "finished", "replaced"]


@dataclass
class Record:
    """What the command wrote into ``folder``; nothing else in it is ever touched.

    Attributes:
        folder: of the run.
        state: how far the run is.
        files: paths below the folder, with the SHA-256 of those of a finished run that
            are read again.
        runs: folders below it that are runs with records of their own.
    """

    folder: Path
    state: State = "running"
    files: dict[str, str | None] = field(default_factory=dict)
    runs: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, folder: Path) -> "Record | None":
        """The record in ``folder``, None where there is none.

        Raises:
            ValueError: the file is no record.
        """
        path = folder / NAME
        try:
            found = json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except NotADirectoryError:
            return None
        except (ValueError, RecursionError):
            found = None
        if found is None or not _is_record(found):
            raise ValueError(
                f"{path}: expected the record of a run, found something else; give "
                "another folder, or remove this one yourself."
            )
        return cls(folder, found["state"], found["files"], found["runs"])

    def write(self) -> None:
        """Keep the record in its folder."""
        kept = {
            "wflow": __version__,
            "state": self.state,
            "files": self.files,
            "runs": self.runs,
        }
        write_text(self.folder / NAME, json.dumps(kept, indent=1) + "\n")

    def paths(self) -> Iterator[PurePosixPath]:
        """All files of the run that are there, of the runs below too; records last."""
        for run in self.runs:
            if below := Record.of(self.folder / run):
                yield from (run / path for path in below.paths())
        for name in self.files:
            path = PurePosixPath(name)
            # What a process that was killed had begun to write.
            for own in (path, *map(path.with_name, unfinished(path.name))):
                if (self.folder / own).is_file():
                    yield own
        yield PurePosixPath(NAME)

    def folders(self) -> Iterator[PurePosixPath]:
        """All folders below ``folder`` that the run may have made."""
        for run in self.runs:
            yield PurePosixPath(run)
            if below := Record.of(self.folder / run):
                yield from (run / path for path in below.folders())
        for name in self.files:
            yield from PurePosixPath(name).parents[:-1]


def _is_record(found: Any) -> bool:
    return (
        isinstance(found, dict)
        and "wflow" in found
        and found.get("state") in get_args(State)
        and isinstance(files := found.get("files"), dict)
        and isinstance(runs := found.get("runs"), list)
        and all(isinstance(sum, str | None) for sum in files.values())
        and all(_is_below(name) for name in (*files, *runs))
    )


def _is_below(name: Any) -> bool:
    """Whether a path stays in the folder that it is relative to."""
    if not isinstance(name, str):
        return False
    parts = PurePosixPath(name).parts
    return bool(parts) and parts[0] != "/" and ".." not in parts
