"""The page on training says what works: its loop runs, its reward functions fit their trainers."""

import re
import runpy
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support.reward_servers import serving

from aas_bench.rewards.catalog import load_reward
from aas_bench.rewards.served import RemoteReward

DOCS = Path(__file__).parents[2] / "docs"
PROMPTS = ["a cat", "a blurry dog", "a temple"]


@pytest.fixture(scope="module")
def server():
    with serving(load_reward("average-taste", name="pickscore")) as running:
        yield running


@pytest.fixture(scope="module")
def drawn():
    return torch.from_numpy(np.random.default_rng(1).random((3, 3, 32, 24), dtype=np.float32))


def pictures(drawn):
    pixels = np.round(drawn.numpy().transpose(0, 2, 3, 1) * 255).astype(np.uint8)
    return [Image.fromarray(each) for each in pixels]


@pytest.fixture(scope="module")
def want(drawn):
    return load_reward("average-taste").score(pictures(drawn), PROMPTS)


def block(heading, server):
    """The names that the Python block under a heading defines."""
    text = (DOCS / "train-with-a-reward.md").read_text(encoding="utf-8")
    section = text.split(f"\n## {heading}\n")[1]
    code = re.search(r"```python\n(.*?)```", section, re.DOTALL)[1]
    names: dict = {}
    exec(code.replace("http://127.0.0.1:8000", server.url), names)  # the page's own code
    return names


def test_flow_grpo(server, drawn, want):
    score = block("flow_grpo", server)["aas_score"]("cpu")
    scores, told = score(drawn, tuple(PROMPTS), {})
    assert (scores.tolist(), told) == (want.tolist(), {})
    pixels = (drawn * 255).round().byte().permute(0, 2, 3, 1).numpy()
    assert score(pixels, PROMPTS, {})[0].tolist() == want.tolist()


def test_flow_factory(server, drawn, want, monkeypatch):
    class PointwiseRewardModel:
        def __init__(self, config, accelerator):
            self.device = torch.device("cpu")

    stand_in = types.ModuleType("flow_factory.rewards")
    stand_in.PointwiseRewardModel = PointwiseRewardModel
    stand_in.RewardModelOutput = lambda rewards: types.SimpleNamespace(rewards=rewards)
    monkeypatch.setitem(sys.modules, "flow_factory", types.ModuleType("flow_factory"))
    monkeypatch.setitem(sys.modules, "flow_factory.rewards", stand_in)
    reward = block("Flow-Factory", server)["AasReward"]({}, None)
    rewards = reward(PROMPTS, image=pictures(drawn), video=None).rewards
    np.testing.assert_allclose(rewards.numpy(), want, rtol=1e-6)


def test_verl_omni(server, drawn, want):
    compute = block("verl-omni", server)["compute_score_aas"]
    scores = [
        compute(
            data_source="any",
            solution_image=image,
            ground_truth=prompt,
            extra_info={},
            server_url=f"{server.url}/pickscore",
            weight_of_ours=1.0,
        )["score"]
        for image, prompt in zip(drawn, PROMPTS, strict=True)
    ]
    assert scores == want.tolist()


def test_the_loop_trains_and_its_guard_reports(server):
    told = []
    run = types.SimpleNamespace(log=lambda values, step: told.append((step, values)))
    loop = runpy.run_path(str(DOCS / "train_with_a_reward.py"))
    trained = [
        loop["train"](RemoteReward(server.url), run, n_steps=n, check_every=2).state_dict()
        for n in (0, 4)
    ]
    assert any(not torch.equal(trained[0][name], trained[1][name]) for name in trained[0])
    assert [step for step, _ in told] == [2, 4]
    for _, values in told:
        assert values["held_back/n"] == 3
        assert 0 <= values["held_back/chosen"] <= 1
        assert values["held_back/chosen_low"] <= values["held_back/chosen_high"]
