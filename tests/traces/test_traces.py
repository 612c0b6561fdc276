"""Treatments: a contract that every one of them keeps, and what each promises by itself."""

import pkgutil
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import pytest
import yaml
from hydra.utils import get_class, instantiate

from tests.helpers.pages import module_of
from tests.helpers.students import asking_none
from tracelab import traces
from tracelab.core import rng
from tracelab.core.codec import FILLER
from tracelab.core.paths import CONF
from tracelab.core.ragged import Ragged
from tracelab.data.card import Arm, data_card
from tracelab.data.frozen import arm, drawn
from tracelab.probes.imposing import treatments
from tracelab.tasks.game import Game
from tracelab.tasks.maze import Maze
from tracelab.tasks.sat import Sat
from tracelab.traces._damage import KINDS
from tracelab.traces.base import Treatment, from_tokens
from tracelab.traces.base import reference as reference_tokens
from tracelab.traces.corrupted import ROUNDS, Corrupted
from tracelab.traces.latent import Latent
from tracelab.traces.shuffled import Shuffled
from tracelab.traces.solution_only import SolutionOnly
from tracelab.traces.swapped import Swapped, derangement, matching, permutation

FILES = sorted((CONF / "trace").glob("*.yaml"))
TREATMENTS = {path.stem: yaml.safe_load(path.read_text()) for path in FILES}
TASKS = {
    "compact": Maze(size=7, format="compact"),
    "searchformer": Maze(size=5, format="searchformer"),
    "larger_vocabulary": Maze(size=5, ood=[{"size": 7}]),
    "loops": Maze(size=7, generator="braided", solver="dijkstra", format="compact"),
}
LENGTH_PRESERVING = ("state", "cost", "order", "op")
TASK = TASKS["compact"]
EXAMPLES = drawn(TASK, 0, "train", "problem", 0, 400)
KEYS = rng.keys(0, "train", 0, len(EXAMPLES), "treatment")


def made(name):
    """A treatment as its YAML describes it."""
    return asking_none(instantiate(TREATMENTS[name]))


def pairs(treated):
    """(reference rows, treated rows, labels) of every example."""
    return zip(EXAMPLES.trace, treated.rows, treated.damaged, strict=True)


