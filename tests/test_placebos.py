"""Placebo requests: chosen without chance, scored beside a pair's own prompts, told apart."""

import numpy as np
import pytest
from support import toy_pairs

import aas_bench
from aas_bench.counterfactual.effects import EFFECTS
from aas_bench.counterfactual.scenes import SCENES, photograph
from aas_bench.counterfactual.split import counterfactual_dataset
from aas_bench.errors import InputError, SchemaError, StoreError
from aas_bench.placebos import with_placebos
from aas_bench.rewards.base import RewardModel
from aas_bench.rewards.effect_match import strengths
from aas_bench.rewriters.phrases import PHRASES

SMALL = {"size": 320, "scenes": ["coffee", "rocket", "chelsea", "astronaut"], "doses": [0.5, 1.0]}


class Counting(RewardModel):
    """Image brightness times prompt length; counts what it is asked."""

    name = "counting"

    def __init__(self):
        self.images = self.prompts = self.combined = 0

    def encode_images(self, images):
        self.images += len(images)
        return [np.asarray(image).mean() for image in images]

    def encode_prompts(self, prompts):
        self.prompts += len(prompts)
        return [float(len(prompt)) for prompt in prompts]

    def combine(self, images, prompts):
        self.combined += len(images)
        return np.array(images) * np.array(prompts)


@pytest.fixture(scope="module")
def split():
    return counterfactual_dataset(**SMALL, wordings=1)


def test_what_an_effect_also_moves_is_what_is_measured():
    names = list(EFFECTS)
    change = {name: [] for name in names}
    for scene in SCENES.values():
        pixels = photograph(scene)
        before = strengths(pixels)
        for effect in EFFECTS.values():
            if scene.name not in effect.excluded:
                change[effect.name].append(strengths(effect(pixels, 0.5, scene)) - before)
    for name in names:
        median = np.abs(np.median(change[name], axis=0))
        moved = {other for other, size in zip(names, median, strict=True) if size > 0.05}
        assert moved - {name} == set(EFFECTS[name].also_moves)


def test_matched_placebos_ask_for_what_neither_image_shows(split):
    asked = {
        effect.prompt(scene, wording=wording): effect.name
        for effect in EFFECTS.values()
        for scene in SCENES.values()
        for wording in range(len(effect.requests))
    }
    for row in with_placebos(split, n_placebos=6):
        placebos = row["placebos_matched"]
        assert 0 < len(placebos) <= 6
        assert len(set(placebos)) == len(placebos)
        shown = {row["effect"], *EFFECTS[row["effect"]].also_moves}
        for placebo in placebos:
            other = asked[placebo]
            assert row["prompt_original"].rstrip(".").lower() in placebo.lower()
            assert other not in shown
            assert row["scene"] not in EFFECTS[other].excluded


def test_the_choice_does_not_depend_on_the_order_of_the_pairs(split):
    forward = with_placebos(split, "matched", n_placebos=3)
    some = split.select(range(len(split) - 1, -1, -2))
    backward = with_placebos(some, "matched", n_placebos=3)
    known = dict(zip(forward["pair_id"], forward["placebos_matched"], strict=True))
    for pair, placebos in zip(backward["pair_id"], backward["placebos_matched"], strict=True):
        assert known[pair] == placebos
    other = with_placebos(split, "matched", n_placebos=3, seed=1)
    assert list(other["placebos_matched"]) != list(forward["placebos_matched"])


def test_foreign_placebos_are_other_prompts_requests_for_other_dimensions(split):
    found = with_placebos(split, "foreign", n_placebos=4)
    of = {row["prompt_distorted"]: row for row in split.remove_columns(["image_original"])}
    for row in found:
        assert len(row["placebos_foreign"]) == 4
        for placebo in row["placebos_foreign"]:
            assert of[placebo]["index"] != row["index"]
            assert not set(of[placebo]["dimensions"]) & set(row["dimensions"])


