"""The engine against the loop that anybody would write first."""

import json
import logging

import numpy as np
import pyarrow.parquet as pq
import pytest
from support.toy_pairs import dataset, picture, png, rows
from support.toy_rewards import PROMPT_LIMIT, ToyCross, ToyDual, length_and_light, read, seen

from aas_bench.errors import BackendError, InputError, SchemaError, StoreError
from aas_bench.rewards.base import RewardModel
from aas_bench.run.score import score
from aas_bench.tables.images import open_image

CELLS = {
    "oiop": ("image_original", "prompt_original"),
    "oidp": ("image_original", "prompt_distorted"),
    "diop": ("image_distorted", "prompt_original"),
    "didp": ("image_distorted", "prompt_distorted"),
}


def dual_by_hand(image, prompt):
    return float(seen(image) @ read(prompt))


def cross_by_hand(image, prompt):
    return float(np.tanh(seen(image) * read(prompt)).sum() * image.size[0])


def function_by_hand(image, prompt):
    return float(length_and_light([image], [prompt])[0])


def naive(table, by_hand):
    """One call per image and prompt."""
    return {
        cell: [by_hand(open_image(row[image]), row[prompt]) for row in table]
        for cell, (image, prompt) in CELLS.items()
    }


def quiet(pairs, models, **options):
    return score(pairs, models, progress=False, **options)


@pytest.mark.parametrize(
    ("model", "by_hand"),
    [
        (ToyDual("toy"), dual_by_hand),
        (ToyCross("toy"), cross_by_hand),
        (length_and_light, function_by_hand),
    ],
    ids=["dual", "cross", "callable"],
)
def test_equals_the_naive_loop(model, by_hand):
    table = list(rows())
    scores = quiet(dataset(table), model)
    cells = scores.cells(scores.rewards[0])
    for cell, expected in naive(table, by_hand).items():
        assert getattr(cells, cell).tolist() == expected


def test_several_rewards_share_one_pass():
    table = list(rows())
    models = [ToyDual("d"), ToyCross("c/../c"), length_and_light]
    scores = quiet(dataset(table), models)
    assert scores.rewards == ("d", "c/../c", "length_and_light")
    alone = [quiet(dataset(table), model) for model in models]
    for reward, other in zip(scores.rewards, alone, strict=True):
        assert scores.cells(reward).didp.tolist() == other.cells(reward).didp.tolist()
        assert scores.cells(reward).oiop.tolist() == other.cells(reward).oiop.tolist()


def test_every_image_is_decoded_once_for_all_rewards(monkeypatch):
    import aas_bench.tables.images as images

    opened = []
    real = images.open_image
    monkeypatch.setattr(images, "open_image", lambda s: opened.append(1) or real(s))
    quiet(dataset(rows()), [ToyDual("a"), ToyCross("b"), length_and_light])
    assert len(opened) == 30


@pytest.mark.usefixtures("unchecked")
def test_each_image_and_each_prompt_is_encoded_once():
    model = ToyDual()
    quiet(dataset(rows(n_prompts=7)), model)
    assert model.n == {"images": 3 * 7 * 2, "prompts": 7 * 2, "combine": 3 * 7 * 4}
    assert set(model.images.values()) == set(model.prompts.values()) == {1}


@pytest.mark.usefixtures("unchecked")
def test_prompts_are_encoded_once_though_parts_are_stored_in_between():
    model = ToyDual()
    quiet(dataset(rows(n_prompts=7)), model, part_size=4)
    assert set(model.prompts.values()) == {1}


@pytest.mark.usefixtures("unchecked")
def test_an_image_of_several_pairs_is_encoded_once():
    table = list(rows())
    for row in table:
        row["image_original"] = table[0]["image_original"]
    model = ToyDual()
    quiet(dataset(table), model)
    assert model.n["images"] == 1 + len(table)
    assert set(model.images.values()) == {1}