def test_every_file_has_a_yaml_and_the_reverse():
    files = {m.name for m in pkgutil.iter_modules(traces.__path__)} - {"base"}
    files = {name for name in files if not name.startswith("_")}
    assert files == set(TREATMENTS)
    for name, config in TREATMENTS.items():
        assert config["_target_"].startswith(f"tracelab.traces.{name}.")
        defaults = instantiate({"_target_": config["_target_"]})
        knobs = {k: v for k, v in config.items() if k != "_target_"}
        assert knobs.keys() == vars(defaults).keys(), "a YAML names every knob"
        for knob, value in knobs.items():
            assert value == pytest.approx(vars(defaults)[knob]), knob


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
@pytest.mark.parametrize("name", TREATMENTS)
class TestContract:
    def test_prompt_and_solution_are_the_reference_ones(self, name, task):
        examples = drawn(task, 0, "train", "problem", 0, 100)
        sequences, treated = arm(task, made(name), examples, 0, "train")
        codec = task.codec
        prompts = task.prompts(examples)
        nothing = Ragged(np.empty(0, np.int32), np.zeros(len(examples) + 1, np.int64))
        endings = codec.assemble(nothing, nothing, codec.encode(codec.solution, examples.solution)).tokens
        opening = [codec.markers[0]] if codec.markers[0] >= 0 else []
        for i, tokens in enumerate(sequences.tokens):
            p, t = sequences.prompt[i], sequences.trace[i]
            lead = [] if treated.lead is None else treated.lead[i].tolist()
            assert tokens[:p].tolist() == [*prompts[i].tolist(), *lead]
            assert tokens[p + t :].tolist() == endings[i].tolist()
            trace = treated.trace[i].tolist()
            assert tokens[p : p + t].tolist() == (opening + trace if trace else [])

    def test_same_key_same_bytes_other_key_other_bytes(self, name, task):
        examples = drawn(task, 0, "train", "problem", 0, 100)
        treatment = made(name)
        before = examples.trace.values.copy()
        one, two, other = (arm(task, treatment, examples, seed, "train")[1] for seed in (0, 0, 1))
        assert one.trace.values.tobytes() == two.trace.values.tobytes()
        assert one.donor.tobytes() == two.donor.tobytes()
        assert (one.trace.values.tobytes() != other.trace.values.tobytes()) == treatment.random
        assert (examples.trace.values == before).all(), "the reference is left alone"

    def test_shapes_verdicts_and_card(self, name, task):
        examples = drawn(task, 0, "train", "problem", 0, 100)
        treatment = made(name)
        sequences, treated = arm(task, treatment, examples, 0, "train")
        assert len(treated) == len(treated.donor) == len(treated.damage) == len(sequences) == 100
        assert (treated.rows is None) == (treated.damaged is None)
        if treated.rows is not None:
            assert (treated.rows.offsets == treated.damaged.offsets).all()
            assert (task.codec.encode(task.codec.trace, treated.rows).values == treated.trace.values).all()
        card = data_card(task, treatment, {"train": Arm(examples, sequences, treated)})["splits"]["train"]
        strict = card["trace"]["strict"]
        assert strict["successes"] == treated.residual_valid.sum()
        assert card["solution"]["solution optimal"]["rate"] == 1
        promised = {"valid": 100, "invalid": 0}.get(treatment.promise, strict["successes"])
        assert strict["successes"] == promised
        assert treatment.writes == (sequences.trace > 0).any()
        assert ("damage" in card) == (treatment.dose is not None)
        assert treatment.dose is None or card["damage"]["asked"] == getattr(treatment, treatment.dose)


@dataclass(frozen=True)
class Masked(Treatment):
    """Works on tokens, and has a knob that happens to be called rate."""

    rate: float = 0.5

    def __call__(self, task, examples, keys):
        trace = reference_tokens(task, examples)
        chance = np.random.default_rng(keys).random(len(trace.values))
        masked = np.where(chance < self.rate, task.codec.token[FILLER], trace.values)
        return from_tokens(task, examples, Ragged(masked.astype(np.int32), trace.offsets))


def keeps_the_contract(conf, name, kind, monkeypatch):
    """It does with nothing else written than a class and a YAML, and is imposed on models with the others."""
    monkeypatch.setitem(TREATMENTS, name, yaml.safe_load((conf / "trace" / f"{name}.yaml").read_text()))
    contract = TestContract()
    contract.test_prompt_and_solution_are_the_reference_ones(name, TASK)
    contract.test_same_key_same_bytes_other_key_other_bytes(name, TASK)
    contract.test_shapes_verdicts_and_card(name, TASK)
    monkeypatch.setattr("tracelab.probes.imposing.CONF", conf)
    (found, dose, treatment), *_ = treatments(rates=(0.1, 0.5))
    assert (found, dose, type(treatment)) == (name, None, kind)


def test_a_new_treatment_is_a_class_and_a_yaml(tmp_path, monkeypatch):
    path = tmp_path / "trace" / "new.yaml"
    path.parent.mkdir()
    path.write_text("_target_: tests.traces.test_traces.Masked\n")
    keeps_the_contract(tmp_path, "new", Masked, monkeypatch)


def test_the_treatment_of_the_page(tmp_path, monkeypatch):
    """docs/new_treatment.md's keeps the contract, and its traces are the reference's backwards."""
    module = module_of("new_treatment.md", tmp_path, monkeypatch)
    keeps_the_contract(tmp_path / "conf", "reversed", module.Reversed, monkeypatch)
    treated = module.Reversed()(TASK, EXAMPLES, KEYS)
    assert all((rows == was[::-1]).all() for rows, was in zip(treated.rows, EXAMPLES.trace, strict=True))
    assert not treated.residual_valid.any()


