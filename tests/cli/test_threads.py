"""The thread pool that the command gives to XLA."""

import os

import pytest

from wflow.cli.threads import widen_pool


@pytest.mark.parametrize(
    ("cores", "given", "expected"),
    [(2, None, "16"), (2, "4", "4"), (64, None, None)],
)
def test_small_pools_are_widened(monkeypatch, cores, given, expected):
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    monkeypatch.delenv("NPROC", raising=False)
    if given is not None:
        monkeypatch.setenv("NPROC", given)
    widen_pool()
    assert os.environ.get("NPROC") == expected
