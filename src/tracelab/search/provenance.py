"""Where the answer behind a trace comes from: what the grammars have in common.

A trace is read twice: once without the steps that are wrong (not legal after the right ones before them), and
once with every step taken at its word. Which of the two readings gives the solution tells where it is from.
`core.types.PROVENANCES` names the codes.
"""

from __future__ import annotations

from tracelab.core.jit import kernel

LEGAL, UNUSED, UNDONE, LED, REBUILT = range(5)


@kernel
def kind_of(right: bool, worded: bool, wrong: bool, undone: bool) -> int:
    """The provenance of a solution. right, worded: do the right steps alone, or all at their word, give it?

    wrong: is any step wrong?; undone: was one that the solution needs said wrongly first?
    """
    if right:
        return (UNDONE if undone else UNUSED) if wrong else LEGAL
    return LED if worded and wrong else REBUILT