def test_treatments_are_frozen_and_reject_unknown_knobs():
    for config in TREATMENTS.values():
        treatment = get_class(config["_target_"])()
        with pytest.raises(AttributeError):
            treatment.promise = "anything"
        with pytest.raises(TypeError):
            type(treatment)(unknown=1)


@pytest.mark.parametrize("kind", [*KINDS, "mixed"])
@pytest.mark.parametrize("where", ["uniform", "prefix", "suffix"])
@pytest.mark.parametrize("rate", [0.01, 0.3, 1.0])
def test_corrupted_traces_are_rejected_and_the_dial_is_true(kind, where, rate):
    treated = Corrupted(rate, kind, where)(TASK, EXAMPLES, KEYS)
    assert not treated.residual_valid.any()
    n = EXAMPLES.trace.lengths
    wanted = np.clip(np.floor(rate * n + 0.5), 2 if kind == "order" else 1, n)
    assert (treated.damage == wanted).all()
    change = {"drop": -wanted, "insert": wanted}.get(kind, 0)
    if kind != "mixed":
        assert (treated.rows.lengths == n + change).all()


@pytest.mark.parametrize("kind", LENGTH_PRESERVING)
def test_labels_are_exactly_the_changed_steps(kind):
    treated = Corrupted(0.3, kind)(TASK, EXAMPLES, KEYS)
    allowed = {"state": [1], "cost": [2, 3], "op": [0], "order": [0, 1, 2, 3]}[kind]
    for reference, rows, damaged in pairs(treated):
        assert ((reference != rows).any(axis=1) == damaged).all()
        changed = reference != rows
        assert not np.delete(changed, allowed, axis=1).any()
        if kind != "order":
            assert (changed.sum(axis=1) <= 1).all(), "one operand a step"
        else:
            assert sorted(map(tuple, reference)) == sorted(map(tuple, rows))


def test_steps_whose_operation_has_no_other_are_damaged_all_the_same():
    """In a backtracking trace only decisions and backtrackings are written alike."""
    task = Sat()
    examples = drawn(task, 0, "train", "problem", 0, 400)
    whole = examples.trace.lengths.sum()
    assert Corrupted(1.0, "mixed")(task, examples, KEYS).damage.sum() > 0.98 * whole
    alike = np.isin(examples.trace.values[:, 0], [0, 3]).sum()
    damaged = Corrupted(1.0, "op")(task, examples, KEYS)
    assert damaged.damage.sum() == alike
    assert not damaged.residual_valid.any()


def test_labels_of_dropped_and_inserted_steps():
    treated = Corrupted(0.2, "insert")(TASK, EXAMPLES, KEYS)
    for reference, rows, damaged in pairs(treated):
        assert (rows[~damaged] == reference).all(), "without the inserted steps the trace is whole"
    treated = Corrupted(0.2, "drop")(TASK, EXAMPLES, KEYS)
    for reference, rows, damaged in pairs(treated):
        place = {tuple(row): k for k, row in enumerate(reference)}
        at = np.array([-1] + [place[tuple(row)] for row in rows])
        assert (np.diff(at) >= 1).all(), "the order of the rest is kept"
        assert ((np.diff(at) > 1) == damaged).all(), "a label stands after a gap"


@pytest.mark.parametrize("kind", LENGTH_PRESERVING)
def test_where(kind):
    for where in ("prefix", "suffix"):
        treated = Corrupted(0.3, kind, where)(TASK, EXAMPLES, KEYS)
        for _, _, damaged in pairs(treated):
            side = damaged if where == "prefix" else damaged[::-1]
            assert side[: side.sum()].all()
    uniform = Corrupted(0.3, kind)(TASK, EXAMPLES, KEYS)
    late = np.mean([np.flatnonzero(d).mean() / (len(d) - 1) for _, _, d in pairs(uniform)])
    assert 0.45 < late < 0.55


