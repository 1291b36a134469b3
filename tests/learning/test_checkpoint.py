"""Files that are never half written."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.learning import checkpoint


TREE = {"x": np.arange(3.0), "k": jax.random.key(3), "y": (jnp.ones(2, jnp.int32), 2.5)}
LIKE = {"x": np.zeros(3), "k": jax.random.key(0), "y": (jnp.zeros(2, jnp.int32), 0.0)}


def test_round_trip_with_keys(tmp_path):
    path = tmp_path / "deep" / "file.eqx"
    checkpoint.write(path, {"step": 3}, TREE)
    assert checkpoint.read_header(path)["step"] == 3
    back = checkpoint.read(path, LIKE)
    np.testing.assert_array_equal(back["x"], TREE["x"])
    assert back["y"][1] == 2.5
    same = jax.random.normal(back["k"]) == jax.random.normal(TREE["k"])
    assert same
    assert checkpoint.fingerprint(back) == checkpoint.fingerprint(TREE)
    assert checkpoint.fingerprint(back) != checkpoint.fingerprint(LIKE)


def test_a_failure_keeps_the_old_file(tmp_path):
    path = tmp_path / "file.eqx"
    checkpoint.write(path, {}, TREE)
    before = path.read_bytes()
    with pytest.raises(TypeError, match="not JSON serializable"):
        checkpoint.write(path, {"bad": object()}, LIKE)
    assert path.read_bytes() == before


def test_refuses_other_files(tmp_path):
    path = tmp_path / "file.eqx"
    path.write_bytes(b"\x93NUMPY")
    with pytest.raises(ValueError, match="not a file that wflow wrote"):
        checkpoint.read_header(path)
    checkpoint.write(path, {}, TREE)
    with pytest.raises(ValueError, match="holds another model"):
        checkpoint.read(path, {**LIKE, "x": np.zeros(4)})
    with pytest.raises(ValueError, match="holds another model"):
        checkpoint.read(path, {**LIKE, "z": np.zeros(4)})
