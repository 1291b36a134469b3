"""Files that are never half written."""

import json

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


@pytest.mark.parametrize("place", [20, 200, -1])
def test_a_file_in_which_one_bit_changed_is_refused(tmp_path, place):
    path = tmp_path / "a.eqx"
    checkpoint.write(path, {"name": "grösse", "numbers": (1, 0.1)}, jnp.arange(50.0))
    assert checkpoint.read_header(path)["numbers"] == [1, 0.1]
    changed = bytearray(path.read_bytes())
    changed[place] ^= 1
    path.write_bytes(changed)
    with pytest.raises(ValueError, match="is damaged: its checksum|is not a file that"):
        checkpoint.read_header(path)
    path.write_bytes(changed[:-10])
    with pytest.raises(ValueError, match="is damaged: its checksum|is not a file that"):
        checkpoint.read_header(path)


def test_a_file_of_an_earlier_version_has_no_checksum(tmp_path):
    path = tmp_path / "a.eqx"
    checkpoint.write(path, {"step": 3}, jnp.arange(5.0))
    line, _, rest = path.read_bytes().partition(b"\n")
    header = json.loads(line)
    del header["sha256"]
    path.write_bytes(json.dumps(header).encode() + b"\n" + rest)
    assert checkpoint.read_header(path)["step"] == 3
    np.testing.assert_array_equal(checkpoint.read(path, jnp.zeros(5)), np.arange(5.0))