def test_higher_rates_damage_the_same_steps_and_more():
    low, high = (Corrupted(rate, "state")(TASK, EXAMPLES, KEYS).damaged.values for rate in (0.2, 0.6))
    assert (high | ~low).mean() > 0.99  # but for traces that had to be damaged afresh


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_damaged_values_can_be_written_and_states_exist(task):
    examples = drawn(task, 0, "train", "problem", 0, 100)
    treated = Corrupted(1.0, "mixed")(task, examples, KEYS[:100])
    sizes = [c.size for c in task.columns]
    assert (treated.rows.values >= 0).all()
    assert (treated.rows.values < sizes).all()
    width, height = task.shape
    cell = treated.rows.values[:, 1]
    assert (cell % task.stride < width).all()
    assert (cell // task.stride < height).all()


def test_damage_keeps_what_is_common_common():
    """A damaged value is as likely as in undamaged traces: frequencies alone betray little."""
    treated = Corrupted(1.0, "cost")(TASK, EXAMPLES, KEYS)
    before, after = (np.bincount(r.values[:, 3], minlength=20) for r in (EXAMPLES.trace, treated.rows))
    assert np.abs(before - after).sum() / before.sum() < 0.15


def test_what_can_not_be_made_invalid_is_said_aloud(monkeypatch):
    monkeypatch.setattr(Maze, "judge_traces", lambda self, examples, rows: np.ones(len(examples), bool))
    counted = []
    plain = Corrupted._damage
    monkeypatch.setattr(Corrupted, "_damage", lambda *a: counted.append(1) or plain(*a))
    treated = Corrupted()(TASK, EXAMPLES.take(np.arange(20)), KEYS[:20])
    assert treated.residual_valid.all()
    assert len(counted) == ROUNDS + 1


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"rate": 0}, "must be in"),
        ({"rate": 1.01}, "must be in"),
        ({"kind": "typo"}, "choose one of state, cost"),
        ({"where": "middle"}, "choose one of uniform"),
    ],
)
def test_corrupted_explains_bad_knobs(knobs, message):
    with pytest.raises(ValueError, match=message):
        Corrupted(**knobs)


def test_one_problem_has_no_donor():
    one = EXAMPLES.take(np.arange(1))
    with pytest.raises(ValueError, match="two problems or more"):
        Swapped()(TASK, one, KEYS[:1])
    with pytest.raises(ValueError, match="only one problem"):
        Corrupted(kind="insert")(TASK, one, KEYS[:1])
    assert not Corrupted(kind="mixed")(TASK, one, KEYS[:1]).residual_valid.any()


@pytest.mark.parametrize("match", ["none", "length", "expansions"])
@pytest.mark.parametrize("n", [2, 3, 4, 5, 64, 399])
def test_swapped_is_a_derangement(match, n):
    treated = Swapped(match)(TASK, EXAMPLES.take(np.arange(n)), KEYS[:n])
    assert sorted(treated.donor) == list(range(n))
    assert (treated.donor != np.arange(n)).all()
    for i, donor in enumerate(treated.donor):
        assert (treated.rows[i] == EXAMPLES.trace[donor]).all()


def test_matched_donors_are_closer_than_random_ones():
    lengths = EXAMPLES.trace.lengths
    apart = {
        match: np.abs(lengths - lengths[Swapped(match)(TASK, EXAMPLES, KEYS).donor]).mean()
        for match in ("none", "length", "expansions")
    }
    assert apart["length"] < 0.1 < apart["expansions"] < 2 < apart["none"]


