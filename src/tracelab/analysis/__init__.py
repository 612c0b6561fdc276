"""What runs have shown: one long table of outcomes over any number of run folders, estimates, tests, figures.

    from tracelab import analysis

    table = analysis.load("runs/study")          # lazy; a row per completion
    analysis.rates(table, "solution_valid", by=["arm", "split"])
    analysis.compare(table, "solution_valid", split="wilson")

Nothing here needs torch, a server or more than the folders.
"""

from tracelab.analysis.confidence import calibration, calibrations
from tracelab.analysis.estimates import compare, rates
from tracelab.analysis.generalisation import dose_response, gaps
from tracelab.analysis.joint import first_errors, given, joint, reasons
from tracelab.analysis.learning import learning_curves, time_to_quality
from tracelab.analysis.length import length_against
from tracelab.analysis.loading import load, runs
from tracelab.analysis.stability import stability

__all__ = [
    "calibration",
    "calibrations",
    "compare",
    "dose_response",
    "first_errors",
    "gaps",
    "given",
    "joint",
    "learning_curves",
    "length_against",
    "load",
    "rates",
    "reasons",
    "runs",
    "stability",
    "time_to_quality",
]
