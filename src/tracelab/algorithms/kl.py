"""KL(policy ‖ reference) from samples: three estimators of its value, one right gradient.

With d = log π − log π_ref at a sampled token (Schulman, http://joschu.net/blog/kl-approx.html):

    k1 = d      k2 = d² / 2      k3 = exp(−d) − 1 + d

k1 and k3 are unbiased values, k2 is biased but of low variance. Differentiated as they stand, k1 gives a
gradient whose mean is 0 and k3 that of the forward KL. The gradient of KL(π ‖ π_ref) is the mean of
ρ d ∇log π, with ρ = π / π_old where the samples are another policy's (token by token here); it is what every
estimator is given.
"""

from __future__ import annotations

import torch
from torch import Tensor

ESTIMATORS = {
    "k1": lambda d: d,
    "k2": lambda d: d.square() / 2,
    "k3": lambda d: torch.expm1(-d) + d,
}


def kl_terms(estimator: str, logprobs: Tensor, old: Tensor, reference: Tensor) -> Tensor:
    """(n, T) terms: the estimator's value, the reverse KL's gradient.

    logprobs: of the policy, with gradient; old: of the policy that sampled; reference: of the frozen one.
    """
    d = (logprobs - reference).detach()
    ratio = (logprobs.detach() - old).exp()
    value: Tensor = ratio * ESTIMATORS[estimator](d)
    return value + ratio * d * (logprobs - logprobs.detach())
