"""Every knob of train, posttrain, evaluate and generate with wrong values: meaningful, or refused by name.

The configs are walked as they are composed, so a new knob is tried without a word here.
"""

from copy import deepcopy
from functools import cache

import pytest
from omegaconf import OmegaConf

from tests.helpers.runs import KEPT
from tracelab.core.paths import CONF
from tracelab.core.settings import read
from tracelab.evaluate import Evaluation
from tracelab.generate import DataSet, check
from tracelab.posttraining.experiment import check_parts as check_posttraining
from tracelab.posttraining.settings import inherited
from tracelab.runs import build, folder
from tracelab.runs.entry import composed_config
from tracelab.runs.knobs import flat_config
from tracelab.training.experiment import check_parts as check_training
from tracelab.training.settings import Training

HUGE = 10**30
WRONG = ("word", 1.5, -1, 0, HUGE, None, True, [], float("nan"))
NOT_KNOBS = ("_target_", "_partial_")


def train(plain):
    check_training(read(Training, plain))


def posttrain(plain):
    check_posttraining(inherited(plain))


def evaluate(plain):
    read(Evaluation, plain)


def generate(plain):
    check(read(DataSet, plain))


def choices(group):
    return sorted(path.stem for path in CONF.glob(f"{group}/*.yaml"))


RUN = f"run={KEPT}"
ITS_TASK = ("task.size=5", "task.format=compact", "task.ood=[{generator:dfs}]")
COMMANDS = {
    "train": (train, ["run_dir=never", "logger=wandb", "trainer=cpu"]),
    "train-adamw": (train, ["run_dir=never", "optim=adamw", "model=mingru", "metric=[pass_at_k]"]),
    "posttrain": (posttrain, [RUN, "run_dir=never", f"reward=[{','.join(choices('reward'))}]"]),
    "evaluate": (evaluate, [RUN]),
    "generate": (generate, ["output=never.arrow"]),
    **{f"generate-{task}": (generate, ["output=never.arrow", f"task={task}"]) for task in choices("task")},
    **{
        f"generate-{arm}": (generate, ["output=never.arrow", f"trace={arm}"])
        for arm in choices("trace")
        if arm not in ("latent", "speculative")
    },
    "generate-speculative": (
        generate,
        ["output=never.arrow", "trace=speculative", f"trace.student={KEPT}", *ITS_TASK],
    ),
    "train-latent": (train, ["run_dir=never", "trace=latent"]),
    **{
        f"posttrain-{one}": (posttrain, [RUN, "run_dir=never", f"algorithm={one}"])
        for one in choices("algorithm")
    },
}


@cache
def composed(name):
    command = name.partition("-")[0]
    return OmegaConf.to_container(composed_config(command, *COMMANDS[name][1]), resolve=True)


def knobs(name):
    """Dotted names of what is set; of variations of a command, the part that varies."""
    part = name.partition("-")[2]
    own = ("task.", "trace.", "algorithm.", "optim.", "model.", "metric.") if part else ("",)
    return [
        knob
        for knob in flat_config(composed(name))
        if knob.startswith(own) and knob.rpartition(".")[2] not in NOT_KNOBS
    ]


def changed(plain, knob, value):
    first, _, rest = knob.partition(".")
    return {**plain, first: changed(plain[first], rest, value) if rest else value}


@pytest.fixture
def built_once(monkeypatch):
    """Parts and runs that are as they were are built and read once, not for every other part's knobs."""
    made = {}

    def once(function):
        def kept(*given, **more):
            key = repr((function, given, more))
            if key not in made:
                made[key] = function(*given, **more)
            return made[key]

        return kept

    monkeypatch.setattr(build, "instantiate", once(build.instantiate))
    read_config = once(folder._load)
    monkeypatch.setattr(folder, "_load", lambda place: deepcopy(read_config(place)))


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of the older run's spellings
@pytest.mark.usefixtures("built_once")
@pytest.mark.parametrize("name", COMMANDS)
def test_each_knob_is_meaningful_or_refused_by_name(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    checked, plain = COMMANDS[name][0], composed(name)
    checked(plain)
    accepted, faults = set(), []
    for knob in knobs(name):
        for value in WRONG:
            try:
                checked(changed(plain, knob, value))
                accepted.add((knob, str(value)))
            except ValueError as error:
                if knob.rpartition(".")[2].removeprefix("default_") not in str(error):
                    faults.append(f"{knob}={value} is refused without its name: {error}")
            except Exception as error:
                faults.append(f"{knob}={value}: {type(error).__name__}: {error}")
    assert not faults, "\n".join(faults)
    assert not list(tmp_path.iterdir()), "nothing was written"


@pytest.mark.parametrize("ends", ["[10,1e2]", "[1e1,100]"])
def test_a_range_is_spelled_in_one_way_in_a_runs_config(ends):
    words = ("task=countdown", f"task.target_range={ends}", "run_dir=never")
    plain = OmegaConf.to_container(composed_config("train", *words), resolve=True)
    assert repr(build.as_written(plain)["task"]["target_range"]) == "[10, 100]"
    assert build.build_task(plain["task"]).target_range == [10, 100]


def test_an_endless_stream_has_no_distinct_problems():
    words = ("run_dir=never", "data.online=true", "data.distinct=true")
    with pytest.raises(ValueError, match=r"take data\.distinct=false, or data\.online=false"):
        train(OmegaConf.to_container(composed_config("train", *words), resolve=True))


def test_latents_are_in_no_file():
    words = ["output=never.arrow", "trace=latent"]
    with pytest.raises(ValueError, match="trace=latent has latents, which are no words"):
        generate(OmegaConf.to_container(composed_config("generate", *words), resolve=True))
    generate(OmegaConf.to_container(composed_config("generate", *words, "trace.feedback=none"), resolve=True))