def test_matching_is_optimal():
    """Against every derangement of up to seven problems."""
    random, state = np.random.default_rng(0), np.zeros(1, np.uint64)
    for _ in range(20):
        n = int(random.integers(2, 8))
        measure = random.integers(0, 6, n).astype(float)
        donor = matching(measure, np.arange(n, dtype=np.uint64), state)
        derangements = (p for p in permutations(range(n)) if all(a != b for a, b in enumerate(p)))
        best = min(np.abs(measure - measure[list(p)]).sum() for p in derangements)
        assert np.abs(measure - measure[donor]).sum() == best


def test_derangements_are_uniform():
    random = np.zeros(1, np.uint64)
    counts = {}
    for _ in range(9000):
        donor = tuple(derangement(np.arange(4, dtype=np.uint64), random))
        counts[donor] = counts.get(donor, 0) + 1
    assert len(counts) == 9
    assert max(abs(c - 1000) for c in counts.values()) < 150  # five standard deviations


@pytest.mark.parametrize("copies", [2, 10, 32])
def test_copies_of_a_problem_do_not_swap_with_each_other(copies):
    identity = np.repeat(np.arange(64 // copies, dtype=np.uint64), copies)
    random = np.zeros(1, np.uint64)
    for donor in (derangement(identity, random), matching(np.arange(len(identity)) * 1.0, identity, random)):
        assert sorted(donor) == list(range(len(identity)))
        assert (donor != np.arange(len(identity))).all()
    assert (identity[derangement(identity, random)] != identity).all()
    apart = matching(np.tile(np.arange(copies) * 1.0, 64 // copies), identity, random)
    assert (identity[apart] != identity).all()


@pytest.mark.parametrize("copies", [4, 5, 12, 120])
def test_copies_of_a_problem_have_traces_of_as_many_others_as_by_chance(copies):
    """Not each those of one other: else a trace could be learned by heart from its problem."""
    identity = np.random.default_rng(0).permutation(np.repeat(np.arange(600, dtype=np.uint64), copies))
    random = np.zeros(1, np.uint64)

    def pairs(donor):
        return len(np.unique(identity * np.uint64(600) + identity[donor]))

    for _ in range(3):
        donor = derangement(identity, random)
        assert (identity[donor] != identity).all()
        assert pairs(donor) == pytest.approx(pairs(permutation(len(identity), random)), rel=0.02)


@pytest.mark.parametrize("share", [0.3, 0.45, 0.5])
def test_a_problem_that_fills_much_of_the_batch_gets_others_traces_at_random(share):
    n = 2000
    identity = np.arange(1, n + 1, dtype=np.uint64)
    identity[: int(share * n)] = 0
    donor = derangement(identity, np.zeros(1, np.uint64))
    assert (identity[donor] != identity).all()
    others = np.sort(donor[: int(share * n)])
    gaps = np.diff(np.quantile(others, np.linspace(0, 1, 6)))
    assert (gaps > 0.9 * (1 - share) * n / 5).all(), "from everywhere in the batch"


@pytest.mark.parametrize(("first", "copies"), [(0, 2), (20, 3), (0, 20)])
def test_copies_that_stand_side_by_side_are_parted_when_matched(first, copies):
    """No cut into runs of two or three parts these: each takes the nearest trace with which it can."""
    identity = np.arange(40, dtype=np.uint64)
    identity[first : first + copies] = first
    measure = np.arange(40) * 1.0
    measure[first : first + copies] = first
    for seed in range(20):
        donor = matching(measure, identity, np.array([seed], np.uint64))
        assert sorted(donor) == list(range(40))
        assert (identity[donor] != identity).all()
        assert np.abs(measure - measure[donor]).max() <= 2 * copies


def test_small_games_keep_no_trace_when_matched():
    """Nim has few problems, so that a test set has most of them twice."""
    task = Game(game="nim")
    examples = task.generate(rng.keys(0, "test", 0, 256, "problem"), "test")
    donor = Swapped("length")(task, examples, rng.keys(0, "test", 0, 256, "treatment")).donor
    assert len(np.unique(examples.identity)) < 200
    assert (examples.identity[donor] != examples.identity).all()


def test_swapped_explains_an_unknown_match():
    with pytest.raises(ValueError, match="choose one of none, length, expansions"):
        Swapped("typo")(TASK, EXAMPLES, KEYS)


def test_shuffled_keeps_the_bag_and_filler_the_length():
    reference = TASK.codec.encode(TASK.codec.trace, EXAMPLES.trace)
    shuffled, filler = (made(n)(TASK, EXAMPLES, KEYS).trace for n in ("shuffled", "filler"))
    assert (filler.lengths == reference.lengths).all()
    assert TASK.codec.words_of(np.unique(filler.values)) == "<|unk|>"
    moved = 0
    for a, b in zip(reference, shuffled, strict=True):
        assert sorted(a) == sorted(b)
        moved += (a != b).mean()
    assert moved / len(EXAMPLES) > 0.7


def test_a_shuffled_share_leaves_the_rest_as_it_is():
    reference = TASK.codec.encode(TASK.codec.trace, EXAMPLES.trace)
    tenth = Shuffled(share=0.1)(TASK, EXAMPLES, KEYS).trace
    changed = 0
    for a, b, steps in zip(reference, tenth, EXAMPLES.trace.lengths, strict=True):
        first = 4 * -(-steps // 10)  # op, cell, g and h of a tenth of the steps, rounded up
        assert (a[first:] == b[first:]).all()
        assert sorted(a[:first]) == sorted(b[:first])
        changed += (a[:first] != b[:first]).any()
    assert changed / len(EXAMPLES) > 0.9
    with pytest.raises(ValueError, match="share of the steps"):
        Shuffled(share=0)


def test_latents_stand_for_more_steps_at_each_stage():
    whole = EXAMPLES.trace.lengths
    for stage in range(5):
        treated = Latent(stages=3, latents=2, stage=stage, mix=0.0)(TASK, EXAMPLES, KEYS)
        assert (treated.lead.lengths == 2 * min(stage, 3)).all()
        assert (treated.lead.values == len(TASK.codec.vocabulary)).all()
        assert (treated.rows.lengths == whole - -(-whole * stage // 4)).all()
        assert treated.residual_valid.all() == (stage == 0)
        for rows, was in zip(treated.rows, EXAMPLES.trace, strict=True):
            assert (rows == was[len(was) - len(rows) :]).all()
    coconut = Latent(stages=3, steps=1, stage=2, mix=0.0)(TASK, EXAMPLES, KEYS)
    assert (coconut.rows.lengths == np.maximum(whole - 2, 0)).all()


def test_earlier_stages_are_mixed_into_one_of_training():
    turns = Latent(stages=3, mix=0.5, curriculum=0.8).in_turn()
    assert [turn.share for turn in turns] == pytest.approx([0.2, 0.2, 0.2, 0.2, 0.2])
    counts = turns[3].treatment(TASK, EXAMPLES, KEYS).lead.lengths
    shares = np.bincount(counts, minlength=4) / len(counts)
    assert shares == pytest.approx([1 / 6, 1 / 6, 1 / 6, 1 / 2], abs=0.08)
    assert (turns[0].treatment(TASK, EXAMPLES, KEYS).lead.lengths == 0).all()
    assert (Latent(stages=3, mix=0.5)(TASK, EXAMPLES, KEYS).lead.lengths == 3).all(), "not where it is tested"


def test_without_latents_the_last_stage_is_solution_only():
    none, only = (arm(TASK, kind, EXAMPLES, 0, "train")[0] for kind in (Latent("none"), SolutionOnly()))
    assert (none.tokens.values == only.tokens.values).all()
    assert (none.prompt == only.prompt).all()
    assert Latent("none").thinks is None
    assert Latent(stage=0).thinks is None
