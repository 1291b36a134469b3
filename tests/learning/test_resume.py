"""Whatever stops a training, its continuation gives the same bits."""

import jax
import pytest
from oscillator import TIMES, oscillation, trained

from wflow.energies import MLPPotential
from wflow.flows import LagrangianFlow
from wflow.learning import AdamW, CharacteristicDistance, Learned, Snapshots, Zero
from wflow.learning.checkpoint import read_header
from wflow.parameters import Learnable


STEPS, CHUNK = 20, 6


class Interrupted(Exception):
    """What a test raises in the midst of a training."""


def make(steps=STEPS, snapshots=None, **options):
    energy = MLPPotential(2, width=4, depth=1, key=jax.random.key(0))
    snapshots = snapshots or Snapshots(TIMES, *oscillation(TIMES))
    return trained(
        LagrangianFlow(energy, Learnable(0.3)),
        snapshots.take([0, 1, 3]),
        steps=steps,
        key=jax.random.key(1),
        batch=8,
        velocity=Learned(Zero()),
        optimizer=AdamW(schedule="cosine"),
        loss=CharacteristicDistance(),
        validation=snapshots.take([2]),
        chunk=CHUNK,
        progress=False,
        **options,
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "model.eqx"
    make().save(path)
    return path.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("last", [6, 18])
def test_resumed_after_an_exception(tmp_path, whole, last):
    def stop(chunk):
        if chunk.step == last:
            raise Interrupted

    with pytest.raises(Interrupted):
        make(checkpoint_dir=tmp_path, callbacks=[stop])
    assert read_header(tmp_path / "checkpoint.eqx")["step"] == last
    seen = []
    found = make(checkpoint_dir=tmp_path, resume=True, callbacks=[seen.append])
    assert [chunk.step for chunk in seen] == [s for s in (6, 12, 18, 20) if s > last]
    found.save(tmp_path / "model.eqx")
    assert (tmp_path / "model.eqx").read_bytes() == whole
    # And once more, with nothing left to do.
    again = make(checkpoint_dir=tmp_path, resume=True)
    assert again.compile_seconds == 0
    again.save(tmp_path / "model.eqx")
    assert (tmp_path / "model.eqx").read_bytes() == whole


@pytest.mark.slow
def test_refuses_the_checkpoint_of_another_training(tmp_path):
    def stop(chunk):
        raise Interrupted

    with pytest.raises(Interrupted):
        make(checkpoint_dir=tmp_path, callbacks=[stop])
    with pytest.raises(ValueError, match="another training: its steps is 20, not 21"):
        make(steps=21, checkpoint_dir=tmp_path, resume=True)
    other = Snapshots(TIMES, *oscillation(TIMES, seed=1))
    with pytest.raises(ValueError, match="of another training: its snapshots is"):
        make(snapshots=other, checkpoint_dir=tmp_path, resume=True)


@pytest.mark.slow
def test_resume_without_a_checkpoint_starts(tmp_path, whole):
    make(checkpoint_dir=tmp_path / "new", resume=True).save(tmp_path / "model.eqx")
    assert (tmp_path / "model.eqx").read_bytes() == whole
