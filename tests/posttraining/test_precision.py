"""A resumed post-training's precision."""

import pytest
import torch

from tests.posttraining.test_posttrain import settings
from tracelab.posttraining.experiment import posttrain
from tracelab.runs.build import precision_of
from tracelab.runs.checkpoints import load_precision


@pytest.mark.parametrize("recorded", [True, False])
def test_it_is_kept_where_none_is_asked_for(source, tmp_path, recorded):
    """It is not what this machine would choose. Checkpoints did not have it once; run.json did."""
    auto = "trainer.precision=auto"
    (other,) = {"32-true", "bf16-mixed"} - {precision_of(settings(source, tmp_path, auto)).name}
    posttrain(settings(source, tmp_path, f"trainer.precision={other}", "budget.steps=1"))
    path = tmp_path / "checkpoints" / "last.ckpt"
    if not recorded:
        content = torch.load(path, weights_only=True)
        del content["precision"]
        torch.save(content, path)
    done = posttrain(settings(source, tmp_path, auto, "budget.steps=2"))
    assert done.state == "resumed"
    assert done.run.read_json("run.json")["precision"]["name"] == other
    assert torch.load(path, weights_only=True)["precision"] == load_precision(path) == other
