"""The commands choose the width of floats for their process; tests share one."""

import jax
import pytest


@pytest.fixture(autouse=True)
def _precision():
    yield
    jax.config.update("jax_enable_x64", True)
