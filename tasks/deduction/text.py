"""How facts, rules, searches and proofs are written."""

from __future__ import annotations

import numpy as np

from tracelab.core.codec import Codec
from tracelab.core.formats import Field, Format
from tracelab.core.ragged import Integers, Ragged
from tracelab.tasks.deduction.rules import FACT, HEADER, OPS, RULE

ONSETS, VOWELS, CODAS = "bdfgklmprstvz", "aeiou", "bkmnpx"  # of lengths without a common factor
VARIABLE = "x"
SIGNS = ("is", "not")
JOINS = ("and", "or")
PROMPT_WIDTH = 12  # op, label, then literal and entity of a premise; twice with a join before; conclusion


def atom_name(a: int) -> str:
    """An invented word of three letters: 390 of them, then numbered ones."""
    word = ONSETS[a % len(ONSETS)] + VOWELS[a % len(VOWELS)] + CODAS[a % len(CODAS)]
    round_ = a // (len(ONSETS) * len(VOWELS) * len(CODAS))
    return word + (str(round_) if round_ else "")


def entity_name(e: int) -> str:
    """A, B, C, ..."""
    return chr(ord("A") + e)


def literal_name(literal: int, signs: int) -> str:
    """Text of a literal in the prompt. signs: 2 where there is `not`."""
    return (SIGNS[literal % 2] + " " if signs == 2 else "") + atom_name(literal // signs)


def codec_of(labels: int, atoms: int, entities: int, signs: int, quantified: bool) -> Codec:
    """The vocabulary for so many rules, atoms and entities; signs: 2 where there is `not`."""
    rules, words = tuple(f"r{k}" for k in range(labels)), tuple(atom_name(a) for a in range(atoms))
    named = tuple(entity_name(e) for e in range(entities)) if quantified else ()
    fields = {"rule": Field(1, rules)}
    for name, column in (("own", 2), ("p", 2), ("q", 5), ("r", 8), ("then", 10)):
        fields[name] = Field(column, words, signs)
        fields[f"sign_{name}"] = Field(column, SIGNS)
        fields[f"of_{name}"] = Field(column + 1, named + (VARIABLE,) * (name != "own"))
    fields |= {"join_q": Field(4, JOINS), "join_r": Field(7, JOINS)}

    def literal(name: str, mark: str = "") -> str:
        sign, of = (f"{{sign_{name}{mark}}} " * (signs == 2), f" {{of_{name}{mark}}}" * quantified)
        return f"{sign}{{{name}{mark}}}{of}"

    others = " ".join(f"{{join_{name}?}} {literal(name, '?')}" for name in "qr")
    rule = f"{{rule}} {literal('p')} {others} then {literal('then')}"
    own = literal("own")
    trace = {"apply": f"apply {{rule}} {own}", "try": f"try {{rule}} {own}", "fail": f"fail {own}"}
    written = Format(
        fields=fields,
        prompt={"rule": rule, "fact": f"fact {literal('p')}", "prove": f"prove {literal('p')}"},
        trace=trace,
        solution={"rule": f"{{rule}} {own}", "unknown": "unknown"},
    )
    marks = (*JOINS, "then", "fact", "prove", "reasoning", *OPS, "solution", "unknown", "end")
    signed, variable = SIGNS * (signs == 2), (VARIABLE,) * quantified
    return Codec((*marks, *signed, *rules, *words, *named, *variable), written, PROMPT_WIDTH, 4, 4)


def prompt_rows(problems: Ragged, entities: int, quantified: bool) -> Ragged:
    """Stored problems -> rows: the rules, the facts, then the question."""
    return Ragged.stack([_prompt(p.astype(np.int32), entities, quantified) for p in problems], PROMPT_WIDTH)


def _prompt(problem: Integers, entities: int, quantified: bool) -> Integers:
    facts, rules = parts_of(problem)
    block = np.full((len(rules) + len(facts) + 1, PROMPT_WIDTH), -1, np.int32)
    about = np.where(rules[:, 2] < 0, entities, rules[:, 2])
    block[: len(rules), 0], block[: len(rules), 1] = 0, rules[:, 0]
    for k, column in enumerate((2, 5, 8)):
        there = rules[:, 4 + k] >= 0
        block[: len(rules), column] = rules[:, 4 + k]
        block[: len(rules), column + 1] = np.where(there & quantified, about, -1)
        if k > 0:
            block[: len(rules), column - 1] = np.where(there, rules[:, 1], -1)
    block[: len(rules), 10] = rules[:, 3]
    block[: len(rules), 11] = about if quantified else -1
    block[len(rules) :, 0] = 1
    block[len(rules) : -1, 2] = facts[:, 0]
    block[len(rules) : -1, 3] = facts[:, 1] if quantified else -1
    block[-1, 0], block[-1, 2], block[-1, 3] = 2, problem[5], problem[6] if quantified else -1
    return block


def parts_of(problem: Integers) -> tuple[Integers, Integers]:
    """A stored problem's facts (n, FACT) and rules (n, RULE)."""
    ends = HEADER + FACT * int(problem[1])
    return problem[HEADER:ends].reshape(-1, FACT), problem[ends:].reshape(-1, RULE)
