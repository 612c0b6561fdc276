"""A program from a prompt that was read from a file."""

from __future__ import annotations

from tracelab.core.codec import Codec
from tracelab.core.ragged import Integers
from tracelab.tasks.arithmetic.program import LET
from tracelab.tasks.arithmetic.text import SIGNS, prompt_rows
from tracelab.tasks.shared.derived import letters
from tracelab.tasks.shared.reading import alone, check_written, stored

Definition = tuple[int, int, int, int]  # name, rule, left, right: as they are stored


def problem_of(codec: Codec, prompt: Integers, names: int, modulus: int) -> Integers:
    """The stored program that a prompt's tokens write. ValueError if they write none with a value."""
    operands = {letters(k): k for k in range(names)} | {str(c): -1 - c for c in range(modulus)}
    words = codec.words_of(prompt).split()
    definitions, at = list[Definition](), 0
    while words[at + 1 : at + 2] == ["="] and at + 3 < len(words):
        computed = words[at + 3] in SIGNS and at + 4 < len(words)
        rule = 1 + SIGNS.index(words[at + 3]) if computed else LET
        parts = [
            operands.get(word) for word in (words[at], words[at + 2], words[at + 4] if computed else "0")
        ]
        name, left, right = (len(operands) if part is None else part for part in parts)
        definitions.append((name, rule, left, right))
        at += 5 if computed else 3
    defined = {definition[0] for definition in definitions}
    if words[at : at + 1] != ["ask"] or len(words) != at + 2 or operands.get(words[at + 1]) not in defined:
        raise ValueError("the prompt does not end by asking for a name that it defines")
    check_evaluable(definitions)
    header = len(definitions), max(defined) + 1, modulus, operands[words[at + 1]]
    problem = stored([*header, *(number for definition in definitions for number in definition)])
    check_written(codec, prompt, prompt_rows(alone(problem), names))
    return problem


def check_evaluable(definitions: list[Definition]) -> None:
    """ValueError unless each name is defined once, by what is defined, and none by itself."""
    rests = {name: [o for o in (left, right) if o >= 0] for name, _, left, right in definitions}
    if len(rests) < len(definitions):
        raise ValueError("a name is defined twice")
    if any(rule == LET and rests[name] for name, rule, *_ in definitions):
        raise ValueError("a name is defined to be another: a definition is a number, or has a sign")
    while rests:
        ready = [name for name, operands in rests.items() if not any(o in rests for o in operands)]
        if not ready:
            raise ValueError("a name is defined by itself")
        for name in ready:
            del rests[name]
    known = {name for name, *_ in definitions}
    if any(o >= 0 and o not in known for _, _, *operands in definitions for o in operands):
        raise ValueError("a definition rests on a name that has none")