def test_without_an_index_foreign_placebos_are_those_of_other_prompts_all_the_same():
    """As analyses count base prompts: equal captions are one, also where each row has an index."""
    rows = [row | {"dimensions": []} for row in toy_pairs.rows(n_prompts=8, generators=("one",))]
    for i, row in enumerate(rows):
        row |= {"index": i, "prompt_original": f"a cat {i // 4}", "prompt_distorted": f"a dog {i}"}
    rows[1]["prompt_distorted"] = rows[0]["prompt_distorted"]
    rows[5]["prompt_distorted"] = rows[0]["prompt_distorted"]
    for i, row in enumerate(with_placebos(toy_pairs.dataset(rows), "foreign", n_placebos=8)):
        others = {each["prompt_distorted"] for j, each in enumerate(rows) if j // 4 != i // 4}
        assert set(row["placebos_foreign"]) == others - {row["prompt_distorted"]}


def test_elsewhere_the_template_composes_other_dimensions():
    pairs = toy_pairs.dataset(toy_pairs.rows(n_prompts=4, generators=("one",)))
    pairs = pairs.map(lambda row: {"dimensions": ["clarity", "emotion"]})
    for row in with_placebos(pairs, n_placebos=5):
        assert len(set(row["placebos_matched"])) == 5
        assert all("blur" not in p and "gloom" not in p for p in row["placebos_matched"])


def test_placebos_cost_combinations_and_no_encoding_of_images(split):
    plain, beside = Counting(), Counting()
    pairs = split.select(range(12))
    aas_bench.score(pairs, plain, progress=False)
    table = aas_bench.score(with_placebos(pairs, n_placebos=4), beside, progress=False)
    assert beside.images == plain.images
    # Pairs of one photograph share its cells under equal prompts.
    assert plain.combined < beside.combined <= plain.combined + 2 * 4 * 12
    gains = table.placebos("counting", "matched")
    assert gains.shape == (12, 4)
    row = table.frame.iloc[3]
    image = [np.asarray(pairs[3][f"image_{which}"]).mean() for which in ("original", "distorted")]
    expected = [(image[1] - image[0]) * len(p) for p in row["placebos_matched"]]
    assert gains[3] == pytest.approx(expected, rel=1e-12)
    assert table.placebos("counting", "foreign") is None


def test_they_survive_files_and_a_run_that_goes_on(split, tmp_path):
    pairs = with_placebos(split.select(range(20)), n_placebos=3)
    whole = aas_bench.score(pairs, "polish", out=tmp_path / "run", part_size=7, progress=False)
    first = (tmp_path / "run" / "scores.parquet").read_bytes()
    lost = sorted((tmp_path / "run" / "parts").glob("part-00001.*"))
    assert lost
    for file in [*lost, tmp_path / "run" / "scores.parquet"]:
        file.unlink()
    aas_bench.score(pairs, "polish", out=tmp_path / "run", part_size=7, progress=False)
    assert (tmp_path / "run" / "scores.parquet").read_bytes() == first
    again = aas_bench.load_scores(whole.save(tmp_path / "table.parquet"))
    gains = whole.placebos("polish", "matched")
    assert gains.shape == (20, 3)
    whole.frame.to_csv(tmp_path / "table.csv", index=False)
    text = aas_bench.load_scores(tmp_path / "table.csv").placebos("polish", "matched")
    assert text == pytest.approx(gains, abs=1e-12)
    assert np.array_equal(again.placebos("polish", "matched"), gains)


def test_other_placebos_grow_a_run_to_what_is_made_at_once(split, tmp_path):
    pairs = split.select(range(4))
    for seed in (0, 1):
        other = with_placebos(pairs, seed=seed)
        grown = aas_bench.score(other, "polish", out=tmp_path / "run", progress=False)
    once = aas_bench.score(other, "polish", out=tmp_path / "once", progress=False)
    assert grown.frame.equals(once.frame)


def test_they_tell_blind_scorers_from_those_that_read():
    # Fewer than six scenes that moved say nothing.
    scenes = [*SMALL["scenes"], "china", "flower", "hopper"]
    split = counterfactual_dataset(**{**SMALL, "scenes": scenes}, wordings=1)
    rewards = ["effect-match", "average-taste", "polish", "random"]
    table = aas_bench.score(with_placebos(split), rewards, progress=False)
    found = {name: each.placebo for name, each in aas_bench.summarise(table).rewards.items()}
    assert {each.kind for each in found.values()} == {"matched"}
    for blind in ("polish", "random"):
        assert found[blind].reading == "unclear"
        assert found[blind].override_rate.value is None
    assert found["effect-match"].understood.value > 0.9
    assert found["effect-match"].override_rate.value < 0.02
    cells = table.cells("average-taste")
    lost = np.mean(cells.didp <= cells.oidp)  # it reads every request, so this is its truth
    assert found["average-taste"].override_rate.value == pytest.approx(lost, abs=0.05)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"kind": "nearby"}, "matched' or 'foreign"),
        ({"n_placebos": 0}, "1 to 64"),
        ({"n_placebos": 65}, "1 to 64"),
    ],
)
def test_wrong_options_are_named(split, options, said):
    with pytest.raises(InputError, match=said):
        with_placebos(split, **options)


def test_a_stream_gives_the_same_matched_placebos_and_no_foreign_ones(split):
    some = split.select(range(2))
    stream = with_placebos(some.to_iterable_dataset(), n_placebos=3)
    streamed = [(row["placebos_matched"], row["image_original"].size) for row in stream]
    table = with_placebos(some, n_placebos=3)
    assert streamed == [(row["placebos_matched"], row["image_original"].size) for row in table]
    with pytest.raises(InputError, match="without streaming"):
        with_placebos(stream, "foreign")


