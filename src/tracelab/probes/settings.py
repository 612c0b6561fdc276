"""What commands about a model's inside share: knobs of what is written, and of what is fitted to it."""

from __future__ import annotations

from tracelab.core.settings import Count, Positive, Weight, settings


@settings
class Fit:
    """The completions that something is fitted to: of problems of the validation split."""

    problems: Count
    samples: Count
    temperature: Weight


@settings
class Fitting:
    """How transcoders are trained (`diffing`).

    steps: of Adam, with `batch_tokens` each; learning_rate: warmed up, then half a cosine to zero; bridging,
    reconstruction, sparsity: weights of the loss's terms.
    """

    steps: Count = 1000
    batch_tokens: Count = 4096
    learning_rate: Positive = 1e-3
    bridging: Weight = 2.0
    reconstruction: Weight = 1.0
    sparsity: Weight = 1e-3
