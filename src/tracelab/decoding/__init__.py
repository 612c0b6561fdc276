"""Completions from models: batches on CPUs, slots that are refilled on GPUs; and their log-probabilities."""
