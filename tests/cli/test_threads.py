"""The threads that the command gives to XLA and to LAPACK."""

import os

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from wflow.cli.threads import set_threads


@pytest.mark.parametrize(
    ("cores", "given", "expected"),
    [(2, None, "16"), (2, "4", "4"), (64, None, None)],
)
def test_small_pools_are_widened(monkeypatch, cores, given, expected):
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    monkeypatch.delenv("NPROC", raising=False)
    if given is not None:
        monkeypatch.setenv("NPROC", given)
    set_threads(small_matrices=False)
    assert os.environ.get("NPROC") == expected


def test_small_matrices_take_one_thread_of_lapack():
    def threads():
        return {
            library["num_threads"]
            for library in threadpool_info()
            if library["user_api"] == "blas"
        }

    with threadpool_limits(2, user_api="blas"):
        set_threads(small_matrices=False)
        assert threads() == {2}
        set_threads(small_matrices=True)
        assert threads() == {1}
