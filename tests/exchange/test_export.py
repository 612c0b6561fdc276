"""A run's export as transformers loads it: words, completions, the card, the page; what is refused."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys

import numpy as np
import pyarrow.parquet
import pytest
import torch
import yaml

from tests.exchange.test_shapes import assert_equal
from tests.helpers.runs import KEPT
from tests.posttraining.test_posttrain import settings as post_training
from tracelab.core.paths import CLONE
from tracelab.evaluation.judging import evaluate, trained_model
from tracelab.exchange.exporting import export, generation
from tracelab.exchange.words import specials, tokenizer_of
from tracelab.posttraining.experiment import posttrain
from tracelab.runs.build import build_task
from tracelab.runs.checkpoints import save
from tracelab.runs.folder import Run
from tracelab.runs.sets import test_sets as sets_of
from tracelab.runs.settings import Sampling

PAGE = (CLONE / "docs" / "export.md").read_text()


def loaded(folder):
    """(model, tokenizer) as transformers loads them."""
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    return model.eval(), transformers.AutoTokenizer.from_pretrained(folder)


def judged(run):
    """(task, prompts, completions) of a run's first test set, as they were recorded."""
    run = Run.open(run)
    task, examples = next(iter(sets_of(run.settings, build_task(run.settings.task)).values()))
    table = pyarrow.parquet.read_table(run.folder / "outcomes.parquet")
    return task, task.prompts(examples), table["completion"].to_pylist()


