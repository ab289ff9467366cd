import json
import re
from pathlib import Path

import numpy as np
import pytest

from aas_bench import load_scores
from aas_bench.evidence import EVIDENCE, load_evidence
from aas_bench.stats import generator_shift, placebo_from_four, rescaling

CELLS = ("oiop", "oidp", "diop", "didp")


@pytest.fixture(scope="module")
def frame():
    return load_evidence()


def cells(frame, reward):
    return [frame[f"{reward}_{cell}"].to_numpy() for cell in CELLS]


def test_a_score_table_reads_it(frame):
    table = load_scores(EVIDENCE)
    assert table.rewards == ("hpsv3", "hpsv2", "image_reward")
    assert table.clusters.tolist() == list(range(300))
    assert table.label is None
    for reward in table.rewards:
        read = table.cells(reward)
        for cell in CELLS:
            assert np.array_equal(getattr(read, cell), frame[f"{reward}_{cell}"])


@pytest.mark.real
def test_every_digit_is_the_authors(frame, real_data):
    path = real_data / "scores" / "stable_diffusion_3.5_large.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    names = set(rows[0])
    assert set(frame.columns) == names | {"pair_id", "model"}
    for name in names:
        assert frame[name].tolist() == [row[name] for row in rows]


def test_nothing_but_figures_is_kept(frame):
    assert set(frame.select_dtypes(exclude="number").columns) == {"pair_id", "model"}
    assert frame.pair_id.tolist() == [f"stable_diffusion_3.5_large/{i:04d}" for i in range(300)]
    assert EVIDENCE.stat().st_size < 40_000


def test_the_figures_of_the_paper_are_unchanged(frame):
    chosen = {r: float((frame[f"{r}_didp"] > frame[f"{r}_oidp"]).mean()) for r in REWARDS}
    assert {r: round(share, 3) for r, share in chosen.items()} == {
        "hpsv3": 0.290,
        "hpsv2": 0.640,
        "image_reward": 0.770,
    }
    shift = generator_shift(frame.hpsv3_oiop, frame.hpsv3_diop)
    assert (round(shift.delta.value, 3), round(shift.after.value, 3)) == (-4.702, 6.159)


REWARDS = {
    # u with its interval, O with its interval: as first computed with percentile intervals over
    # prompts, which our ends meet within 0.01.
    "hpsv3": ((0.880, 0.820, 0.933), (0.750, 0.690, 0.811)),
    "hpsv2": ((0.960, None, None), (0.354, 0.297, 0.413)),
    "image_reward": ((0.867, None, None), (0.181, 0.129, 0.238)),
}


@pytest.mark.parametrize("reward", REWARDS)
def test_the_swap_on_real_scores(frame, reward):
    result = placebo_from_four(*cells(frame, reward), clusters=frame["index"])
    assert (result.kind, result.labelled, result.reading) == ("original", False, "towards")
    for estimate, expected in zip(
        (result.understood, result.override_rate), REWARDS[reward], strict=True
    ):
        value, low, high = expected
        assert round(estimate.value, 3) == value
        if low is not None:
            assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=0.011)


@pytest.mark.parametrize(
    ("reward", "towards", "overridden"),
    [("hpsv3", 0.44, 0.233), ("hpsv2", 0.81, 0.230), ("image_reward", 0.69, 0.093)],
)
def test_what_holds_in_every_unit(frame, reward, towards, overridden):
    result = rescaling(*cells(frame, reward))
    assert round(result.towards.value, 2) == towards
    assert round(result.overridden.value, 3) == overridden
    for unit in (np.exp, np.cbrt, lambda x: np.unique(x, return_inverse=True)[1].astype(float)):
        stacked = np.concatenate(cells(frame, reward))
        # Scores of some units would overflow: bring them to [-3, 3] first.
        scaled = 6 * (stacked - stacked.min()) / np.ptp(stacked) - 3
        again = rescaling(*unit(scaled).reshape(4, -1))
        assert again.to_dict() == result.to_dict()
        swap = placebo_from_four(*unit(scaled).reshape(4, -1))
        low, high = result.understood_range
        assert low - 1e-12 <= swap.understood.value <= high + 1e-12
        if result.override_rate_range is not None:
            low, high = result.override_rate_range
            assert low - 1e-12 <= swap.override_rate.value <= high + 1e-12


def test_in_a_free_unit_two_models_that_differ_do_not(frame):
    hpsv3, hpsv2 = (rescaling(*cells(frame, reward)) for reward in ("hpsv3", "hpsv2"))
    assert hpsv3.overridden.low < hpsv2.overridden.value < hpsv3.overridden.high
    assert hpsv3.override_rate_range is None
    assert hpsv3.understood_range[0] < 0


def test_the_code_of_the_reading_page_runs(capsys):
    page = Path(__file__).parents[2] / "docs" / "how-to-read-an-override-rate.md"
    (block,) = re.findall(r"```\n(from .*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(block, str(page), "exec"), {})
    assert "value=0.75" in capsys.readouterr().out
