"""Trainings over devices: each is what it is alone, whatever becomes of the others."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh

from wflow.learning import AdamW
from wflow.learning.loop import Loop, TrainingError
from wflow.learning.together import driven_together
from wflow.learning.training import Trainer
from wflow.parameters import Learnable


MESH = Mesh(np.array(jax.devices()[:2]), ("members",))
PARAMS = {"x": Learnable(jnp.ones(2), positive=False)}


class Distance(eqx.Module):
    """To a target, with noise; where that is reached the loss is no number."""

    target: jax.Array
    reach: jax.Array

    def __call__(self, model, step, key):
        off = model["x"].raw - self.target + jax.random.normal(key, (2,)) / 10
        lost = jnp.where(step.number == self.reach, jnp.nan, 1.0)
        return lost * off @ off, {"off": off[0]}


def loop(m, reach=-1, path=None):
    loss = Distance(jnp.array([m, -m], float), jnp.asarray(reach))
    trainer = Trainer(loss, AdamW(scalar_learning_rate=0.1), 5, decay=0.9)
    return Loop("train", trainer, jax.random.key(m), 2, path=path)


def test_members_over_devices_are_those_that_are_alone(tmp_path):
    found = {}
    # The second has a chunk behind it: it ends before the others.
    path = tmp_path / "1"
    with pytest.raises(TrainingError):
        loop(1, 3, path).run(PARAMS)
    trainings = [
        loop(m, path=tmp_path / str(m)).chunks(PARAMS, resume=True) for m in range(3)
    ]
    driven_together("train", trainings, MESH, found.__setitem__)
    for m in range(3):
        alone, _ = loop(m).run(PARAMS)
        memory, _ = found[m]
        np.testing.assert_array_equal(memory.records["loss"], alone.records["loss"])
        for a, b in zip(
            jax.tree.leaves(memory.state), jax.tree.leaves(alone.state), strict=True
        ):
            np.testing.assert_array_equal(a, b)


def test_one_without_numbers_leaves_the_others_to_theirs():
    found = {}
    trainings = [loop(m, 3 if m == 1 else -1).chunks(PARAMS) for m in range(3)]
    with pytest.raises(TrainingError, match=r"member 1 of 3 .* step 4 is not finite"):
        driven_together("train", trainings, MESH, found.__setitem__)
    assert sorted(found) == [0, 2]
    alone, _ = loop(2).run(PARAMS)
    np.testing.assert_array_equal(found[2][0].records["loss"], alone.records["loss"])
