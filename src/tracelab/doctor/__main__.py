"""python -m tracelab.doctor."""

import sys

from tracelab.doctor.screen import main

main(sys.argv[1:])
