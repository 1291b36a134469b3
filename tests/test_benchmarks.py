from pathlib import Path

import jax
import pytest


BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


@pytest.mark.slow
def test_counted_operations_are_those_that_xla_counts(monkeypatch):
    # The formula leaves out what is not a matrix product: a seventh at this size.
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from peers.step import Case, operations
    from peers.wflow_step import force_gradient

    case = Case(64, 2, 2, 64, 128, 1, 2)
    function, arguments = force_gradient(case)
    found = jax.jit(function).lower(*arguments).cost_analysis()["flops"]
    assert found == pytest.approx(operations(case, "gradient"), rel=0.15)
