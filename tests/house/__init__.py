"""The project as a whole: imports, docstrings, the wheel, benchmarks, notebooks."""
