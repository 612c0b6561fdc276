"""A problem stated in English: the task's rules, the grammar of its format, the tags to answer in.

print(prompt_of(task, "start 0,0 goal 2,0 1,1 2,1"))
"""

from __future__ import annotations

import re

from tracelab.adapters.naming import knobs_of
from tracelab.adapters.rules import TASKS, levels_of
from tracelab.core.formats import Format
from tracelab.core.types import Task

FEW = 12  # words of a field that are all named
APART = ("ood", "reach")  # knobs that say nothing about a problem
TRACE, SOLUTION = "trace", "solution"  # the tags


def tagged(trace: str, solution: str) -> str:
    """An answer in the form that a prompt asks for."""
    return f"<{TRACE}>\n{trace}\n</{TRACE}>\n<{SOLUTION}>\n{solution}\n</{SOLUTION}>"


def prompt_of(task: Task, problem: str, example: tuple[str, str] | None = None) -> str:
    """A problem in the task's words, with all that is needed to answer it, in English.

    example: another problem with its answer, to be shown before. ValueError if nobody has said in English
    what the task is (`rules.TASKS`).
    """
    if task.name not in TASKS:
        raise ValueError(f"adapters/rules.py says nothing of task {task.name}: write what its words mean")
    settings = ", ".join(f"{k}={v}" for k, v in knobs_of(task).items() if k not in APART)
    shown = f"An example. The problem:\n{example[0]}\nA right answer:\n{example[1]}\n\n" if example else ""
    return (
        f"{TASKS[task.name]}\nSettings: {settings}\n\n{_written(task)}\n\n{_form(task)}\n\n{shown}"
        f"The problem:\n{problem}"
    )


def _written(task: Task) -> str:
    """The grammar of prompts, steps and solutions."""
    written = task.codec.format
    parts = {
        "A problem is": written.prompt,
        "A step of the search is one of": written.trace,
        "The solution is one or more of": written.solution,
    }
    lines = ["Words stand between blanks. {name} is one word of those listed; {name?} may be left out."]
    for what, templates in parts.items():
        lines += [f"{what}:", *(f"  {' '.join(template.split())}" for template in templates.values())]
    return "\n".join([*lines, "where", *_fields(written)])


def _fields(written: Format) -> list[str]:
    """Lines that say which words a name stands for; names with the same words share one."""
    templates = [*written.prompt.values(), *written.trace.values(), *written.solution.values()]
    used = dict.fromkeys(re.findall(r"\{(\w+)\??\}", " ".join(templates)))
    by_words: dict[tuple[str, ...], list[str]] = {}
    for name in used:
        by_words.setdefault(written.fields[name].words, []).append(f"{{{name}}}")
    return [f"  {' '.join(names)}: {_words(words)}" for words, names in by_words.items()]


def _words(words: tuple[str, ...]) -> str:
    if len(words) <= FEW:
        return " ".join(words)
    return f"{' '.join(words[:4])} ... {words[-1]} ({len(words)} words)"


def _form(task: Task) -> str:
    """How to answer, and how the answer is judged."""
    meanings = levels_of(task)
    levels = "\n".join(f"  {level}: {meaning}" for level, meaning in meanings.items())
    apart = ", but for `paper`" if "paper" in meanings else ""
    return (
        "Answer with the search and then the solution, in this form; think before it as you like. Of several "
        "the last counts, and nothing but steps and solution may stand between the tags.\n"
        f"{tagged('the steps, one after another', 'the solution')}\n"
        "The solution and the search are judged apart. The search is judged at levels, from weak to strong"
        f"{apart}:\n"
        f"{levels}"
    )