def test_calls_are_filled_to_the_batch_size_and_not_beyond():
    model = ToyDual()
    quiet(dataset(rows(n_prompts=7)), model, batch_size=6)
    assert model.largest == {"images": 6, "prompts": 6, "combine": 6}


@pytest.mark.parametrize("batch_size", [1, 2, 5, 64])
@pytest.mark.parametrize("workers", [1, 3])
def test_batch_size_and_workers_leave_the_file_unchanged(tmp_path, batch_size, workers):
    models = [ToyDual("d"), ToyCross("c"), length_and_light]
    quiet(dataset(rows()), models, out=tmp_path / "a", part_size=4)
    options = {"batch_size": batch_size, "workers": workers}
    quiet(dataset(rows()), models, out=tmp_path / "b", part_size=4, **options)
    files = [(tmp_path / run / "scores.parquet").read_bytes() for run in "ab"]
    assert files[0] == files[1]


def test_a_stream_gives_the_same_file(tmp_path):
    quiet(dataset(rows()), ToyDual(), out=tmp_path / "a", part_size=4)
    streamed = quiet(
        dataset(rows()).to_iterable_dataset(), ToyDual(), out=tmp_path / "b", part_size=4
    )
    assert len(streamed) == 15
    files = [(tmp_path / run / "scores.parquet").read_bytes() for run in "ab"]
    assert files[0] == files[1]


