"""Controlled, from-scratch trace-training research: what do reasoning traces do for the model?"""

import os

# OpenMP's threads wait by spinning, and on a machine that does something else too they spin away the core
# that they wait for: training fell to a tenth. Read when torch is loaded, so it is set here.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")

__version__ = "0.1.0"
