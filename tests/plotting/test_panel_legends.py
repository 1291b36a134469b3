"""One legend for several frames, and markers of their own size."""

import numpy as np
import pytest

from wflow.plotting import Curve, Level, Panel, plot_panels


T = np.linspace(0, 1, 5)


def test_one_legend_below_names_the_first_frame():
    curve = Curve(T, T**2, "square", style="o-", size=7)
    panels = [Panel([curve], levels=[Level(0.5, label="half")]), Panel([curve])]
    drawn = plot_panels(panels, legend_below=2)
    (legend,) = drawn.legends
    assert {text.get_text() for text in legend.get_texts()} == {"square", "half"}
    assert all(axes.get_legend() is None for axes in drawn.axes)
    (line,) = (line for line in drawn.axes[1].lines if line.get_label() == "square")
    assert line.get_markersize() == 7
    with pytest.raises(ValueError, match="legend_below"):
        plot_panels(panels, legend_below=-1)