def test_a_stream_is_read_as_it_is_scored():
    """Memory stays bounded: the stream is never far ahead of the rows that are scored."""
    from datasets import IterableDataset

    n_read = 0
    ahead = []

    def read_rows():
        nonlocal n_read
        for row in rows(n_prompts=60, generators=("one",)):
            n_read += 1
            yield row

    class Watching(ToyDual):
        def encode_images(self, images):
            ahead.append(n_read - self.n["images"] // 2)
            return super().encode_images(images)

    features = dataset(rows(n_prompts=1)).features
    pairs = IterableDataset.from_generator(read_rows, features=features)
    assert len(quiet(pairs, Watching(), part_size=10)) == 60
    assert max(ahead) <= 20


def test_the_table_keeps_the_pair_columns_and_drops_the_images():
    frame = quiet(dataset(rows()), ToyDual()).frame
    assert "image_original" not in frame
    assert frame["dose"].tolist() == [row["dose"] for row in rows()]
    assert [list(d) for d in frame["dimensions"]] == [["sharpness"]] * 15
    assert frame["error"].isna().all()
    assert not [name for name in frame if name.startswith("_")]


def test_cut_prompts_are_flagged():
    table = list(rows())
    table[1]["prompt_original"] = "x" * PROMPT_LIMIT
    table[2]["prompt_original"] = "x" * (PROMPT_LIMIT + 1)
    cuts = quiet(dataset(table), ToyDual()).cuts("toy")
    expected = [len(row["prompt_distorted"]) > PROMPT_LIMIT for row in table]
    assert cuts.distorted.tolist() == expected
    assert 0 < sum(expected) < len(table)
    assert cuts.original.tolist() == [i == 2 for i in range(len(table))]


def test_without_an_original_prompt_two_cells_are_missing():
    table = list(rows())
    for row in table[::2]:
        row["prompt_original"] = None
    scores = quiet(dataset(table), ToyDual())
    cells = scores.cells("toy")
    missing = [i % 2 == 0 for i in range(len(table))]
    assert np.isnan(cells.oiop).tolist() == np.isnan(cells.diop).tolist() == missing
    assert not np.isnan(cells.oidp).any()
    assert scores.frame["error"].isna().all()
    assert scores.frame["toy_cut_original"].isna().tolist() == missing


@pytest.mark.usefixtures("unchecked")
def test_only_the_distorted_prompts():
    model = ToyDual()
    cells = quiet(dataset(rows()), model, prompts="distorted").cells("toy")
    assert np.isnan(cells.oiop).all()
    assert np.isnan(cells.diop).all()
    assert cells.didp.tolist() == naive(list(rows()), dual_by_hand)["didp"]
    assert model.n == {"images": 30, "prompts": 5, "combine": 30}


def test_an_empty_prompt_is_a_prompt():
    table = list(rows())
    table[0]["prompt_original"] = ""
    assert quiet(dataset(table), ToyDual()).cells("toy").oiop[0] == dual_by_hand(
        open_image(table[0]["image_original"]), ""
    )


BAD = {
    "no image": b"these bytes are no image",
    "empty": b"",
    "truncated": png(picture(0, size=(40, 40)))[:900],
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD)
def test_a_bad_image_is_recorded_and_the_run_goes_on(content, caplog):
    table = list(rows())
    table[3]["image_distorted"] = {"bytes": content, "path": None}
    with caplog.at_level(logging.WARNING):
        scores = quiet(dataset(table), [ToyDual("a"), ToyCross("b")])
    assert "1 of 15 pairs lack scores" in caplog.text
    for reward in ("a", "b"):
        cells = scores.cells(reward)
        assert np.flatnonzero(np.isnan(cells.didp)).tolist() == [3]
        assert np.flatnonzero(np.isnan(cells.diop)).tolist() == [3]
        assert not np.isnan(cells.oiop).any()
        assert not np.isnan(cells.oidp).any()
    errors = scores.frame["error"]
    assert errors[3].startswith("image_distorted: ")
    assert "\n" not in errors[3]
    assert errors.drop(3).isna().all()


@pytest.mark.usefixtures("unchecked")
def test_paintings_have_no_original_image_and_that_is_no_error():
    table = list(rows())
    for row in table:
        row["image_original"] = None
    model = ToyDual()
    scores = quiet(dataset(table), model)
    cells = scores.cells("toy")
    assert np.isnan(cells.oiop).all()
    assert np.isnan(cells.oidp).all()
    assert cells.didp.tolist() == [
        dual_by_hand(open_image(row["image_distorted"]), row["prompt_distorted"]) for row in table
    ]
    assert scores.frame["error"].isna().all()
    assert model.n["images"] == len(table)


def test_a_part_without_any_image_does_not_end_the_run():
    table = list(rows())
    for row in table[:4]:
        row["image_original"] = row["image_distorted"] = None
    scores = quiet(dataset(table), ToyDual(), part_size=4)
    assert len(scores) == len(table)
    assert np.isnan(scores.cells("toy").didp).tolist() == [i < 4 for i in range(len(table))]


@pytest.mark.parametrize("column", ["image_distorted", "prompt_distorted"])
def test_what_every_pair_must_have_is_missed(column):
    table = list(rows())
    table[3][column] = None
    scores = quiet(dataset(table), ToyDual())
    assert scores.frame["error"][3] == f"{column}: there is none"
    assert np.isnan(scores.cells("toy").didp).tolist() == [i == 3 for i in range(len(table))]


def test_a_bad_image_can_stop_the_run():
    table = list(rows())
    table[3]["image_distorted"] = {"bytes": b"no", "path": None}
    with pytest.raises(InputError, match=r"one/0003.*image_distorted.*on_error='record'"):
        quiet(dataset(table), ToyDual(), on_error="raise")


def test_an_image_that_one_model_cannot_prepare_is_missing_for_that_model():
    class Picky(ToyDual):
        def preprocess(self, image):
            if image.width > 12:
                msg = "too wide"
                raise ValueError(msg)
            return image

    table = list(rows())
    table[2]["image_original"] = {"bytes": png(picture(0, size=(13, 9))), "path": None}
    scores = quiet(dataset(table), [Picky("picky"), ToyCross("calm")])
    assert np.isnan(scores.cells("picky").oiop[2])
    assert not np.isnan(scores.cells("calm").oiop).any()
    assert scores.frame["error"][2] == "image_original: picky: too wide"


class OutOfMemory(ToyDual):
    """Holds at most three items; sometimes says so as torch does, sometimes as Python does."""

    batch_size = 16
    error = MemoryError

    def note(self, method, items):
        if len(items) > 3:
            raise self.error("CUDA out of memory. Tried to allocate 2.00 GiB")
        super().note(method, items)


@pytest.mark.parametrize("error", [MemoryError, RuntimeError])
@pytest.mark.usefixtures("unchecked")
def test_out_of_memory_halves_the_batch_and_loses_nothing(error, tmp_path):
    class Model(OutOfMemory):
        pass

    Model.error = error
    model = Model()
    cells = quiet(dataset(rows()), model, out=tmp_path).cells("toy")
    expected = naive(list(rows()), dual_by_hand)
    assert {name: getattr(cells, name).tolist() for name in CELLS} == expected
    assert max(model.largest.values()) in {2, 3}
    assert model.n["images"] == 30
    told = json.loads((tmp_path / "run.json").read_text())["rewards"]["toy"]
    assert told["batch_size"] <= 3


def test_out_of_memory_with_one_item_ends_the_run():
    class Hopeless(ToyDual):
        def encode_images(self, images):
            raise MemoryError

    with pytest.raises(BackendError, match=r"toy.*single item.*smaller dtype"):
        quiet(dataset(rows()), Hopeless())


def test_another_runtime_error_is_not_taken_for_memory_and_names_the_batch():
    class Broken(ToyDual):
        def encode_images(self, images):
            msg = "shapes do not match"
            raise RuntimeError(msg)

    told = r"'toy': encode_images raised RuntimeError \(shapes do not match\).*--batch-size 1"
    with pytest.raises(InputError, match=told):
        quiet(dataset(rows()), Broken())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_score_that_is_not_finite_is_refused_with_the_model_and_the_pair(value):
    class Wild(ToyDual):
        def combine(self, images, prompts):
            scores = super().combine(images, prompts)
            scores[-1] = value
            return scores

    with pytest.raises(BackendError, match=rf"'wild' gave {value} for \w+ of pair 'one/.*float32"):
        quiet(dataset(rows()), Wild("wild"))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda n: [0.5] * (n - 1), "one number per image"),
        (lambda n: [[0.5, 0.1]] * n, r"one number per image; the first column.*scores\[:, 0\]"),
        (lambda n: 0.5, "one number per image"),
        (lambda n: {"scores": [0.5] * n}, "one number per image"),
        (lambda n: [0.5j] * n, "one number per image"),
        (lambda n: ["good"] * n, "one number per image"),
        (lambda n: [float("nan")] * n, "finite"),
        (lambda n: None, "one number per image"),
    ],
)
def test_what_a_function_returns_is_checked(answer, message):
    def mine(images, prompts):
        return answer(len(images))

    with pytest.raises(InputError, match=f"'mine' returned.*{message}"):
        quiet(dataset(rows()), mine)


