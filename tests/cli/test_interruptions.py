"""Processes that are killed, told to end, out of disk, or two in one folder."""

import functools
import multiprocessing
import os
import re
import signal

import pytest

from tests.cli.interrupted import command


pytestmark = pytest.mark.slow

# Each process goes on where the last one was killed: in the record, the config, the
# checkpoint, the history, ...
MOMENTS = (1, 2, 3, 4, 5, 6, 8, 11, 16, 20)
# Processes of one that has imported JAX, and started nothing of it.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["equinox", "diffrax", "wflow.cli.runner"])


class Running:
    """A process that runs the config, and what it says."""

    def __init__(self, words, moment, limit):
        said, out = SERVER.Pipe(duplex=False)
        arguments = ([*map(str, words)], out, moment, limit)
        self.process = SERVER.Process(target=command, args=arguments)
        self.process.start()
        out.close()
        self.said = os.fdopen(os.dup(said.fileno()))
        said.close()

    def until(self, line):
        """Wait until it says that line."""
        while self.said.readline() != f"{line}\n":
            assert self.process.is_alive()

    def send(self, number):
        os.kill(self.process.pid, number)


def started(folder, out, *arguments, moment=0, pause=0.0, limit=0):
    """A process that runs the config, with more arguments."""
    config = folder / "config.yaml"
    config.write_text("task: fit\n")
    words = ["run", config, "--out", folder / out, "--set", f"pause={pause}"]
    return Running([*words, *arguments], moment, limit)


@pytest.fixture
def start(tmp_path):
    return functools.partial(started, tmp_path, "run")


def ended(process):
    """Exit code and what was said."""
    said = process.said.read()
    process.said.close()
    process.process.join(300)
    assert "Traceback" not in said
    return process.process.exitcode, said


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    code, said = ended(started(folder, "run"))
    assert code == 0, said
    return (folder / "run" / "model.eqx").read_bytes()


def test_killed_at_ten_moments_the_run_ends_in_the_same_bits(start, tmp_path, whole):
    for moment in MOMENTS:
        code, said = ended(start("--resume", moment=moment))
        assert code == -signal.SIGKILL, said
    code, said = ended(start("--resume"))
    assert code == 0, said
    assert (tmp_path / "run" / "model.eqx").read_bytes() == whole
    left = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"model.eqx", ".wflow.json"} <= left
    assert not any(name.endswith((".partial", ".lock")) for name in left)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)]
)
def test_told_to_end_it_says_how_to_go_on(start, tmp_path, whole, number, code):
    process = start(pause=0.2)
    process.until("step 3")
    process.send(number)
    found, said = ended(process)
    assert found == code, said
    assert re.search(r"Stopped\. What was computed .* --resume.* goes on", said)
    refused, said = ended(start(pause=0.2))
    assert refused == 2
    assert "has not finished. --resume goes on with it" in said
    found, said = ended(start("--resume", pause=0.2))
    assert found == 0, said
    assert "step 3\n" not in said
    assert (tmp_path / "run" / "model.eqx").read_bytes() == whole


@pytest.mark.parametrize(
    ("size", "file"), [(3_000, "checkpoint.eqx"), (300, "config.yaml")]
)
def test_a_full_disk_ends_in_a_sentence(start, tmp_path, size, file):
    code, said = ended(start(limit=size))
    assert code == 1, said
    assert re.search(rf"Failed: \S*{file}: File too large\. Nothing had been", said)
    # Nothing of it is in the way.
    assert not (tmp_path / "run").exists()


def test_a_full_disk_later_keeps_what_there_was(start, tmp_path, whole):
    """The checkpoint grows with the steps: the first ones fit, the later do not."""
    code, said = ended(start())
    assert code == 0, said
    run = tmp_path / "run"
    end = (run / "checkpoints" / "checkpoint.eqx").stat().st_size - 300
    code, said = ended(start("--overwrite", limit=end))
    assert code == 1, said
    assert re.search(r"Failed: \S*checkpoint.eqx: File too large\.", said)
    assert "goes on from its checkpoint" in said
    assert f"The finished run is in {run / '.replaced'}" in said
    assert (run / ".replaced" / "model.eqx").read_bytes() == whole
    code, said = ended(start("--resume"))
    assert code == 0, said
    assert (run / "model.eqx").read_bytes() == whole
    assert not (run / ".replaced").exists()


def test_a_second_process_in_the_folder_is_refused(start, tmp_path, whole):
    first = start(pause=0.3)
    first.until("step 2")
    # It holds the folder however long the others take.
    first.send(signal.SIGSTOP)
    for options in ([], ["--resume"], ["--overwrite"]):
        code, said = ended(start(*options, pause=0.3))
        assert code == 2
        assert f"process {first.process.pid} on" in said
    first.send(signal.SIGCONT)
    code, said = ended(first)
    assert code == 0, said
    assert (tmp_path / "run" / "model.eqx").read_bytes() == whole
