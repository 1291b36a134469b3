"""The config of the data: tables, files and simulators."""

from typing import Annotated, Literal

from pydantic import Field

from wflow.studies._params import Strict

from .quantities import Count, NonNegative, Positive
from .terms import Term


class Clock(Strict):
    """Model time = (time - origin) / unit.

    Without an origin model time begins at the first snapshot.
    """

    origin: float | None = None
    unit: Positive = 1.0
    label: str = "time"


class Axes(Strict):
    """How the coordinates are shown; ``equal`` where they are physical lengths."""

    labels: list[str] | None = None
    equal: bool = False


class _Data(Strict):
    standardise: bool = False
    shuffle: bool = False
    masses: (
        Literal["counts"] | Annotated[list[Positive], Field(min_length=2)] | None
    ) = None
    time: Clock = Clock()
    axes: Axes = Axes()


class GapminderData(_Data):
    """The table of countries that the plotly package ships."""

    kind: Literal["gapminder"]
    standardise: bool = True
    shuffle: bool = True
    time: Clock = Clock(label="year", unit=5.0)
    axes: Axes = Axes(
        labels=["log10 of GDP per head (dollars)", "life expectancy (years)"]
    )


class FileKeys(Strict):
    """Names in the file that differ from the usual ones; see ``wflow.io.Keys``."""

    time: str | None = None
    positions: str | None = None
    velocities: str | None = None
    weights: str | None = None
    columns: list[str] | Count | None = None
    masses: str | None = None


class FileData(_Data):
    """A .npz, .csv or .h5ad file; ``needs`` says which, where ``path`` is left open.

    ``max_bytes``: most bytes of numbers that are read from it.
    """

    kind: Literal["file"]
    path: str | None = None
    needs: str = "a .npz, .csv or .h5ad file of snapshots"
    keys: FileKeys = FileKeys()
    max_bytes: Count = 2**31


class _SimulatorData(_Data):
    kind: Literal["simulator"]
    snapshots: Annotated[int, Field(ge=2)]
    interval: Positive


class BoidsData(_SimulatorData):
    """A flock; see ``wflow.populations.simulators.boids``."""

    name: Literal["boids"]
    particles: Count = 1000
    snapshots: Annotated[int, Field(ge=2)] = 101
    interval: Positive = 0.5
    axes: Axes = Axes(equal=True)


PotentialName = Literal[
    "poly", "styblinski_tang", "bohachevsky", "oakley_ohagan", "wavy_plateau"
]


class GradientFlowSDEData(_SimulatorData):
    """Diffusion; see ``wflow.populations.simulators.gradient_flow_sde``."""

    name: Literal["gradient_flow_sde"]
    potential: PotentialName = "poly"
    particles: Count = 1000
    snapshots: Annotated[int, Field(ge=2)] = 21
    interval: Positive = 0.01
    step: Positive = 0.001
    sigma: NonNegative = 1.0
    variance: Positive = 0.2
    paired: bool = False
    axes: Axes = Axes(equal=True)


class VortexData(_SimulatorData):
    """Tracers of a vortex; see ``wflow.populations.simulators.vortex``."""

    name: Literal["vortex"]
    particles: Count = 200
    snapshots: Annotated[int, Field(ge=2)] = 11
    interval: Positive = 0.5
    axes: Axes = Axes(equal=True)


class ToggleData(_SimulatorData):
    """Growing cells; see ``wflow.populations.simulators.toggle``."""

    name: Literal["toggle"]
    particles: Annotated[int, Field(ge=2)] = 400
    snapshots: Annotated[int, Field(ge=2)] = 5
    interval: Positive = 8.0
    step: Positive = 0.5


class SwarmData(_SimulatorData):
    """Particles under known forces; see ``wflow.populations.simulators.swarm``.

    The sum of the ``terms`` is their energy, in the units of the data; scores then say
    how far the learned forces are from it.
    """

    name: Literal["swarm"]
    particles: Annotated[int, Field(ge=2)] = 200
    snapshots: Annotated[int, Field(ge=2)] = 11
    interval: Positive = 0.4
    step: Positive = 0.05
    terms: (
        Annotated[
            list[Annotated[Term, Field(discriminator="kind")]], Field(min_length=1)
        ]
        | None
    ) = None
    friction: NonNegative = 0.5
    temperature: NonNegative = 0.0
    mean: Annotated[list[float], Field(min_length=1)] = [1.5, 0.0]
    spread: Positive = 0.6
    paired: bool = False
    axes: Axes = Axes(equal=True)


Simulator = Annotated[
    BoidsData | GradientFlowSDEData | VortexData | ToggleData | SwarmData,
    Field(discriminator="name"),
]

Data = Annotated[GapminderData | FileData | Simulator, Field(discriminator="kind")]