METHODS = ["preprocess", "encode_images", "encode_prompts", "combine", "describe", "truncated"]


@pytest.mark.parametrize("method", [*METHODS, "prompt_lengths", "terms"])
@pytest.mark.parametrize("error", [ZeroDivisionError("no"), KeyError("no"), SystemExit("no")])
def test_whatever_a_model_raises_is_told_with_its_method(method, error):
    def fail(*_):
        raise error

    model = type("Foreign", (ToyDual,), {method: fail})()
    told = rf"'toy': {method} raised {type(error).__name__} \('?no'?\)\. Mend it"
    with pytest.raises(InputError, match=told):
        quiet(dataset(rows()), model)


@pytest.mark.parametrize("method", ["encode_images", "encode_prompts", "combine"])
@pytest.mark.parametrize("answer", [None, 0.5, iter(())])
def test_what_is_no_sequence_is_refused(method, answer):
    model = type("Foreign", (ToyDual,), {method: lambda *_: answer})()
    with pytest.raises(InputError, match=f"{method} gave a .*Return a sequence"):
        quiet(dataset(rows()), model)


def test_a_function_that_leaves_the_process_is_told():
    def leave(images, prompts):
        raise SystemExit(0)

    with pytest.raises(InputError, match=r"'leave' raised SystemExit.*--batch-size 1"):
        quiet(dataset(rows()), leave)


