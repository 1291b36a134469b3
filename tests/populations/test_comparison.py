"""A forecast beside what was observed: words, floors and shapes."""

import numpy as np
import pytest

from wflow.populations import compare


RNG = np.random.default_rng(0)
START, NEW, OTHER = RNG.normal(size=(3, 120, 2))
SHIFT = np.array([3.0, 0.0])


def test_two_samples_of_one_law_cannot_be_told_apart():
    found = compare(START, NEW, {"another sample": OTHER})
    assert found.verdict.count("cannot be told from another sample") == 1
    assert "beats" not in str(found)
    np.testing.assert_allclose(found.scores["forecast"].w1.value, found.floor, rtol=0.3)
    assert found.unseen < 0.15
    assert found.missed < 0.15


def test_a_forecast_that_moves_beats_what_does_not():
    found = compare(START + SHIFT, NEW + SHIFT, {"nothing moves": START})
    assert found.verdict.startswith("The forecast")
    assert "beats nothing moves" in found.verdict
    lost = compare(START, NEW + SHIFT, {"moved": START + SHIFT})
    assert "loses to moved" in lost.verdict
    assert lost.unseen > 0.5


def test_a_fate_that_is_missed_shows_in_the_shares_and_not_in_the_cloud():
    left, right = NEW - SHIFT, NEW[:80] + SHIFT
    cells = np.concatenate([left, right])
    types = np.repeat(["left", "right"], [len(left), len(right)])
    found = compare(START - SHIFT, cells, cells=cells, types=types)
    assert found.types["right"].forecast < 0.05
    np.testing.assert_allclose(found.types["right"].observed, 0.4, atol=0.05)
    np.testing.assert_allclose(found.missed, 0.4, atol=0.08)
    assert found.unseen < 0.2
    with pytest.raises(ValueError, match="both cells and types"):
        compare(START, cells, cells=cells)


def test_leading_components_show_what_noise_hides():
    noise = RNG.normal(size=(3, 120, 18))
    start, new, other = (
        np.concatenate(parts, axis=1)
        for parts in zip((START, NEW + SHIFT, OTHER + SHIFT), noise, strict=True)
    )
    found = compare(start, new, {"moved": other}, components=2)
    ratio = found.scores["forecast"].w1.value / found.floor
    leading = found.leading["forecast"].w1.value / found.floor_leading
    assert leading > 2 * ratio
    assert "W1 leading" in str(found)
    assert found.components == 2
