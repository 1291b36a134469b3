"""Countries of the world, 1952 to 2007: the table that the plotly package ships."""

import csv
import gzip
import io
from importlib.resources import files

import numpy as np

from wflow.checks import count
from wflow.learning import Snapshots

from .base import Layout, SnapshotFile


COORDINATES = ("log10_gdp_per_head", "life_expectancy")


def read_gapminder(seed: int | None = 0) -> SnapshotFile:
    """A real population to try things on: 142 countries in 12 years.

    log10 of the GDP per head (dollars) and life expectancy (years). Every country is a
    particle of weight 1/142; times are years, 1952, 1957, ..., 2007.

    Args:
        seed: rows of every snapshot are shuffled apart with it, so that nothing can
            learn from which country is which; None keeps the countries' order.

    Returns:
        The snapshots ``(142, 2)`` and the layout of a .csv.

    Raises:
        TypeError: ``seed`` is no whole number.
        ValueError: it is negative.

    Reference: gapminder.org, CC BY 4.0, as packaged with plotly.
    """
    if seed is not None:
        count("read_gapminder", "seed", seed, least=0)
    # The file itself: plotly.data.gapminder() would need pandas.
    resource = files("plotly") / "package_data" / "datasets" / "gapminder.csv.gz"
    with resource.open("rb") as packed, gzip.open(packed) as unpacked:
        rows = list(csv.DictReader(io.TextIOWrapper(unpacked, "utf-8")))
    years = sorted({int(row["year"]) for row in rows})
    rng = None if seed is None else np.random.default_rng(seed)
    clouds = []
    for year in years:
        cloud = np.array(
            [
                (np.log10(float(row["gdpPercap"])), float(row["lifeExp"]))
                for row in rows
                if int(row["year"]) == year
            ]
        )
        clouds.append(cloud if rng is None else rng.permutation(cloud))
    snapshots = Snapshots(np.array(years, np.float64), tuple(clouds))
    return SnapshotFile(snapshots, Layout("csv", time="year", columns=COORDINATES))
