"""The report of small runs: what is in it, and what a reader can do with it in a real browser."""

import base64
import csv
import gzip
import json
import re
import shutil
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from tests.helpers.runs import KEPT, figures_saved, task_names
from tests.report.conftest import ARMS
from tracelab import analysis
from tracelab.core import rng
from tracelab.core.ragged import Ragged
from tracelab.data.frozen import references
from tracelab.gallery import built
from tracelab.report import main, sections
from tracelab.report.traces import _written, deltas

PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def table(study):
    return analysis.load(*(study / name for name in ARMS))


@pytest.fixture(scope="module")
def report(study, tmp_path_factory):
    out = tmp_path_factory.mktemp("report") / "study.html"
    with figures_saved():
        main([str(study), "--out", str(out), "--examples", "5"])
    return out


@pytest.fixture(scope="module")
def page(report):
    return report.read_text()


@pytest.fixture(scope="module")
def shown(page):
    """The viewer's data."""
    packed = re.search(r'id="outcomes">([^<]*)<', page)[1]
    return json.loads(gzip.decompress(base64.b64decode(packed)))


# --- content -----------------------------------------------------------------------------------------


def test_it_needs_no_network(page):
    assert not re.search(r'(src|href)="(https?:)?//', page)
    assert "<link rel=stylesheet" not in page
    assert "@import" not in page


def test_every_section_is_there(page):
    sections = set(re.findall(r'<section id="(\w+)"', page))
    names = "summary differences gaps learning validity failures lengths samples confidence interventions"
    names += " memorisation versions states doses metrics cards configs viewer"
    assert sections == set(names.split())
    assert "can't be shown" not in page


def test_what_was_left_out_is_named(page):
    assert re.search(r"<li>\S*unfinished is left out: it is not evaluated yet", page)


def test_its_rates_are_those_of_the_outcomes(table, report, page):
    rates = analysis.rates(table, "solution_valid", ["arm", "split"])
    for row in rates.iter_rows(named=True):
        assert f"{100 * row['value']:.1f} <small>[{100 * row['low']:.1f}, {100 * row['high']:.1f}]" in page
    written = pl.read_csv(report.with_name("study_data") / "rates_solution_valid.csv")
    assert written.sort("arm", "split")["value"].to_list() == rates["value"].to_list()


def test_figures_have_their_data_beside_them(report, page):
    folder = report.with_name("study_data")
    figures = sorted(path.stem for path in folder.glob("*.svg"))
    assert len(figures) == page.count('<figure class="plot">') == 12
    for name in figures:
        assert (folder / f"{name}.png").stat().st_size > 5000
        assert (folder / f"{name}.pdf").is_file()
        with (folder / f"{name}.csv").open(newline="") as file:
            assert len(list(csv.reader(file))) > 2
    for link in re.findall(r'href="(study_data/[^"]+)"', page):
        assert (report.parent / link).is_file()


def test_what_was_measured_during_training(study, report, page):
    section = page[page.index('<section id="learning"') :].split("</section>")[0]
    assert "the same 8 held-out problems" in section
    assert section.count("0 of 1") == 4  # arms and qualities: nobody is that good
    assert "is left out" not in section
    written = pl.read_csv(report.with_name("study_data") / "time_to_quality.csv")
    assert written["reached"].to_list() == [False] * 4
    assert written["tokens"].null_count() == 4


def test_runs_without_curves_are_named(study, tmp_path):
    for name in ARMS:
        shutil.copytree(study / name, tmp_path / "runs" / name)
    log = tmp_path / "runs" / ARMS[0] / "metrics.csv"
    old = pl.read_csv(log)
    old.drop([name for name in old.columns if name.startswith("val/")]).write_csv(log)
    words = [str(tmp_path / "runs"), "--out", str(tmp_path / "report.html"), "--only", "learning"]
    main(words)
    section = (tmp_path / "report.html").read_text().split('<section id="learning"')[1].split("</section>")[0]
    assert re.search(rf"{ARMS[0]} is left out: it completed no held-out problems", section)
    assert section.count("0 of 1") == 2
    (tmp_path / "runs" / ARMS[1] / "metrics.csv").unlink()
    main(words)
    assert '<section id="learning"' not in (tmp_path / "report.html").read_text()


def test_sections_can_be_chosen(study, tmp_path, report):
    """And are what they are on the whole page."""
    main([str(study), "--out", str(tmp_path / "study.html"), "--only", "configs, summary"])
    page, whole = ((folder / "study.html").read_text() for folder in (tmp_path, report.parent))
    assert re.findall(r'<section id="(\w+)"', page) == ["summary", "configs"]
    assert 'href="#viewer"' in whole
    assert 'href="#viewer"' not in page
    for section in re.findall(r"<section .*?</section>", page, re.DOTALL):
        assert section in whole


