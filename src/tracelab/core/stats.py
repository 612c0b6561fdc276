"""The few statistics that every table here needs: intervals of rates and the association of two verdicts.

Evaluation and the data card share them:

    low, high = wilson(np.array([98, 0]), 100)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Z95 = 1.959963984540054  # the 97.5 % quantile of the standard normal


def wilson(
    successes: ArrayLike, n: ArrayLike, z: float = Z95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Wilson's score interval of a binomial rate (1927), elementwise -> (low, high).

    It stays within [0, 1] and is sensible at 0 % and 100 %. Without observations it is (0, 1).
    """
    k, n = np.asarray(successes, np.float64), np.asarray(n, np.float64)
    variance = k * (n - k) / np.maximum(n, 1)
    middle = k + z * z / 2
    half = z * np.sqrt(variance + z * z / 4)
    low, high = (middle - half) / (n + z * z), (middle + half) / (n + z * z)
    return np.where(k > 0, low, 0.0), np.where(k < n, high, 1.0)


def phi(a: ArrayLike, b: ArrayLike) -> float:
    """Correlation of two yes/no variables, (n,) bool each; nan where one of them never varies."""
    x, y = np.asarray(a, np.bool_), np.asarray(b, np.bool_)
    both, neither = float((x & y).sum()), float((~x & ~y).sum())
    only_x, only_y = float((x & ~y).sum()), float((~x & y).sum())
    spread = (both + only_x) * (both + only_y) * (neither + only_x) * (neither + only_y)
    return (both * neither - only_x * only_y) / spread**0.5 if spread > 0 else float("nan")
