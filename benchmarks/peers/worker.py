"""A peer in its own process: told over a pipe what to run, it answers how long."""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def serve(tasks: dict[str, Callable[[], float]]) -> None:
    """Run the tasks that the standard input names, each returning a number."""
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        begin, used = time.perf_counter(), time.process_time()
        value = tasks[line.strip()]()
        answer = {
            "seconds": time.perf_counter() - begin,
            "cpu": time.process_time() - used,
            "value": value,
            "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
        print(json.dumps(answer), flush=True)


class Worker:
    """The other end: a module of ``peers`` started with ``arguments``.

    ``python`` is the interpreter, where a peer has an environment of its own.
    """

    def __init__(self, module: str, *arguments: str, python: str = sys.executable):
        self._process = subprocess.Popen(
            [python, "-m", f"peers.{module}", *arguments],
            cwd=Path(__file__).resolve().parent.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()

    def run(self, task: str) -> dict[str, Any]:
        """Run one task and return its answer."""
        self._process.stdin.write(task + "\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        """End the process."""
        self._process.stdin.close()
        self._process.wait()

    def _answer(self) -> dict[str, Any]:
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args} ended; see its message above.")
        return json.loads(line)
