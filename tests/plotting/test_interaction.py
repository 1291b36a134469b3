"""The figure of a pair potential holds what it was given."""

import numpy as np

from wflow.plotting import plot_interaction


def test_interaction(tmp_path):
    r = np.linspace(0, 2, 21)
    figure = plot_interaction(
        r,
        np.exp(-r),
        np.exp(-r),
        true_potential=2 - r,
        true_force=np.ones(21),
        observed=r,
    )
    figure.savefig(tmp_path / "figure.png", dpi=40)
    left, right = figure.axes[:2]
    # Zero at the largest distance.
    np.testing.assert_allclose(left.lines[0].get_ydata(), np.exp(-r) - np.exp(-2))
    np.testing.assert_allclose(left.lines[1].get_ydata(), 2 - r)
    np.testing.assert_allclose(right.lines[0].get_ydata(), np.exp(-r))
    np.testing.assert_allclose(right.lines[1].get_ydata(), 1)
    names = [text.get_text() for text in left.get_legend().get_texts()]
    assert names == ["model", "truth"]
    bare = plot_interaction(r, r, -r)
    assert bare.axes[0].get_legend() is None
    assert len(bare.axes) == 2
