"""A run grows: only what is missing is scored, and it ends as the run that was made at once."""

import json

import numpy as np
import pytest
from datasets import Dataset, Features, Value
from support.kill_runs import grown_run, killed_after, toy_run
from support.toy_pairs import dataset, picture, png, rows
from support.toy_rewards import ToyCross, ToyDual

from aas_bench.errors import InputError, StoreError
from aas_bench.rewards.base import Term
from aas_bench.run.prompts import load_prompts
from aas_bench.run.score import score
from aas_bench.tables.images import open_image
from aas_bench.tables.sample import Sample
from aas_bench.tables.schema import pair_features

pytestmark = pytest.mark.usefixtures("unchecked")


class Asked(ToyDual):
    """Keeps what it was asked: each image with each prompt, image by image, prompt by prompt."""

    def __init__(self, name="toy"):
        super().__init__(name)
        self.pairs = []

    def describe(self):
        return {"name": self.name, "class": "Asked"}

    def encode_images(self, images):
        found = super().encode_images(images)
        return [(image.tobytes(), seen) for image, seen in zip(images, found, strict=True)]

    def encode_prompts(self, prompts):
        return list(zip(prompts, super().encode_prompts(prompts), strict=True))

    def combine(self, images, prompts):
        self.pairs += [(i[0], p[0]) for i, p in zip(images, prompts, strict=True)]
        return super().combine([i[1] for i in images], [p[1] for p in prompts])


def quiet(pairs, models, **options):
    return score(pairs, models, progress=False, **options)


def varied(n_prompts=6):
    """Pairs that can have matched and foreign placebos."""
    names = ["clarity", "emotion", "mood", "color tonality"]
    for i, row in enumerate(rows(n_prompts=n_prompts)):
        yield row | {"dimensions": [names[i % n_prompts % 4]]}


def scores_of(folder):
    return (folder / "scores.parquet").read_bytes()


def grown_and_at_once(folder, steps, **common):
    """The same run made in steps and at once; what the model of each step was asked."""
    asked = []
    for pairs, options in steps:
        models = options.pop("models", None) or [Asked()]
        quiet(pairs, models, out=folder / "grown", **common, **options)
        asked.append(models)
    pairs, options = steps[-1]
    fresh = [type(model)(model.name) for model in asked[-1]]
    quiet(pairs, fresh, out=folder / "once", **common, **options)
    assert scores_of(folder / "grown") == scores_of(folder / "once")
    return asked, fresh


@pytest.mark.parametrize("placebos", [None, "none", "matched", "foreign", "both"])
@pytest.mark.parametrize("part_size", [3, 256])
def test_more_pairs_repeat_nothing(placebos, part_size, tmp_path):
    """The first pairs are spread over the table: rows move to other parts and other batches."""
    table = list(varied())
    few = [table[i] for i in (1, 4, 8, 9, 14)]
    more = [row for i, row in enumerate(table) if i % 3 or row in few]
    steps = [(dataset(each), {}) for each in (few, more, table)]
    asked, _ = grown_and_at_once(tmp_path, steps, placebos=placebos, part_size=part_size)
    seen = [model.pairs for [model] in asked]
    for step, pairs in enumerate(seen):
        assert pairs, step
        assert not {*pairs} & {p for before in seen[:step] for p in before}


def test_placebos_of_every_number_are_looked_up_by_image_and_prompt(tmp_path):
    """Foreign placebos of few pairs are others than those of many, and may be fewer."""
    table = list(varied())
    steps = [(dataset(table[:9]), {"n_placebos": n}) for n in (1, 3, 2)]
    asked, _ = grown_and_at_once(tmp_path, steps, placebos="both")
    assert [len(model.pairs) > 0 for [model] in asked] == [True, True, False]


def test_the_placebos_of_one_pair_are_taken_for_another_of_the_same_image(tmp_path):
    table = list(varied(2))[:2]
    table[1] |= {name: table[0][name] for name in ("image_original", "prompt_original")}
    pairs = dataset(table).add_column("placebos_matched", [["a grim cat"]] * 2)
    first, second = Asked(), Asked()
    quiet(pairs.select([0]), first, out=tmp_path)
    quiet(pairs, second, out=tmp_path)
    image, prompt = picture(0).tobytes(), table[0]["prompt_original"]
    assert {(image, "a grim cat"), (image, prompt)} <= {*first.pairs}
    assert [asked for shown, asked in second.pairs if shown == image] == [
        table[1]["prompt_distorted"]
    ]


def test_another_reward_model_is_the_only_one_asked(tmp_path):
    table = dataset(varied())
    for step, names in enumerate((["a"], ["a", "b"], ["c", "b", "a"])):
        models = [Asked(name) for name in names]
        quiet(table, models, out=tmp_path / "grown")
        idle = [model for model in models if not model.n]
        assert len(idle) == step
    quiet(table, [Asked(name) for name in "cba"], out=tmp_path / "once")
    assert scores_of(tmp_path / "grown") == scores_of(tmp_path / "once")


