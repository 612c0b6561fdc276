"""Where a run's metrics go: metrics.csv, and the trackers that are asked for.

python -m tracelab.train logger=tensorboard
python -m tracelab.train logger=[wandb,mlflow]

A tracker's library is imported when something is first logged to it, and not before.
"""

from tracelab.loggers.on_mlflow import mlflow
from tracelab.loggers.on_tensorboard import tensorboard
from tracelab.loggers.on_wandb import wandb
from tracelab.loggers.results import Results
from tracelab.loggers.rows import CSV
from tracelab.loggers.tracker import check_installed, finish, report

__all__ = ["CSV", "Results", "check_installed", "finish", "mlflow", "report", "tensorboard", "wandb"]
