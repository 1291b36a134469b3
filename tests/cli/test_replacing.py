"""Wherever a process ends, a finished run is whole: the old one or the new one."""

import os

import pytest

from wflow.cli.errors import CommandError
from wflow.cli.lock import locked
from wflow.cli.replacing import ASIDE, finish, holds_run, new_run, old_run
from wflow.studies._folder import RunDirectory
from wflow.studies._record import NAME, Record
from wflow.studies._tables import write_columns


def fill(folder, word, overwrite=False):
    """A run with a part."""
    with new_run(folder, overwrite):
        directory = RunDirectory(folder)
        directory.write_json(directory.config, {"task": word})
        directory.write_json(directory.metrics, {word: 1.0})
        part = directory.seeded(1)
        part.make()
        part.write_json(part.config, {"task": word, "seed": 1})
        part.write_history({"step": [1, 2], word: [1, 2]})
        part.claim(part.figures / f"{word}.png").write_bytes(b"picture")
        part.checkpoints()
        finish(folder)


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".partial"
    }


class Killed(BaseException):
    """Stands for the end of the process; nothing may be done about it."""


def killed_at(moment, monkeypatch, call):
    """Call, and stop at the n-th change of the disk, for good."""
    count = 0
    with monkeypatch.context() as patch:
        for name in ("replace", "unlink", "rmdir", "mkdir"):
            change = getattr(os, name)

            def counted(*arguments, change=change, **options):
                nonlocal count
                count += 1
                if count >= moment:
                    raise Killed
                return change(*arguments, **options)

            patch.setattr(os, name, counted)
        try:
            call()
        except Killed:
            return True
    return False


@pytest.mark.slow
def test_a_run_that_is_replaced_is_there_until_the_other_has_finished(
    tmp_path, monkeypatch
):
    moment, seen = 0, set()
    killed = True
    while killed:
        moment += 1
        folder = tmp_path / str(moment)
        folder.mkdir()
        fill(folder, "old")
        (folder / "notes.txt").write_text("mine")
        (folder / "figures").mkdir()
        (folder / "figures" / "own.png").write_text("mine")
        old = contents(folder)
        killed = killed_at(moment, monkeypatch, lambda at=folder: fill(at, "new", True))
        # Whoever comes next puts right what was cut off.
        assert holds_run(folder)
        found = contents(folder)
        aside = RunDirectory(folder / ASIDE)
        if found.keys() != old.keys() or found != old:
            new = Record.of(folder)
            assert new is not None
            if new.state == "running":
                kept = contents(aside.path)
                wanted = {k: v for k, v in old.items() if "mine" not in str(v)}
                assert kept.keys() == wanted.keys()
                assert all(kept[k] == wanted[k] for k in kept if NAME not in k)
                seen.add("both")
            else:
                assert "new" in (folder / "metrics.json").read_text()
                RunDirectory(folder).verify()
                assert not aside.path.exists()
                seen.add("new")
        else:
            RunDirectory(folder).verify()
            seen.add("old")
        assert (folder / "notes.txt").read_text() == "mine"
        assert (folder / "figures" / "own.png").read_text() == "mine"
        # And another one takes its place.
        fill(folder, "third", overwrite=True)
        assert "third" in (folder / "metrics.json").read_text()
        assert not aside.path.exists()
    assert moment > 40
    assert seen == {"old", "both", "new"}


def test_a_run_that_computes_nothing_brings_the_old_one_back(tmp_path):
    fill(tmp_path, "old")
    before = contents(tmp_path)

    def refused():
        with new_run(tmp_path, True):
            directory = RunDirectory(tmp_path)
            directory.write_json(directory.config, {"task": "new"})
            directory.write_json(directory.units, {})
            directory.checkpoints()
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        refused()
    assert contents(tmp_path) == before
    assert not (tmp_path / "checkpoints").exists()
    assert not (tmp_path / ASIDE).exists()


def test_to_go_on_leaves_what_there_is(tmp_path):
    fill(tmp_path, "old")
    before = contents(tmp_path)
    with old_run(tmp_path):
        assert Record.of(tmp_path).state == "running"
    finish(tmp_path)
    assert contents(tmp_path) == before


def test_the_lock_is_held_until_the_end_and_leaves_no_file(tmp_path):
    def enter():
        with locked(tmp_path):
            pytest.fail("held twice")

    held = pytest.raises(CommandError, match=f"process {os.getpid()} on")
    with locked(tmp_path), held:
        enter()
    assert list(tmp_path.iterdir()) == []
    with locked(tmp_path):
        pass


def test_a_changed_file_is_named(tmp_path):
    fill(tmp_path, "old")
    directory = RunDirectory(tmp_path)
    directory.verify()
    write_columns(tmp_path / "seed-1" / "history.csv", {"step": [1]})
    with pytest.raises(ValueError, match=r"seed-1/history.csv is not as the run"):
        directory.verify()
