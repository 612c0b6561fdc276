"""The taskset of `tracelab.adapters.verifiers` under a name of one word, by which verifiers finds it."""

from tracelab.adapters.verifiers import Problems

__all__ = ["Problems"]
