"""python -m tracelab.report runs/study --out study.html."""

from tracelab.report.command import main

main()
