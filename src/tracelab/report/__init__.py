"""One page about any number of runs: tables, figures, data cards, and a viewer of their traces.

python -m tracelab.report runs/study --out study.html
"""

from tracelab.report.command import main

__all__ = ["main"]
