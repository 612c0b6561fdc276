"""What kernels are given, as their signatures say it.

    def shuffle(state: Random, values: Integers) -> None: ...

An alias says what the elements are; their number and order are the docstring's. A kernel is compiled for
what it is called with: one of `Integers` takes int16 and int64 alike. An integer is an `int`, be it Python's
or an array's element. Words of 64 bits without a sign are set apart (`np.uint64`), for they do not mix with
integers: to NumPy the sum of both is a float.

mypy alone reads these annotations, in the kernels' bodies and where kernels are called; numba looks at the
arguments.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.integer]  # of any width: tokens, cells, rows of (op, operands), offsets
Flags = NDArray[np.bool_]
Words = NDArray[np.uint64]  # 64 bits each: keys of problems, hashes, colours
Random = NDArray[np.uint64]  # (1,) the state of a generator, which moves on with each draw (`core.rng`)

int64 = cast(type[int], np.int64)  # what makes an integer of a word, or a wide one of a narrow one
