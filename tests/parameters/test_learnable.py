"""Numbers that may be learned start at real, finite numbers."""

import warnings

import jax.numpy as jnp
import numpy as np
import pytest

from wflow.parameters import Learnable
from wflow.parameters.learnable import unwrap


@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize("value", [np.nan, [1.0, np.inf], "text", None, 1j, [], {}])
def test_what_is_no_start_is_refused(value, positive):
    with pytest.raises((ValueError, TypeError), match="Learnable: expected") as refused:
        Learnable(value, positive)
    assert len(str(refused.value)) < 300


def test_signs():
    with pytest.raises(ValueError, match=r"value >= 0, found -2\.0; positive=False"):
        Learnable([1.0, -2.0])
    np.testing.assert_allclose(Learnable([1.0, -2.0], False).value, [1.0, -2.0])
    with pytest.warns(UserWarning, match="cannot start at zero"):
        Learnable(0.0)


def test_masked_entries_are_refused():
    with pytest.raises(ValueError, match="masked"):
        Learnable(np.ma.array([1.0, 2.0], mask=[True, False]))


def test_short_floats_and_whole_numbers_are_taken():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for value in (2, np.int32(2), jnp.asarray(2, jnp.bfloat16), np.float16(2)):
            np.testing.assert_allclose(unwrap(Learnable(value)), 2.0, rtol=1e-12)
