"""python -m tracelab.watch runs/study."""

from tracelab.watch.command import main

main()