def test_ids_are_unique(page):
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_differing_knobs_are_listed(page):
    table = page[page.index('<section id="configs"') :]
    assert "trace.rate" in table
    assert "task.size" not in table.split("</table>")[0]


# --- the viewer's data -------------------------------------------------------------------------------


def test_the_viewer_holds_a_sample_of_each_kind(table, shown):
    outcomes = table.collect()
    assert shown["all"] == len(outcomes)
    kinds = outcomes.group_by("run", "split", "solution_valid", "trace_strict").len()
    assert len(shown["outcomes"]) == sum(min(5, n) for n in kinds["len"])


def test_shown_traces_are_the_outcomes(study, table, shown):
    outcomes = table.collect()
    runs = [str(study / name) for name in ARMS]
    for o in shown["outcomes"]:
        problem, split = shown["problems"][o["problem"]], shown["splits"][o["split"]]
        key = {"run": runs[o["run"]], "split": split, "index": problem["index"], "sample": o["sample"]}
        (row,) = outcomes.filter(**key).to_dicts()
        assert o["tokens"] == row["completion"]
        assert o["solution"][0] == row["solution_valid"]
        assert o["trace"][2] == [row["trace_strict_reason"], row["trace_strict_at"]]
        assert len(o["steps"]) == len(o["ends"]) - 1
        assert len(problem["reference"]["steps"]) == row["reference_steps"]
        assert o["ends"] == sorted(o["ends"])
        assert o["ends"][-1] <= len(o["tokens"])


