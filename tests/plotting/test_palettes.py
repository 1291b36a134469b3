"""Colors stay apart for eyes that lack a kind of cone; log axes have numbers."""

import numpy as np
import pytest

from wflow.plotting.style import (
    BASELINES,
    BESIDE,
    CATEGORIES,
    MODEL,
    OBSERVED,
    OTHERS,
    QUIET,
    categories,
    figure,
    tidy,
)


# What linear RGB becomes without long, middle or short cones.
# Reference: Machado, Oliveira and Fernandes, IEEE TVCG 15 (2009), table 1.
EYES = {
    "all cones": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
XYZ = [
    [0.4124564, 0.3575761, 0.1804375],
    [0.2126729, 0.7151522, 0.0721750],
    [0.0193339, 0.1191920, 0.9503041],
]


def lab(colors, eyes):
    """CIE L*a*b* of hexadecimal sRGB colors, seen by these eyes."""
    rgb = np.array([[int(c[k : k + 2], 16) / 255 for k in (1, 3, 5)] for c in colors])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.transpose(eyes), 0, 1)
    xyz = seen @ np.transpose(XYZ) / [0.95047, 1.0, 1.08883]
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    l, a, b = 116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])
    return np.stack([l, a, b], axis=1)


def nearest(colors, eyes):
    places = lab(colors, eyes)
    gaps = np.linalg.norm(places[:, None] - places, axis=-1)
    return gaps[np.triu_indices(len(colors), 1)].min()


@pytest.mark.parametrize("eyes", EYES.values(), ids=EYES)
@pytest.mark.parametrize(
    "colors",
    [CATEGORIES, (MODEL, OBSERVED, QUIET), (MODEL, *BASELINES), (MODEL, *BESIDE)],
    ids=["categories", "clouds", "scores", "beside"],
)
def test_colors_stay_apart(colors, eyes):
    # A difference of 2.3 is just seen side by side; dots in a cloud need more.
    assert nearest(colors, eyes) > 14


def test_red_and_green_would_not():
    assert nearest(["#c0504d", "#7f8f3f"], EYES["deuteranopia"]) < 14


def test_categories_are_eight_at_most():
    names = [str(k) for k in range(10) for _ in range(20 - k)]
    found = categories(names)
    assert list(found) == [*map(str, range(7)), OTHERS]
    assert list(found.values()) == list(CATEGORIES)
    assert categories(["b", "a", "b"]) == {"b": CATEGORIES[0], "a": CATEGORIES[1]}


@pytest.mark.parametrize(
    "ends", [(1.1, 1.3), (0.15, 7), (0.4, 9e4), (1e-8, 1e3), (3e-7, 4e-7)]
)
def test_a_logarithmic_axis_has_numbers(ends):
    drawn = figure(4, 3)
    axes = drawn.subplots()
    axes.plot([0, 1], ends)
    axes.set_yscale("log")
    tidy(axes)
    low, high = axes.get_ylim()
    ticks = [tick for tick in axes.get_yticks() if low <= tick <= high]
    labels = [axes.yaxis.get_major_formatter()(tick) for tick in ticks]
    assert 2 <= len(ticks) <= 12
    assert all(labels)
    assert len(set(labels)) == len(labels)