def test_pairs_and_reward_models_at_once(tmp_path):
    table = list(varied())
    steps = [
        (dataset(table[3:9]), {"models": [Asked("a")]}),
        (dataset(table), {"models": [Asked("a"), ToyCross("b")]}),
    ]
    [[first], [again, _]], [once, _] = grown_and_at_once(tmp_path, steps, part_size=4)
    assert not {*first.pairs} & {*again.pairs}
    assert {*first.pairs, *again.pairs} == {*once.pairs}


def test_the_original_prompts_may_come_later(tmp_path):
    table = dataset(varied())
    steps = [(table, {"prompts": each}) for each in ("distorted", "both")]
    [[first], [then]], _ = grown_and_at_once(tmp_path, steps, placebos="none")
    assert len(first.pairs) == len(then.pairs) == 2 * len(table)


def test_sums_of_several_prompts_are_kept_as_sums(tmp_path):
    class Against(Asked):
        def terms(self, prompt, original=None):
            against = Term(weight=-0.5, prompt=original or "")
            return (Term(weight=1.0, prompt=prompt), against)

    table = list(varied())
    steps = [(dataset(each), {"models": [Against()]}) for each in (table[:7], table)]
    [[first], [then]], _ = grown_and_at_once(tmp_path, steps)
    assert len(then.pairs) > 0
    assert len({*first.pairs} & {*then.pairs}) == 0


def test_images_that_came_later_and_images_that_cannot_be_read(tmp_path):
    table = list(varied())
    table[2]["image_distorted"] = {"bytes": b"no image", "path": None}
    few = [dict(row) for row in table[:8]]
    few[4]["image_original"] = None
    steps = [(dataset(few), {}), (dataset(table), {})]
    grown_and_at_once(tmp_path, steps)
    told = json.loads((tmp_path / "grown" / "run.json").read_text())
    assert (told["n_errors"], told["n_pairs"], told["round"]) == (1, len(table), 2)


def test_what_was_found_before_is_still_told(tmp_path):
    table = list(varied())
    table[1]["image_distorted"] = table[1]["image_original"]
    flat = picture(0)
    flat.paste((9, 9, 9), (0, 0, *flat.size))
    table[3]["image_distorted"] = {"bytes": png(flat), "path": None}
    quiet(dataset(table[:5]), Asked(), out=tmp_path)
    quiet(dataset(table), Asked(), out=tmp_path)
    odd = json.loads((tmp_path / "run.json").read_text())["odd"]
    assert odd == {"equal_images": ["one/0001"], "uniform_image": ["one/0003"]}


def test_known_scores_of_other_run_directories(tmp_path):
    table = list(varied())
    quiet(dataset(table[:9]), [Asked("a"), Asked("b")], out=tmp_path / "one")
    model, other = Asked("a"), Asked("c")
    options = {"known": [tmp_path / "one", tmp_path / "none"]}
    quiet(dataset(table[:9]), [model, other], out=tmp_path / "two", **options)
    assert not model.n
    assert other.n
    quiet(dataset(table[:9]), [Asked("a"), Asked("c")], out=tmp_path / "once")
    assert scores_of(tmp_path / "two") == scores_of(tmp_path / "once")