def test_a_reward_left_out_takes_its_placebo_scores_along_and_bad_lists_are_named(split, tmp_path):
    pairs = with_placebos(split.select(range(3)), n_placebos=2)
    table = aas_bench.score(pairs, ["polish", "random"], progress=False)
    path = table.save(tmp_path / "t.parquet")
    assert not [c for c in aas_bench.load_scores(path, rewards=["polish"]).frame if "random" in c]
    frame = table.frame.astype({"polish_dimp": object})
    for bad in ("much", [1.0, float("inf")], 3.5):
        frame.at[1, "polish_dimp"] = bad
        with pytest.raises(SchemaError, match=r"row 1: polish_dimp: .* is no list"):
            aas_bench.ScoreTable.from_frame(frame)


def asking(pairs, dimensions=("clarity",)):
    """Toy pairs that ask for known dimensions."""
    return pairs.map(lambda row: {"dimensions": list(dimensions)})


class Cross(Counting):
    name = "cross"
    n_placebos = 2


class Dual(Counting):
    name = "dual"
    n_placebos = 8


def plain(images, prompts):
    return [float(len(prompt)) for prompt in prompts]


def test_matched_placebos_are_scored_unasked_as_many_as_each_model_bears(capsys):
    pairs = asking(toy_pairs.dataset(toy_pairs.rows(n_prompts=2, generators="abcdef")))
    table = aas_bench.score(pairs, [Dual(), Cross(), plain])
    widths = {name: table.placebos(name, "matched").shape[1] for name in table.rewards}
    assert widths == {"dual": 8, "cross": 2, "plain": 1}
    line = capsys.readouterr().err.partition("\nscoring")[0].splitlines()
    assert max(map(len, line)) <= 80
    line = " ".join(line)
    new = {p for row in table.frame["placebos_matched"] for p in row}
    assert line.startswith("matched placebos: 8 a pair for dual (16 more scores); 2 a pair for cr")
    assert f"; {len(new)} more prompts beside {2 * len(set(pairs['index']))}" in line
    # Each model's placebos are the first of the pair's own list.
    row = table.frame.iloc[0]
    assert row["plain_dimp"] == [len(row["placebos_matched"][0])]
    assert table.frame["plain_didp"][0] == len(row["prompt_distorted"])
    twelve = aas_bench.score(pairs, plain, n_placebos=12, progress=False)
    assert twelve.placebos("plain", "matched").shape == (12, 12)


@pytest.mark.parametrize(("sharing", "n"), [(1, 2), (2, 4), (3, 6), (6, 8)])
def test_pairs_that_share_no_caption_get_few_that_each_need_a_text_tower(sharing, n):
    pairs = asking(toy_pairs.dataset(toy_pairs.rows(n_prompts=2, generators="abcdef"[:sharing])))
    table = aas_bench.score(pairs, [Dual(), Cross()], progress=False)
    assert table.placebos("dual", "matched").shape == (2 * sharing, n)
    assert table.placebos("cross", "matched").shape == (2 * sharing, 2)


def test_what_cannot_have_placebos_goes_without_unless_asked_for(caplog):
    pairs = toy_pairs.dataset(toy_pairs.rows(n_prompts=2))
    unknown = aas_bench.score(pairs, plain, progress=False)
    without = aas_bench.score(pairs, plain, placebos="none", progress=False)
    assert unknown.frame.equals(without.frame)
    assert "6 of 6 pairs have no matched placebos" in caplog.text
    assert "known dimensions" in caplog.text
    assert aas_bench.summarise(unknown).rewards["plain"].placebo.kind == "original"
    with pytest.raises(InputError, match=r"known dimensions that leave others free\. Mend"):
        aas_bench.score(pairs, plain, placebos="matched", progress=False)
    lonely = asking(pairs).map(lambda row: {"prompt_original": None}, features=pairs.features)
    bare = aas_bench.score(lonely, plain, progress=False).frame
    assert bare["plain_oiop"].isna().all()
    assert "plain_dimp" not in bare
    some = asking(pairs).map(
        lambda row: {"dimensions": ["clarity"] if row["index"] else []}, features=pairs.features
    )
    caplog.clear()
    gains = aas_bench.score(some, plain, progress=False).placebos("plain", "matched")
    assert np.isnan(gains).sum() == 3
    assert "3 of 6 pairs have no matched placebos" in caplog.text


