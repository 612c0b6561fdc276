"""How fast this machine trains, measured: the format of matrix products, and the demo's model."""

from __future__ import annotations

from tracelab.core.terminal import counted
from tracelab.doctor.finding import Finding

AROUND = 1.5  # minutes of the demo that are not training: compiling, drawing, judging, figures


def precision() -> Finding:
    """The format of matrix products that training takes, and the rates that decided it."""
    from tracelab.demo import demo
    from tracelab.models.precision import forget
    from tracelab.runs.build import precision_of
    from tracelab.training import accelerate

    accelerate.start()
    forget()  # what was measured beside other programs is measured again
    chosen = precision_of(demo())
    return Finding("precision", f"{chosen.name} ({chosen.why})")


def training() -> Finding:
    """How fast the demo's model trains, and how long `make demo` will take."""
    from tracelab.demo import demo, tokens_per_second
    from tracelab.training.budget import build_budget

    experiment = demo()
    speed = tokens_per_second(experiment)
    minutes = build_budget(experiment.budget).amount / speed / 60 + AROUND
    time = counted(round(minutes), "minute")
    text = f"{speed:,.0f} tokens/s: make demo takes about {time} ({AROUND} of them around)"
    return Finding("training", text)
