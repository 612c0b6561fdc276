"""Backtracking with propagation: decisions, propagations, conflicts, recorded and judged."""