def test_none_leaves_also_those_unscored_that_the_pairs_bring():
    pairs = with_placebos(asking(toy_pairs.dataset(toy_pairs.rows(n_prompts=2))))
    frame = aas_bench.score(pairs, plain, placebos="none", progress=False).frame
    assert not {"placebos_matched", "plain_dimp"} & set(frame)
    frame = aas_bench.score(asking(pairs), plain, prompts="distorted", progress=False).frame
    assert "plain_dimp" not in frame


def test_a_stream_is_scored_under_the_placebos_of_the_table():
    pairs = asking(toy_pairs.dataset(toy_pairs.rows(n_prompts=3)))
    table = aas_bench.score(pairs, Dual(), n_placebos=3, progress=False)
    stream = aas_bench.score(pairs.to_iterable_dataset(), Dual(), n_placebos=3, progress=False)
    assert stream.frame.equals(table.frame)
    unasked = aas_bench.score(pairs.to_iterable_dataset(), Dual(), progress=False)
    assert unasked.placebos("dual", "matched").shape == (9, 2)


@pytest.mark.parametrize("stream", [False, True])
def test_another_number_of_placebos_asks_nothing_again(stream, tmp_path):
    pairs = asking(toy_pairs.dataset(toy_pairs.rows(n_prompts=2)))

    def run(**options):
        source = pairs.to_iterable_dataset() if stream else pairs
        model = Dual()
        model.combine = lambda *given: calls.append(given) or Dual.combine(model, *given)
        return aas_bench.score(source, model, out=tmp_path / "run", progress=False, **options)

    calls = []
    three = run(n_placebos=3).placebos("dual", "matched")
    calls.clear()
    assert np.array_equal(run(n_placebos=3).placebos("dual", "matched"), three)
    assert np.array_equal(run(n_placebos=2).placebos("dual", "matched"), three[:, :2])
    if stream:  # without the column its rows cannot be told to be the same
        with pytest.raises(StoreError, match="a stream cannot be added to"):
            run(placebos="none")
        return
    assert not [name for name in run(placebos="none").frame if name.endswith("_dimp")]
    assert calls == []


def test_one_pair_and_a_model_that_ties_everything_have_no_rate():
    pairs = asking(toy_pairs.dataset(toy_pairs.rows(n_prompts=8, generators=("one",))))
    for some in (pairs, pairs.select([0])):
        constant = {"accept_prompt_blind": True, "progress": False}
        table = aas_bench.score(some, lambda i, p: [0.0] * len(p), **constant)
        (reward,) = aas_bench.summarise(table).rewards.values()
        assert (reward.placebo.kind, reward.placebo.reading) == ("matched", "unclear")
        assert (reward.placebo.understood.value, reward.placebo.override_rate.value) == (0, None)
        assert reward.placebo.n_ties == len(some)


def test_composed_placebos_ask_for_nothing_near_the_request():
    asked = {clause: name for name, clauses in PHRASES.items() for clause in clauses}
    near = {
        "clarity": {"clarity", "detail refinement", "detail realism"},
        "emotion": {"emotion", "color brightness", "lighting distinction"},
        "color brightness": {
            *("color brightness", "color aesthetic", "lighting distinction", "emotion"),
        },
        "symmetry": {"symmetry", "main object"},
    }
    for name, shown in near.items():
        pairs = asking(toy_pairs.dataset(toy_pairs.rows(n_prompts=4)), [name])
        found = set()
        for placebos in with_placebos(pairs, n_placebos=20)["placebos_matched"]:
            assert len(placebos) == 20
            text = " ".join(placebos).lower()
            found |= {other for clause, other in asked.items() if clause in text}
        assert found == set(PHRASES) - shown


def test_pairs_of_one_caption_share_a_pool():
    pairs = toy_pairs.dataset(toy_pairs.rows(n_prompts=1, generators="abcdefghijkl"))
    names = iter(PHRASES)
    pairs = pairs.map(lambda row: {"dimensions": [next(names)]})
    lists = with_placebos(pairs, n_placebos=3)["placebos_matched"]
    assert {len(each) for each in lists} == {3}
    # The first three of the pool that a request leaves: it takes at most five dimensions away.
    assert len({prompt for each in lists for prompt in each}) <= 3 + 5


def test_a_photographs_placebos_are_spread_over_effects_and_wordings(split):
    rows = with_placebos(split, n_placebos=3).remove_columns(["image_original"])
    asked = {
        effect.prompt(scene, wording=wording): (effect.name, wording)
        for effect in EFFECTS.values()
        for scene in SCENES.values()
        for wording in range(len(effect.requests))
    }
    found = {asked[p] for row in rows for p in row["placebos_matched"]}
    assert {effect for effect, _ in found} == set(EFFECTS)
    assert {wording for _, wording in found} == set(range(5))
