"""Controlled, from-scratch trace-training research: what do reasoning traces do for the model?"""

__version__ = "0.1.0"