class TestRefusals:
    def refused(self, folder, match, pairs, models, **options):
        before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        with pytest.raises(StoreError, match=match) as caught:
            quiet(pairs, models, out=folder, **options)
        assert before == {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        assert "\n" not in str(caught.value)
        assert not [w for w in str(caught.value).replace("'", " ").split() if len(w) == 64]
        assert "ive another directory" in str(caught.value)

    @pytest.mark.parametrize(
        ("now", "words"),
        [
            ({"weights": {"sha256": "b" * 64}}, "other weights"),
            ({"dtype": "bfloat16"}, "dtype was 'float32', is 'bfloat16'"),
            ({"preprocessing": {"size": 224}}, "preprocessing.size was 336, is 224"),
        ],
    )
    def test_another_model_of_the_same_name(self, now, words, tmp_path):
        class Described(ToyDual):
            def __init__(self, told):
                super().__init__()
                self.told = told

            def describe(self):
                return {"name": self.name, **self.told}

        told = {"weights": {"sha256": "a" * 64}, "dtype": "float32", "preprocessing": {"size": 336}}
        quiet(dataset(varied(2)), Described(told), out=tmp_path)
        other = Described(told | now)
        match = rf"holds scores of another reward model 'toy': {words}\. Give it another name"
        self.refused(tmp_path, match, dataset(varied(3)), other)

    def test_changed_prompts_and_images(self, tmp_path):
        table = list(varied(3))
        quiet(dataset(table[:4]), Asked(), out=tmp_path)
        table[1]["prompt_distorted"] += "?"
        table[2]["image_distorted"] = {"bytes": png(picture(77)), "path": None}
        match = (
            r"changed since: distorted prompt of 1 \(first 'one/0001'\); "
            r"distorted image of 1 \(first 'one/0002'\)\. Give them another pair_id"
        )
        self.refused(tmp_path, match, dataset(table), Asked())

    def test_versions(self, tmp_path, monkeypatch):
        quiet(dataset(varied(2)), Asked(), out=tmp_path)
        monkeypatch.setattr("aas_bench.run.score.versions", lambda: {"numpy": "9"})
        self.refused(tmp_path, r"numpy [\d.]+, here is 9", dataset(varied(3)), Asked())

    def test_a_run_of_an_older_layout(self, tmp_path):
        quiet(dataset(varied(2)), Asked(), out=tmp_path)
        manifest = tmp_path / "manifest.json"
        manifest.write_text(manifest.read_text().replace('"format": 3', '"format": 2'))
        match = "made by another version of aas-bench"
        self.refused(tmp_path, match, dataset(varied(3)), Asked())

    def test_a_stream_does_not_grow(self, tmp_path):
        quiet(dataset(varied(2)).to_iterable_dataset(), Asked(), out=tmp_path)
        self.refused(tmp_path, "a stream cannot be added to", dataset(varied(3)), Asked())


def test_an_error_before_the_first_part_leaves_no_directory(tmp_path):
    def broken(images, prompts):
        raise ZeroDivisionError

    with pytest.raises(InputError, match="'broken' raised"):
        quiet(dataset(varied(2)), broken, out=tmp_path / "run")
    assert not list(tmp_path.iterdir())


def test_growth_killed_again_and_again_ends_as_the_run_made_at_once(tmp_path):
    toy_run(tmp_path / "once")
    out = tmp_path / "out"
    instants = np.random.default_rng(1).uniform(0.05, 0.35, 5)
    steps = [4, 9, 14, 20, 20]
    n_killed = sum(
        killed_after(instant, grown_run(n), out) for instant, n in zip(instants, steps, strict=True)
    )
    assert n_killed > 0
    toy_run(out)
    assert scores_of(out) == scores_of(tmp_path / "once")
    assert not list(out.rglob(".aside-*"))


def test_a_growth_that_was_interrupted_asks_for_nothing_twice(tmp_path):
    class Interrupted(Asked):
        def combine(self, images, prompts):
            if len(self.pairs) > 60:
                raise KeyboardInterrupt
            return super().combine(images, prompts)

    table, out = list(varied()), tmp_path / "out"
    quiet(dataset(table[5:9]), Asked(), out=out, part_size=4)
    before = scores_of(out)
    with pytest.raises(KeyboardInterrupt):
        quiet(dataset(table), Interrupted(), out=out, part_size=4)
    assert scores_of(out) == before  # the last whole table stays until the next is whole
    finished = len(list((out / "parts-2").glob("*.sha256")))
    assert 0 < finished < 4
    model = Asked()
    quiet(dataset(table), model, out=out, part_size=4)
    quiet(dataset(table), Asked(), out=tmp_path / "once", part_size=4)
    assert scores_of(out) == scores_of(tmp_path / "once")
    known = {row["pair_id"] for row in [*table[5:9], *table[: 4 * finished]]}
    rest = {
        open_image(row[column]).tobytes()
        for row in table
        for column in ("image_original", "image_distorted")
        if row["pair_id"] not in known
    }
    placebos = {prompt for _, prompt in model.pairs} - {row["prompt_distorted"] for row in table}
    assert {image for image, prompt in model.pairs if prompt not in placebos} <= rest


def counterfactual_texts():
    """The built-in pairs of first wordings, behind pictures that are made and read at once."""
    table = [
        {
            "pair_id": f"{prompt.effect}/{prompt.scene}/{dose}",
            "index": prompt.cluster,
            "model": "none",
            "image_original": {"bytes": png(picture(prompt.cluster)), "path": None},
            "image_distorted": {"bytes": png(picture(100 + 4 * prompt.index + dose)), "path": None},
            "prompt_original": prompt.original,
            "prompt_distorted": prompt.distorted,
            "dimensions": list(prompt.dimensions),
            "label": 1,
            "scene": prompt.scene,
            "effect": prompt.effect,
        }
        for prompt in load_prompts("counterfactual").prompts
        for dose in range(4)
    ]
    extra = {"scene": Value("string"), "effect": Value("string")}
    return Dataset.from_list(table, features=Features(pair_features() | extra))


def test_a_sample_of_50_grows_to_392_pairs(tmp_path):
    whole = counterfactual_texts()

    def run(out, n, *rewards):
        models = [Asked(), *rewards]
        table = quiet(Sample(n=n).of(whole), models, out=tmp_path / out)
        assert len(table) == n
        return table, {*models[0].pairs}

    _, first = run("grown", 50)
    _, second = run("grown", 392)
    table, third = run("grown", 392, "polish")
    _, at_once = run("once", 392, "polish")
    assert scores_of(tmp_path / "grown") == scores_of(tmp_path / "once")
    assert not table.frame["placebos_matched"].map(len).eq(0).any()
    assert not first & second
    assert not third
    assert first | second >= at_once
