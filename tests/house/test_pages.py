"""README and docs: blocks of code run or are marked, links and figures are there, nothing is too long."""

import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path

import hydra._internal.config_loader_impl
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from tests.helpers.pages import BUILT, DOCS, blocks_of, pages
from tests.helpers.runs import small
from tracelab.core.paths import CLONE, CONF, PACKAGE
from tracelab.runs.entry import chosen, composed_config
from tracelab.training.experiment import train
from tracelab.tuning.spaces import space_of

BLOCKS = [block for page in pages() for block in blocks_of(page)]
MARKERS = re.compile(r"run|run by tests/[\w/]+\.py|(composed, )?not run: \w.*")
COMPOSED = [block for block in BLOCKS if block.how.startswith("composed")]
RUN = [block for block in BLOCKS if block.how == "run"]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
OUTSIDE = ("http://", "https://", "mailto:")


def name(block):
    return f"{block.page.relative_to(CLONE)}:{block.line}"


def commands_of(code):
    """A block's commands as lists of words: what follows `$`, or every line where there is none."""
    lines = code.splitlines()
    lines = [line[2:] for line in lines if line.startswith("$ ")] or lines
    for line in lines:
        for part in re.split(r";\s*", line.partition(" # ")[0]):
            words = shlex.split(part.strip().removeprefix("do ").replace("$run", "runs/x"))
            if words and words[0] not in ("for", "done"):
                yield words


def values(override):
    """`a=1,2` -> [a=1, a=2]; of an interval both ends; what is no sweep, alone."""
    parsed = OverridesParser.create().parse_override(override)
    if not parsed.is_sweep_override():
        return [override]
    if parsed.is_interval_sweep():
        return [words[-1] for words in space_of([override]).corners()]
    return [f"{override.partition('=')[0]}={value}" for value in parsed.sweep_string_iterator()]


def compose_all(config, words):
    """Compose a Hydra command once for every value of its sweeps. An override that does not exist raises."""
    choices = [values(word) for word in words if not word.startswith("-")]
    for k in range(max(map(len, choices), default=1)):
        composed_config(config, *(choice[min(k, len(choice) - 1)] for choice in choices))


def check_options(source, words):
    """Each --option stands in the program's source."""
    text = source.read_text(encoding="utf-8")
    for word in words:
        assert not word.startswith("--") or f'"{word.partition("=")[0]}"' in text, f"{source} knows no {word}"


def check_module(module, words):
    """A module that exists, with overrides or options that it takes."""
    found = importlib.util.find_spec(module)
    assert found is not None, f"there is no module {module}"
    command = module.removeprefix("tracelab.")
    if (CONF / f"{command}.yaml").is_file():
        compose_all(command, chosen(command, words))
    elif module.startswith("tracelab."):
        main = Path(found.origin)
        beside = main.with_name("command.py")  # where a command is a folder
        check_options(beside if beside.is_file() else main, words)


def check_command(words):
    """AssertionError, or Hydra's own error, if a command names what is not there."""
    program, *rest = words
    if program == "make":
        targets = re.findall(r"^([a-z-]+):", (CLONE / "Makefile").read_text(encoding="utf-8"), re.M)
        assert {word for word in rest if "=" not in word} <= {*targets}
    elif program == "python" and rest[0] == "-m":
        check_module(rest[1], rest[2:])
    elif program == "python":
        check_options(CLONE / rest[0], rest[1:])
    else:
        assert program == "source", f"{program}: what is this? Mark the block as not run, with the reason"


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    heads = re.findall(r"^#+ (.*)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def broken(page, text):
    """Links of a page that lead nowhere."""
    found = []
    for link in LINK.findall(re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)):
        path, _, anchor = link.partition("#")
        target = page if not path else page.parent / path
        if link.startswith(OUTSIDE):
            continue
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            found.append(link)
    return found


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder with two small runs, wherever a page says that runs lie."""
    folder = tmp_path_factory.mktemp("world")
    for arm in ("correct", "corrupted"):
        train(small(folder / "runs" / "study" / arm, f"trace={arm}"))
    for place in ("first", "sweep"):
        (folder / "runs" / place).symlink_to(folder / "runs" / "study")
    return folder


def test_every_block_is_run_or_says_why_not():
    assert len(BLOCKS) > 20
    assert [name(block) for block in BLOCKS if not MARKERS.fullmatch(block.how)] == []


@pytest.mark.parametrize("page", [*pages(), CLONE / "notebooks" / "README.md"], ids=lambda page: page.name)
def test_blocks_keep_arms_apart(page):
    """What groups outcomes by the treatment's name has its knobs as well: arms differ in them."""
    blocks = [block.code for block in blocks_of(page)]
    assert [code for code in blocks if "treatment" in code and "treatment_options" not in code] == []


