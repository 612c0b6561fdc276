"""Tasks, a folder each, whose class `__init__` names. `src/tracelab/tasks` is a link to here."""
