from ._build import Spec as Spec
from ._build import build as build
from ._catalog import load as load
from ._catalog import names as names
from ._catalog import summaries as summaries
from ._opened import OpenedRun as OpenedRun
from ._opened import open_run as open_run
from ._outcome import Outcome as Outcome
from ._outcome import ScoreTable as ScoreTable
from ._outcome import median_outcome as median_outcome
from ._outcome import standard_error as standard_error
from ._params import HERE as HERE
from ._params import Count as Count
from ._params import Decreasing as Decreasing
from ._params import Increasing as Increasing
from ._params import Name as Name
from ._params import NonNegative as NonNegative
from ._params import Positive as Positive
from ._params import Seed as Seed
from ._params import Share as Share
from ._params import Strict as Strict
from ._params import StudyParams as StudyParams
from ._params import closest as closest
from ._parts import Options as Options
from ._parts import Part as Part
from ._study import Arrays as Arrays
from ._study import Study as Study
from ._task import AbstractTask as AbstractTask
from ._task import Keep as Keep
from ._task import Log as Log

__all__ = [
    "HERE",
    "AbstractTask",
    "Arrays",
    "Count",
    "Decreasing",
    "Increasing",
    "Keep",
    "Log",
    "Name",
    "NonNegative",
    "OpenedRun",
    "Options",
    "Outcome",
    "Part",
    "Positive",
    "ScoreTable",
    "Seed",
    "Share",
    "Spec",
    "Strict",
    "Study",
    "StudyParams",
    "build",
    "load",
    "median_outcome",
    "names",
    "open_run",
    "standard_error",
    "summaries",
]