def test_what_others_run_they_read():
    """A test that is said to run a block names its page."""
    said = [(block, block.how.removeprefix("run by ")) for block in BLOCKS if block.how.startswith("run by ")]
    assert len(said) > 3
    for block, file in said:
        assert block.page.name in (CLONE / file).read_text(encoding="utf-8"), name(block)


@pytest.mark.parametrize("block", COMPOSED, ids=name)
def test_commands_are_composed(block):
    commands = list(commands_of(block.code))
    assert commands
    for words in commands:
        check_command(words)


@pytest.mark.parametrize("block", RUN, ids=name)
def test_blocks_run(block, world, monkeypatch):
    monkeypatch.chdir(world)
    if block.language == "python":
        exec(compile(block.code, name(block), "exec"), {"__name__": "page"})
    elif block.language == "sql":
        duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed")
        assert len(duckdb.sql(block.code).fetchall()) > 1
    else:
        for program, *rest in commands_of(block.code):
            assert program == "python"
            done = subprocess.run([sys.executable, *rest], capture_output=True, text=True)
            assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(CLONE)))
def test_links_and_figures_are_there(page):
    assert broken(page, page.read_text(encoding="utf-8")) == []


def test_the_readme_counts_tasks_and_treatments():
    words = "six seven eight nine ten eleven twelve thirteen fourteen fifteen"
    numbers = dict(enumerate(words.split(), 6))
    tasks, treatments = (numbers[len(list(CONF.glob(f"{axis}/*.yaml")))] for axis in ("task", "trace"))
    text = (CLONE / "README.md").read_text(encoding="utf-8")
    assert f"the {tasks} tasks and the {treatments} treatments" in text


def test_the_site_has_every_page():
    """Each in a table of contents of docs/index.md, by its name or by a pattern."""
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    entries = [
        line
        for toctree in re.findall(r"^```\{toctree\}\n(.*?)^```$", index, re.M | re.S)
        for line in toctree.splitlines()
        if line and not line.startswith(":")
    ]
    listed = {path for entry in entries for path in DOCS.glob(f"{entry}.md")}
    every = {path for path in DOCS.rglob("*.md") if BUILT not in path.parents}
    assert every - listed == {DOCS / "index.md"}


def test_the_errors_of_the_install_page_are_raised():
    """Each piece of what is quoted there stands in the sources, as it is written."""
    sources = [*PACKAGE.rglob("*.py"), CLONE / "Makefile", Path(hydra._internal.config_loader_impl.__file__)]
    said = "".join(path.read_text(encoding="utf-8") for path in sources)
    said = re.sub(r'"\s*\n\s*f?"', "", said)  # one message in several strings
    rows = (DOCS / "install.md").read_text(encoding="utf-8").partition("| what you see |")[2]
    quoted = re.findall(r"^\| `([^`]+)` \|", rows, re.M)
    assert len(quoted) > 12
    pieces = [piece.strip() for message in quoted for piece in message.split("…")]
    assert [piece for piece in pieces if piece not in said] == []


def test_readme_is_short():
    assert len((CLONE / "README.md").read_text(encoding="utf-8")) < 9000


@pytest.mark.parametrize(
    "code",
    [
        "$ make demos",
        "$ python -m tracelab.trian",
        "$ python -m tracelab.train trace=swapped trace.rate=1",
        "$ python -m tracelab.train -m trace=correct,mangled",
        "$ python -m tracelab.report runs/study --to study.html",
        "$ python bench/grpo.py --prize trace",
        "rm -rf runs",
    ],
)
def test_a_wrong_command_is_found(code):
    (words,) = commands_of(code)
    with pytest.raises((AssertionError, HydraException, FileNotFoundError)):
        check_command(words)


def test_a_bare_block_and_a_broken_link_are_found():
    page = DOCS / "index.md"
    (bare,) = blocks_of(page, "text\n\n```console\n$ make demo\n```\n")
    assert not MARKERS.fullmatch(bare.how)
    (marked,) = blocks_of(page, "<!-- not run: it is large -->\n```python\n1 / 0\n```\n")
    assert (marked.how, marked.line) == ("not run: it is large", 2)
    assert MARKERS.fullmatch(marked.how)
    text = "[a](nowhere.md) [b](install.md#nothing) [c](install.md#the-doctor) ![d](figures/examples.png)"
    assert broken(page, text) == ["nowhere.md", "install.md#nothing"]
