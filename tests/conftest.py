"""Settings of the whole suite."""

from hypothesis import settings

settings.register_profile("tracelab", deadline=None, database=None, derandomize=True)
settings.load_profile("tracelab")
