"""Searches for knobs: a study of Optuna, whose trials are runs of a sweep."""