def python_of(text, cwd, *more):
    """What a page's or a card's Python prints, in a process of its own."""
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    environment = {**os.environ, "MPLBACKEND": "agg"}
    done = subprocess.run(
        [sys.executable, "-c", code + "\n".join(more)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


def test_generate_gives_the_completions_that_were_judged(run, folder):
    """With the folder's own generation_config.json; the words too, special ones skipped or not."""
    model, tokenizer = loaded(folder)
    task, prompts, completions = judged(run)
    assert any(row[-1] == task.codec.stop for row in completions)
    for prompt, completion in zip(prompts, completions, strict=True):
        text = tokenizer(task.codec.words_of(prompt), return_tensors="pt")
        assert text["input_ids"][0].tolist() == prompt.tolist()
        written = model.generate(**text)[0, len(prompt) :].tolist()
        assert written == completion
        for skip in (True, False):
            assert tokenizer.decode(written, skip_special_tokens=skip) == task.codec.words_of(completion)


def test_every_word_and_an_unknown_one(run, folder):
    _, tokenizer = loaded(folder)
    vocabulary = build_task(Run.open(run).settings.task).codec.vocabulary
    assert tokenizer(" ".join(vocabulary))["input_ids"] == list(range(len(vocabulary)))
    assert tokenizer("end nonsense")["input_ids"] == [vocabulary.index("end"), vocabulary.index("<|unk|>")]


@pytest.mark.parametrize("form", ["compact", "searchformer"])
def test_no_word_of_a_format_is_special(form):
    """Searchformer's prompts and completions end with two of the reserved words."""
    tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    codec = build_task({"_target_": "tracelab.tasks.maze.Maze", "format": form}).codec
    reader = tokenizers.Tokenizer.from_str(json.dumps(tokenizer_of(codec)))
    text = f"<|unk|> {codec.format.stop}"
    assert reader.decode(reader.encode(text).ids, skip_special_tokens=True) == text
    assert specials(codec.format).get("eos_token") == ("<|eos|>" if form == "compact" else None)


def test_the_card_has_the_figures_and_runs(run, folder):
    pytest.importorskip("transformers", reason="transformers is not installed")
    text = (folder / "README.md").read_text()
    about = yaml.safe_load(text.split("---\n")[1])
    metrics = json.loads((run / "metrics.json").read_text())["test sets"]["wilson"]
    (result,) = about["model-index"][0]["results"]
    assert result["dataset"]["name"] == "maze, test set wilson"
    assert result["metrics"][0] == {"type": "solution_valid", "value": metrics["solution_valid"]["value"]}
    low, high = (round(100 * metrics["solution_valid"][end]) for end in ("low", "high"))
    row = next(line for line in text.splitlines() if line.startswith("| wilson"))
    assert f"[{low}, {high}]" in row
    assert "| treatment of the traces | solution_only |" in text
    assert "| seed | 0 |" in text
    task, _, completions = judged(run)
    assert python_of(text, folder.parent) == task.codec.words_of(completions[0])


@pytest.fixture
def halfway(run, tmp_path):
    """A copy of the run, whose best checkpoint is of step 50."""
    copy = Run(shutil.copytree(run, tmp_path / "copy"), Run.open(run).config)
    content = torch.load(copy.checkpoint("best"), weights_only=True)
    content["progress"] |= {"steps": 50, "tokens": 1234}
    save(copy.checkpoint("best"), content)
    return copy


def card_of(run, checkpoint):
    """(the card, what tracelab.json says) of an export."""
    folder = export(run, run.folder.with_name(f"of {checkpoint}"), checkpoint)
    return (folder / "README.md").read_text(), json.loads((folder / "tracelab.json").read_text())


def test_figures_are_of_the_checkpoint_that_is_exported(halfway):
    text, said = card_of(halfway, "best")
    assert "It has not been judged yet." in text
    assert "model-index" not in text
    assert "\n| steps | 50 |\n| tokens | 1,234 |\n" in text
    assert "Greedy:" in text
    assert said["record"]["progress"]["steps"] == 50
    last, _ = card_of(halfway, "last")
    assert "| wilson |" in last
    assert "| steps | 100 |" in last
    assert "Greedy, as it was judged:" in last
    eval = {**halfway.config["eval"], "checkpoint": "best", "problems": 3, "temperature": 0.5}
    judged = Run(halfway.folder, {**halfway.config, "eval": eval})
    tests = sets_of(judged.settings, build_task(judged.settings.task))
    evaluate(judged, judged.settings.eval, tests, judged.folder)
    text, said = card_of(judged, "best")
    assert "| wilson | 3 |" in text
    assert "Sampled at temperature 0.5, as it was judged:" in text
    assert said["config"]["eval"]["checkpoint"] == "last", "the one that an import will have"
    assert "It has not been judged yet." in card_of(judged, "last")[0]


def test_figures_are_not_of_a_run_that_was_trained_further_since(halfway):
    content = torch.load(halfway.checkpoint(), weights_only=True)
    content["progress"] |= {"steps": 150}
    save(halfway.checkpoint(), content)
    assert "It has not been judged yet." in card_of(halfway, "last")[0]


def test_completions_end_where_the_evaluations_do():
    """A run may be judged with another limit than it began with."""
    record = {"max_new": 50}
    assert generation(Sampling(problems=1, max_new=7), 3, record)["max_new_tokens"] == 7
    assert generation(Sampling(problems=1), 3, record)["max_new_tokens"] == 50


@pytest.mark.filterwarnings("ignore:.*an older spelling:FutureWarning")  # of KEPT's task's knobs
def test_a_run_that_no_metric_judged_and_a_name_with_blanks(tmp_path):
    kept = Run.open(shutil.copytree(KEPT, tmp_path / "run"))
    tests = {name: {} for name in kept.read_json("metrics.json")["test sets"]}  # as `evaluate` leaves it
    kept.write_json("metrics.json", {**kept.read_json("metrics.json"), "test sets": tests})
    text = (export(kept, tmp_path / "Jo's model") / "README.md").read_text()
    assert "It has been judged by no metric." in text
    assert "| precision | 32-true |" in text
    assert "model-index" not in text
    (line,) = (line for line in text.splitlines() if "tracelab.import_run" in line)
    assert shlex.split(line)[-2:] == ["from=Jo's model", "to=runs/imported"]


def test_the_page_draws_a_pattern_and_a_lens(folder):
    pytest.importorskip("transformers", reason="transformers is not installed")
    check = "assert torch.allclose(seen.attentions[1].sum(-1), torch.ones(())); print(lens[-1].tolist())"
    lens = json.loads(python_of(PAGE, folder.parent, check))
    model, tokenizer = loaded(folder)
    (prompt,) = re.findall(r'tokenizer\("(.*?)"', PAGE)
    tokens = model.generate(**tokenizer(prompt, return_tensors="pt"), max_new_tokens=24)[0].tolist()
    new = len(prompt.split())
    assert lens[new - 1 : -1] == tokens[new:]
    assert (folder.parent / "attention_and_lens.png").stat().st_size > 5000


def test_a_post_trained_run(run, tmp_path):
    done = posttrain(post_training(run, tmp_path / "after", "budget.steps=1"))
    folder = export(done.run, tmp_path / "model")
    model, _ = loaded(folder)
    task, prompts, _ = judged(run)
    ours = trained_model(done.run, task, "last", model.config.max_position_embeddings)
    tokens = torch.from_numpy(prompts[0].astype(np.int64))[None]
    with torch.no_grad():
        assert_equal(model(tokens).logits, ours(tokens))
    assert "| post-trained by | grpo, reward length |" in (folder / "README.md").read_text()


def test_what_cannot_be_exported_says_why(run, tmp_path):
    whole = Run.open(run)
    other = {**whole.config, "model": {"_target_": "tracelab.models.recurrent.Recurrent", "layers": 1}}
    with pytest.raises(ValueError, match="no reference model has this shape"):
        export(Run(run, other), tmp_path / "model")
    with pytest.raises(ValueError, match=r"no checkpoints/worst\.ckpt"):
        export(whole, tmp_path / "model", "worst")
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(ValueError, match="holds something that is no export"):
        export(whole, tmp_path)
    assert os.listdir(tmp_path) == ["README.md"]