@pytest.mark.parametrize("name", task_names())
def test_traces_of_any_task_are_shown(name):
    """Right ones, ones with a wrong word, another problem's, and nonsense."""
    task = built("task", name)
    examples = task.generate(rng.keys(0, "train", 0, 4, "problem"), "train")
    right, draw = references(task, examples), np.random.default_rng(0)
    wrong = right[1].copy()
    wrong[len(wrong) // 2] = draw.integers(len(task.codec.vocabulary))
    nonsense = draw.integers(len(task.codec.vocabulary), size=30)
    for k, completion in enumerate((right[0], wrong, right[3], nonsense)):
        one, lines = examples.take(np.array([k])), {}
        written = _written(task, one, np.asarray(completion, np.int32), lines)
        steps = len(written["ends"]) - 1
        assert k or steps == len(examples.trace[0])
        if hasattr(task, "scene"):
            assert len(written["steps"]) == steps
        else:
            assert undone(written["frames"], list(lines))[-1] == text_of(task, one, completion)
            assert len(written["frames"]) == steps + 2


def text_of(task, one, completion):
    trace, solution = task.codec.read_completion(np.asarray(completion, np.int32))
    steps, answer = (Ragged.stack([rows], rows.shape[1]) for rows in (trace, solution))
    return task.draw(replace(one, trace=steps, solution=answer), 0)


def undone(changes, lines):
    """Frames from deltas, as text: the page's own algorithm."""
    frames, before = [], []
    for head, tail, between in changes:
        before = before[:head] + between + before[len(before) - tail :]
        frames.append("\n".join(lines[k] for k in before))
    return frames


def test_deltas_are_undone():
    draw = np.random.default_rng(0)
    frames = [draw.integers(3, size=draw.integers(6)).tolist() for _ in range(200)]
    lines = ["a", "b", "c"]
    assert undone(deltas(frames), lines) == ["\n".join(lines[k] for k in frame) for frame in frames]


# --- what is refused ---------------------------------------------------------------------------------


def test_bad_input_is_refused(study, tmp_path):
    out = ["--out", str(tmp_path / "report.html")]
    with pytest.raises(SystemExit, match="no run lies at or below"):
        main([str(tmp_path / "nothing"), *out])
    with pytest.raises(SystemExit, match=r"--only rates: there is no such section; .* learning, .* viewer"):
        main([str(study), "--only", "summary,rates", *out])
    with pytest.raises(SystemExit, match="--only : there is no such section"):
        main([str(study), "--only", "", *out])
    with pytest.raises(SystemExit, match="--base filler is no arm; there are corrupted"):
        main([str(study), "--base", "filler", *out])
    shutil.copytree(study / "corrupted-1", tmp_path / "mixed" / "one")
    shutil.copytree(study / "corrupted-1", tmp_path / "mixed" / "other")
    path = tmp_path / "mixed" / "other" / "config.yaml"
    path.write_text(path.read_text().replace("problems: 24", "problems: 25"))
    with pytest.raises(SystemExit, match="no comparison"):
        main([str(tmp_path / "mixed"), *out])
    assert not (tmp_path / "report.html").exists()


def test_a_report_is_whole_or_as_it_was(study, tmp_path, monkeypatch, capsys):
    """Ctrl-C, a full disk, a name that is taken: a line, and nothing is left of the new one."""
    out = tmp_path / "report.html"
    out.write_text("old")
    (tmp_path / "report_data").mkdir()
    (tmp_path / "report_data" / "rates_solution_valid.csv").write_text("old")
    before = {path: path.is_dir() or path.read_text() for path in tmp_path.rglob("*")}
    for error, ends in (
        (KeyboardInterrupt(), 130),
        (OSError(28, "No space left on device"), "error: .*No space"),
    ):

        def fails(*_, error=error):
            raise error

        with monkeypatch.context() as patched:
            patched.setattr("tracelab.report.writing._viewer", fails)
            with pytest.raises(SystemExit) as ended:
                main([str(study), "--out", str(out), "--only", "summary,viewer"])
        assert re.match(str(ends), str(ended.value.code))
        assert {path: path.is_dir() or path.read_text() for path in tmp_path.rglob("*")} == before
    assert "Interrupted. No report was written; an earlier one is as it was." in capsys.readouterr().err
    with pytest.raises(SystemExit, match="is something else: take another name"):
        main([str(study), "--out", str(tmp_path / "report_data")])


def test_copies_and_links_are_said_and_counted_once(study, tmp_path):
    copy = shutil.copytree(study / "corrupted-1", tmp_path / "copy")
    (tmp_path / "link").symlink_to(study / "corrupted-1")
    out = str(tmp_path / "out.html")
    main([str(study / "corrupted-1"), str(tmp_path), "--out", out, "--only", "summary"])
    page = (tmp_path / "out.html").read_text()
    assert f"{copy} is left out: it is a copy of {study / 'corrupted-1'}" in page
    assert "1 run of the task maze" in page


def test_one_run_makes_a_report_even_if_its_traces_cannot_be_shown(study, tmp_path):
    run, out = tmp_path / "run", tmp_path / "one.html"
    shutil.copytree(study / "corrupted-1", run)
    words = json.loads((run / "vocab.json").read_text())
    (run / "vocab.json").write_text(json.dumps(words[:-1]))
    main([str(run), "--out", str(out), "--only", "summary,differences,doses,viewer"])
    page = out.read_text()
    assert "was made with another vocabulary than this version" in page
    assert "There is one arm: nothing to compare." in page
    assert '<section id="doses"' not in page


# --- in a browser ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chromium():
    """A real one, headless; skipped where none is installed."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with playwright.sync_playwright() as driver:
        try:
            browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        except playwright.Error as error:
            pytest.skip(f"no browser: {error.message.splitlines()[0]}")
        yield browser
        browser.close()


@pytest.fixture
def tab(chromium, report):
    """The page, open; it must log no errors and ask for nothing but itself."""
    context = chromium.new_context(viewport={"width": 1200, "height": 900})
    tab, complaints, asked = context.new_page(), [], []
    tab.on("console", lambda said: said.type in ("error", "warning") and complaints.append(said.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(report.as_uri())
    tab.wait_for_selector("#browser:not([hidden])")
    tab.locator("#viewer").scroll_into_view_if_needed()
    yield tab
    assert complaints == []
    assert {url for url in asked if not url.startswith("data:")} == {report.as_uri()}
    context.close()


def step(tab):
    return int(tab.input_value("#step"))


def test_keys_and_slider_step_through_the_search(tab):
    last = int(tab.get_attribute("#step", "max"))
    assert step(tab) == last
    assert tab.text_content("#place") == "solution"
    before = tab.inner_html("#reference .picture") + tab.inner_html("#model .picture")
    tab.keyboard.press("ArrowLeft")
    assert step(tab) == last - 1
    assert tab.inner_html("#reference .picture") + tab.inner_html("#model .picture") != before
    tab.keyboard.press("ArrowRight")
    assert step(tab) == last
    tab.focus("#step")
    tab.keyboard.press("ArrowLeft")
    tab.keyboard.press("ArrowLeft")
    assert step(tab) == last - 2
    tab.fill("#step", "0")
    assert tab.text_content("#model .now").startswith("before the first step")
    assert tab.is_disabled("#back")
    tab.click("#forward")
    assert tab.text_content("#reference .now").startswith("Step 0: ")
    assert tab.locator("#reference li[aria-current]").count() == 1


def test_the_first_bad_step_is_marked(tab, shown):
    tab.select_option("#trace", "not")
    o = first_of(shown, run=0, split=0, valid=False)
    reason, at = o["trace"][2]
    assert tab.is_visible("#mark")
    tab.keyboard.press("b")
    assert step(tab) == min(at + 1, len(o["ends"]) - 1)
    assert reason.replace("_", " ") in tab.text_content("#model .now")
    steps = len(o["ends"]) - 1
    where = f"First bad step: {at}" if at < steps else f"After step {steps - 1}, the last"
    assert tab.text_content("#bad") == f"{where}, {reason.replace('_', ' ')}"


def first_of(shown, run, split, valid):
    return next(
        o
        for o in shown["outcomes"]
        if (o["run"], o["split"]) == (run, split) and (o["trace"][2][0] == "ok") == valid
    )


def test_filters_choose_outcomes(tab, shown):
    mine = [o for o in shown["outcomes"] if o["run"] == 1 and o["split"] == 1]
    tab.select_option("#run", "1")
    tab.select_option("#split", "1")
    assert tab.locator("#outcome option").count() == len(mine)
    tab.select_option("#solution", "not")
    wrong = [o for o in mine if not o["solution"][0]]
    assert tab.text_content("#count") == f"1 of {len(wrong)}"
    reason = f"solution: {wrong[0]['solution'][2]}"
    tab.select_option("#reason", reason)
    same = [o for o in wrong if f"solution: {o['solution'][2]}" == reason]
    assert tab.text_content("#count") == f"1 of {len(same)}"
    tab.select_option("#solution", "valid")
    assert tab.is_visible("#shown") == any(o["solution"][0] for o in mine)


def test_outcomes_are_leafed_through(tab):
    assert tab.is_disabled("#previous")
    tab.click("#next")
    assert tab.text_content("#count").startswith("2 of ")
    tab.focus("#model .steps")
    tab.keyboard.press("n")
    assert tab.text_content("#count").startswith("3 of ")
    tab.keyboard.press("p")
    assert tab.text_content("#count").startswith("2 of ")


def test_it_is_usable_by_keyboard(tab):
    tab.evaluate("window.scrollTo(0, 0)")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.className") == "skip"
    tab.keyboard.press("Enter")
    reached = []
    for _ in range(12):
        tab.keyboard.press("Tab")
        reached.append(tab.evaluate("document.activeElement.id"))
    assert {"run", "split", "solution", "trace", "reason", "outcome", "step"} <= set(reached)
    named = "e => e.hidden || e.labels.length > 0 || e.ariaLabel || e.textContent"
    assert tab.evaluate(f"[...document.querySelectorAll('select, button, input')].every({named})")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_phones_and_dark_mode(tab, scheme):
    tab.emulate_media(color_scheme=scheme)
    tab.set_viewport_size(PHONE)
    for details in tab.query_selector_all("details"):
        details.evaluate("element => element.open = true")
    assert tab.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page, ink = (
        tab.evaluate(f"getComputedStyle(document.body).{name}") for name in ("backgroundColor", "color")
    )
    assert (brightness(page) > brightness(ink)) == (scheme == "light")
    assert contrast(page, ink) > 7
    figure = tab.evaluate("getComputedStyle(document.querySelector('.plot svg')).fill")
    assert contrast(page, figure) > 7


def channels(colour):
    return [int(c) / 255 for c in re.findall(r"\d+", colour)[:3]]


def brightness(colour):
    """Relative luminance, of WCAG."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels(colour)]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def contrast(one, other):
    low, high = sorted((brightness(one), brightness(other)))
    return (high + 0.05) / (low + 0.05)


NEW = """
from tracelab.report.markup import table
from tracelab.report.study import Study

TITLE, PLACE = "How long runs took", 15


def section(study: Study):
    return table("Minutes", ["run", "minutes"], study.runs.select("arm", "minutes").rows())
"""


@pytest.mark.filterwarnings("ignore:.*an older spelling:FutureWarning")  # KEPT's, of its task's knobs
def test_a_new_section_is_one_file(tmp_path, monkeypatch):
    """It is found, and stands in its place."""
    (tmp_path / "minutes.py").write_text(NEW)
    monkeypatch.setattr(sections, "__path__", [*sections.__path__, str(tmp_path)])
    main([str(KEPT), "--out", str(tmp_path / "page.html"), "--only", "gaps,minutes,summary"])
    page = (tmp_path / "page.html").read_text()
    found = re.findall(r'<section id="(\w+)"', page)
    assert found.index("summary") < found.index("minutes") < found.index("gaps")
    assert "How long runs took" in page


def test_sections_have_places_of_their_own():
    every = sections.every()
    assert (
        len({section.place for section in every}) == len({section.title for section in every}) == len(every)
    )