def test_a_model_that_drops_items_is_refused():
    class Short(ToyDual):
        def encode_prompts(self, prompts):
            return super().encode_prompts(prompts)[1:]

    with pytest.raises(BackendError, match=r"'toy': encode_prompts gave 7 results for 8 items"):
        quiet(dataset(rows()), Short())


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "open_clip:ViT-B-32/openai", "a b", "<b>x</b>", "é", "didp"]
)
def test_odd_names_are_only_names(name, tmp_path):
    scores = quiet(dataset(rows()), ToyDual(name), out=tmp_path / "run")
    assert scores.rewards == (name,)
    assert not np.isnan(scores.cells(name).didp).any()
    written = {p.relative_to(tmp_path).parts[0] for p in tmp_path.rglob("*")}
    assert written == {"run"}


@pytest.mark.parametrize("name", ["", "a\nb", "a\0b", "x" * 201])
def test_unusable_names_are_refused(name):
    with pytest.raises(InputError, match="cannot name a reward model"):
        quiet(dataset(rows()), ToyDual(name))


def test_two_models_of_one_name_are_refused():
    with pytest.raises(InputError, match="two reward models are called 'toy'"):
        quiet(dataset(rows()), [ToyDual(), ToyCross()])


def test_a_column_of_the_pairs_is_not_overwritten():
    pairs = dataset(rows()).rename_column("dose", "toy_didp")
    with pytest.raises(InputError, match=r"already hold the column 'toy_didp'.*another name"):
        quiet(pairs, ToyDual())


def test_missing_columns_are_named():
    with pytest.raises(SchemaError, match=r"no column index, label.*load_pairs"):
        quiet(dataset(rows()).remove_columns(["index", "label"]), ToyDual())


def test_no_pairs():
    with pytest.raises(InputError, match="no pairs"):
        quiet(dataset(rows()).select([]), ToyDual())
    with pytest.raises(InputError, match="no pairs"):
        quiet(dataset(rows()).to_iterable_dataset().take(0), ToyDual())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size=0 is too small"),
        ({"workers": 0}, "workers=0 is too small"),
        ({"part_size": -1}, "part_size=-1 is too small"),
        ({"prompts": "all"}, "prompts='all' is not known. Give 'both' or 'distorted'"),
        ({"on_error": "skip"}, "on_error='skip' is not known. Give 'record' or 'raise'"),
    ],
)
def test_unusable_options(options, message):
    with pytest.raises(InputError, match=message):
        quiet(dataset(rows()), ToyDual(), **options)


def test_no_reward_model():
    with pytest.raises(InputError, match="no reward model is given"):
        quiet(dataset(rows()), [])


