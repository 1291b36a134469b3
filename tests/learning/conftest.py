"""The small population and model that the tests of this room share."""

import pytest
from oscillator import TIMES, make_flow, oscillation

from wflow.learning import Snapshots


@pytest.fixture(scope="session")
def snapshots():
    return Snapshots(TIMES, *oscillation(TIMES))


@pytest.fixture(scope="session")
def flow():
    return make_flow(time_dim=0)


@pytest.fixture(scope="session")
def timed_flow():
    return make_flow(time_dim=2)
