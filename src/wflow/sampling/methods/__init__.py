"""Methods of ``sample``: each declares a flow, and how long to follow it."""

from .base import AbstractFlowMethod, AbstractMethod, Run
from .discrepancy import WFRMMD, MeanShift, MMDFlow
from .interacting import ALDI, CBS, SVGD
from .langevin import MALA, ULA
from .nuts import NUTS
from .shk import SHK, SMCWFR


__all__ = [
    "ALDI",
    "CBS",
    "MALA",
    "NUTS",
    "SHK",
    "SMCWFR",
    "SVGD",
    "ULA",
    "WFRMMD",
    "AbstractFlowMethod",
    "AbstractMethod",
    "MMDFlow",
    "MeanShift",
    "Run",
]