class TestRunDirectory:
    def test_what_it_holds(self, tmp_path):
        table = quiet(dataset(rows()), ToyDual(), out=tmp_path, part_size=4)
        names = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file())
        parts = [f"parts/part-0000{i}.{end}" for i in range(4) for end in ("parquet", "sha256")]
        assert names == sorted(["lock", "manifest.json", "run.json", "scores.parquet", *parts])
        assert pq.read_table(tmp_path / "scores.parquet").num_rows == len(table) == 15
        told = json.loads((tmp_path / "run.json").read_text())
        assert told["n_pairs"] == 15
        assert told["rewards"]["toy"]["encode_images"] == 30
        assert {"versions", "command", "platform", "time"} <= told.keys()
        manifest = json.loads((tmp_path / "manifest.json").read_text())
        assert manifest["spec"]["rewards"] == [{"name": "toy", "class": "ToyDual"}]

    def test_a_finished_run_encodes_nothing(self, tmp_path):
        first = quiet(dataset(rows()), ToyDual(), out=tmp_path)
        told = (tmp_path / "run.json").read_bytes()
        model = ToyDual()
        again = quiet(dataset(rows()), model, out=tmp_path)
        assert not model.n
        assert again.frame.equals(first.frame)
        assert (tmp_path / "run.json").read_bytes() == told

    @pytest.mark.parametrize("streaming", [False, True])
    @pytest.mark.usefixtures("unchecked")
    def test_an_interrupted_run_goes_on(self, tmp_path, streaming):
        def pairs():
            return dataset(rows()).to_iterable_dataset() if streaming else dataset(rows())

        whole = tmp_path / "whole"
        quiet(pairs(), ToyDual(), out=whole, part_size=4)

        class Interrupted(ToyDual):
            def combine(self, images, prompts):
                if self.n["combine"] > 40:
                    raise KeyboardInterrupt
                return super().combine(images, prompts)

            def describe(self):
                return ToyDual().describe()

        out = tmp_path / "out"
        with pytest.raises(KeyboardInterrupt):
            quiet(pairs(), Interrupted(), out=out, part_size=4)
        n_parts = len(list((out / "parts").glob("*.parquet")))
        assert 0 < n_parts < 4
        assert not (out / "scores.parquet").exists()
        model = ToyDual()
        quiet(pairs(), model, out=out, part_size=4)
        assert model.n["images"] == 2 * (15 - 4 * n_parts)
        assert (out / "scores.parquet").read_bytes() == (whole / "scores.parquet").read_bytes()

    @pytest.mark.usefixtures("unchecked")
    def test_a_resumed_run_repeats_the_batches_of_an_uninterrupted_one(self, tmp_path):
        """Prompts and one image recur in every part, so memory could reach over from the others."""

        class Logging(ToyDual):
            def __init__(self):
                super().__init__()
                self.calls = {"images": [], "prompts": []}

            def encode_prompts(self, prompts):
                self.calls["prompts"].append(tuple(prompts))
                return super().encode_prompts(prompts)

            def encode_images(self, images):
                self.calls["images"].append(tuple(image.tobytes() for image in images))
                return super().encode_images(images)

        table = list(rows(n_prompts=7))
        for row in table:
            row["image_original"] = table[0]["image_original"]
        whole, resumed = Logging(), Logging()
        quiet(dataset(table), whole, out=tmp_path, part_size=8, batch_size=4)
        for file in (tmp_path / "parts").glob("part-00001.*"):
            file.unlink()
        quiet(dataset(table), resumed, out=tmp_path, part_size=8, batch_size=4)
        for kind, calls in resumed.calls.items():
            assert calls, kind
            assert set(calls) <= set(whole.calls[kind]), kind

    @pytest.mark.parametrize("lost", [[0], [1], [1, 2], [0, 2]])
    def test_floats_that_hang_on_the_batch_shape_resume_to_the_last_bit(self, tmp_path, lost):
        torch = pytest.importorskip("torch")

        class Towers(ToyDual):
            """Matrix products in float32: a row's last bits follow the number of rows."""

            batch_size = 5

            def __init__(self):
                super().__init__()
                generator = torch.Generator().manual_seed(0)
                self.weight = torch.randn(324, 257, generator=generator)

            def encode_images(self, images):
                pixels = [np.asarray(image, dtype=np.float32).ravel() / 255 for image in images]
                return list((torch.tensor(np.array(pixels)) @ self.weight).numpy())

            def encode_prompts(self, prompts):
                codes = [np.resize(np.frombuffer(p.encode(), np.uint8), 324) for p in prompts]
                ids = torch.tensor(np.array(codes, dtype=np.float32) / 100)
                return list((ids @ self.weight).numpy())

            def combine(self, images, prompts):
                return np.einsum("nd,nd->n", np.array(images), np.array(prompts)).astype(float)

        pairs = dataset(rows(n_prompts=7))
        quiet(pairs, Towers(), out=tmp_path, part_size=8)
        whole = (tmp_path / "scores.parquet").read_bytes()
        (tmp_path / "scores.parquet").unlink()
        for part in lost:
            (tmp_path / f"parts/part-{part:05d}.sha256").unlink()
        quiet(pairs, Towers(), out=tmp_path, part_size=8)
        assert (tmp_path / "scores.parquet").read_bytes() == whole

    @pytest.mark.parametrize(
        ("change", "named"),
        [
            ({"models": ToyDual("other")}, "also holds scores of 'toy'. Name it too (--reward)"),
            ({"models": ToyCross()}, "reward model 'toy': class was 'ToyDual', is 'ToyCross'"),
            ({"prompts": "distorted"}, "under both prompts. Leave prompts='distorted'"),
            (
                {"pairs": dataset(rows(n_prompts=4))},
                "holds 15 pairs, of which 3 are not among those given (first 'one/0004')",
            ),
        ],
    )
    def test_another_configuration_is_refused(self, tmp_path, change, named):
        given = {"pairs": dataset(rows()), "models": ToyDual(), "part_size": 4}
        first, then = dict(given), given | change
        quiet(first.pop("pairs"), first.pop("models"), out=tmp_path, **first)
        before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
        with pytest.raises(StoreError) as caught:
            quiet(then.pop("pairs"), then.pop("models"), out=tmp_path, **then)
        assert named in str(caught.value)
        assert "give another directory" in str(caught.value)
        assert before == {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}

    def test_other_prompts_and_other_images_are_other_pairs(self, tmp_path):
        quiet(dataset(rows()), ToyDual(), out=tmp_path)
        table = list(rows())
        table[4]["prompt_original"] += "?"
        told = r"changed since: original prompt of 1 \(first 'one/0004'\). Give them another"
        with pytest.raises(StoreError, match=told):
            quiet(dataset(table), ToyDual(), out=tmp_path)
        table = list(rows())
        table[4]["image_original"] = {"bytes": png(picture(0, size=(3, 3))), "path": None}
        with pytest.raises(StoreError, match=r"changed since: original image of 1 \(first"):
            quiet(dataset(table), ToyDual(), out=tmp_path)

    def test_a_stream_of_other_pairs_is_refused(self, tmp_path):
        quiet(dataset(rows()).to_iterable_dataset(), ToyDual(), out=tmp_path, part_size=4)
        table = list(rows())
        table[4]["prompt_original"] += "?"
        with pytest.raises(StoreError, match=r"rows 4 to 8 of the stream.*another directory"):
            quiet(dataset(table).to_iterable_dataset(), ToyDual(), out=tmp_path, part_size=4)

    def test_a_description_that_is_no_json_is_refused(self, tmp_path):
        class Odd(ToyDual):
            def describe(self):
                return {"name": "toy", "scale": float("nan")}

        with pytest.raises(InputError, match=r"description of reward model 'toy'.*finite"):
            quiet(dataset(rows()), Odd(), out=tmp_path)


def test_score_of_a_model_alone_agrees_with_the_engine():
    table = list(rows())
    for model in (ToyDual(), ToyCross()):
        images = [open_image(row["image_distorted"]) for row in table]
        alone = RewardModel.score(model, images, [row["prompt_distorted"] for row in table])
        assert alone.tolist() == quiet(dataset(table), model).cells("toy").didp.tolist()


def test_a_function_that_raises_is_named_with_its_error():
    def mine(images, prompts):
        raise KeyError("weights")

    with pytest.raises(InputError, match=r"'mine' raised KeyError \('weights'\)\. Mend it"):
        score(dataset(list(rows(1))), mine, progress=False)
