"""python -m tracelab.doctor."""

from tracelab.doctor.screen import main

main()
