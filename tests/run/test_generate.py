import json
from dataclasses import replace

import pytest
from PIL import Image
from support.fake_generator import FakeGenerator

from aas_bench.counterfactual.scenes import SCENES, photograph
from aas_bench.errors import InputError, SpecError, StoreError, UnknownNameError
from aas_bench.generators.settings import Settings
from aas_bench.generators.spec import Submission
from aas_bench.run.generate import generate, remake
from aas_bench.run.prompts import Prompt, Prompts, load_prompts
from aas_bench.run.seeds import seed_pair, seed_settings

PROMPTS = Prompts(
    "test",
    tuple(
        Prompt(index=i, cluster=i, original=f"a cat {i}", distorted=f"an ugly cat {i}")
        for i in range(7)
    ),
)

CHANGED = replace(PROMPTS.prompts[6], negative="a lovely cat")


def submission(**changes):
    return Submission.model_validate(
        {
            "id": "x",
            "name": "X",
            "family": "f",
            "alignment": "base",
            "backend": "diffusers",
            "repo": "/nowhere",
            "pipeline": "ZImagePipeline",
            "dtype": "float32",
            "memory": "S",
            "settings": {"both": {"num_inference_steps": 2, "guidance_scale": 1.0}},
            "licence": "none",
            "contact": "tests",
            **changes,
        }
    )


REMOTE = {
    "backend": "openai",
    "repo": None,
    "pipeline": None,
    "dtype": None,
    "memory": None,
    "model": "m",
    "settings": {},
}


@pytest.fixture
def made_by(monkeypatch):
    """Generate with a given generator; the options that it was loaded with are kept."""

    def run(generator, out, *, of=None, prompts=PROMPTS, **options):
        def load(_, **given):
            generator.given = given
            return generator

        monkeypatch.setattr("aas_bench.run.generate.load_generator", load)
        return generate(of or submission(), prompts, out=out, progress=False, **options)

    return run


def contents(run):
    """Every image, and every record without what was measured."""
    images = {p.name: p.read_bytes() for p in (run / "images").iterdir()}
    records = {p.name: json.loads(p.read_bytes()) for p in (run / "records").iterdir()}
    for record in records.values():
        del record["measured"]
    return images, records


@pytest.mark.parametrize("stop_at", range(1, 6))
def test_an_interrupted_run_ends_as_if_it_had_not_been(stop_at, made_by, tmp_path):
    made_by(FakeGenerator(batch_size=3), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        made_by(FakeGenerator(batch_size=3, stop_at=stop_at), tmp_path / "broken")
    again = FakeGenerator(batch_size=3)
    made_by(again, tmp_path / "broken")
    assert contents(tmp_path / "broken") == contents(tmp_path / "whole")
    assert len(contents(tmp_path / "whole")[0]) == 14
    assert len(again.calls) == 6 - stop_at  # 7 prompts in batches of 3, twice
    assert again.closed


def test_a_batch_of_which_a_part_is_missing_is_made_again_whole(made_by, tmp_path):
    made_by(FakeGenerator(batch_size=3), tmp_path)
    before = contents(tmp_path)
    (tmp_path / "records" / "0004_distorted.json").unlink()
    again = FakeGenerator(batch_size=3)
    made_by(again, tmp_path)
    assert again.calls == [[(i, "distorted") for i in (3, 4, 5)]]
    assert contents(tmp_path) == before


def test_a_paid_service_is_asked_only_for_what_is_missing(made_by, tmp_path):
    service = submission(**REMOTE)
    made_by(FakeGenerator(batch_size=3), tmp_path, of=service)
    (tmp_path / "records" / "0004_distorted.json").unlink()
    again = FakeGenerator(batch_size=3)
    made_by(again, tmp_path, of=service, device="cuda", batch_size=3)
    assert again.calls == [[(4, "distorted")]]
    assert again.given == {"preset": "default", "batch_size": 3}


@pytest.mark.parametrize(
    ("of", "taken"),
    [
        ({}, {"batch_size", "device", "compile", "offload"}),
        (REMOTE, {"batch_size", "concurrency"}),
        (
            REMOTE | {"backend": "builtin", "model": "polish"},
            {"batch_size"},
        ),
    ],
)
def test_a_backend_is_given_the_options_that_concern_it(of, taken, made_by, tmp_path):
    generator, plain = FakeGenerator(batch_size=3), FakeGenerator()
    options = {"batch_size": 3, "device": "cpu", "compile": True, "offload": True, "concurrency": 2}
    made_by(generator, tmp_path / "all", of=submission(**of), **options)
    expected = {"preset": "default", **{name: options[name] for name in taken}}
    assert generator.given == expected
    made_by(plain, tmp_path / "none", of=submission(**of))
    assert plain.given == {"preset": "default"}


@pytest.mark.parametrize("damage", ["image", "record", "other image"])
def test_what_is_damaged_is_made_again(damage, made_by, tmp_path):
    made_by(FakeGenerator(), tmp_path)
    before = contents(tmp_path)
    image, record = tmp_path / "images/0002_original.png", tmp_path / "records/0002_original.json"
    if damage == "image":
        image.write_bytes(image.read_bytes()[:100])
    elif damage == "record":
        record.write_bytes(record.read_bytes()[:20])
    else:
        image.write_bytes((tmp_path / "images/0003_original.png").read_bytes())
    again = FakeGenerator()
    made_by(again, tmp_path)
    assert again.calls == [[(2, "original")]]
    assert contents(tmp_path) == before


def test_half_written_files_are_swept_away(made_by, tmp_path):
    made_by(FakeGenerator(), tmp_path)
    for folder in ("images", "records"):
        (tmp_path / folder / ".aside-1").write_bytes(b"half")
    made_by(FakeGenerator(), tmp_path)
    assert not list(tmp_path.rglob(".aside-*"))


def test_nothing_is_loaded_where_nothing_is_missing(made_by, tmp_path):
    first = made_by(FakeGenerator(), tmp_path)
    second = made_by(None, tmp_path)  # would fail at its first use
    assert second.records == first.records
    assert second.generator == {"version": 1, "batch_size": 1}


VERDICTS = {
    (1, "distorted"): ("refused", "I will not draw that."),
    (2, "original"): ("failed", "timed out"),
    (3, "original"): ("failed", "timed out"),
}


def test_what_was_not_made_has_a_reason_and_no_substitute(made_by, tmp_path):
    made = made_by(FakeGenerator(verdicts=VERDICTS), tmp_path)
    assert made.coverage() == {
        "n_prompts": 7,
        "n_complete": 4,
        "original": {
            "made": 5,
            "refused": 0,
            "failed": 2,
            "reasons": {"failed: timed out": 2},
        },
        "distorted": {
            "made": 6,
            "refused": 1,
            "failed": 0,
            "reasons": {"refused: I will not draw that.": 1},
        },
    }
    assert not (tmp_path / "images/0001_distorted.png").exists()
    pairs = made.pairs()
    assert len(pairs) == 7
    assert pairs[1]["image_distorted"] is None
    assert pairs[1]["image_original"].size == (16, 16)
    assert pairs[2]["image_original"] is None
    assert pairs["pair_id"][6] == "x/0006"
    assert made.measured()["cost_usd"] == 1.5
    assert made.measured()["latency_seconds"] == sum(range(1, 15))


def test_only_failures_are_retried_and_only_when_asked(made_by, tmp_path):
    made_by(FakeGenerator(verdicts=VERDICTS), tmp_path)
    idle = FakeGenerator()
    made_by(idle, tmp_path)
    assert idle.calls == []
    still = {(3, "original"): ("failed", "timed out again")}
    retry = FakeGenerator(verdicts=still)
    made = made_by(retry, tmp_path, retry_failed=True)
    assert retry.calls == [[(2, "original")], [(3, "original")]]
    assert made.coverage()["n_complete"] == 5
    mended, failed = made.records[2, "original"], made.records[3, "original"]
    assert (mended["status"], mended["attempt"]) == ("ok", 2)
    assert mended["earlier"]["reason"] == "timed out"
    assert (failed["status"], failed["reason"], failed["attempt"]) == (
        "failed",
        "timed out again",
        2,
    )


def other_preset():
    settings = {"both": {"num_inference_steps": 3, "guidance_scale": 1.0}}
    return {"presets": {"paper": {"note": "n", "settings": settings}}}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"seed": 1}, "seed was 0, is 1"),
        (
            {"prompts": Prompts("test", PROMPTS.prompts[:6])},
            "images of 7 prompts, of which 1 are not among those given (first 6)",
        ),
        (
            {"prompts": Prompts("test", (*PROMPTS.prompts[:6], CHANGED))},
            "prompts that have changed since: 1, first index 6. Give them another index",
        ),
        (
            {"of": submission(dtype="bfloat16")},
            "submission.dtype was 'float32', is 'bfloat16'",
        ),
        (
            {"of": submission(**other_preset()), "preset": "paper"},
            "num_inference_steps was 2, is 3",
        ),
    ],
)
def test_another_configuration_does_not_mix_with_old_images(change, told, made_by, tmp_path):
    made_by(FakeGenerator(), tmp_path)
    before = contents(tmp_path)
    generator = FakeGenerator()
    with pytest.raises(StoreError, match="or give another directory") as caught:
        made_by(generator, tmp_path, **change)
    assert told in str(caught.value)
    assert generator.calls == []
    assert contents(tmp_path) == before


def test_a_name_or_contact_may_change(made_by, tmp_path):
    made_by(FakeGenerator(), tmp_path)
    again = FakeGenerator()
    made_by(again, tmp_path, of=submission(name="Y", contact="someone else"))
    assert again.calls == []


def test_another_version_of_the_generator_does_not_go_on(made_by, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        made_by(FakeGenerator(stop_at=3), tmp_path)
    newer = FakeGenerator(version=2)
    with pytest.raises(StoreError, match=r"version was 1, is 2. Go on as it was begun"):
        made_by(newer, tmp_path)
    assert newer.calls == []
    assert newer.closed


@pytest.mark.parametrize("old", [False, True])
def test_more_prompts_are_asked_for_and_no_other(old, made_by, tmp_path):
    """Each image by itself, as a service makes it: equal to those made at once."""
    few = Prompts("test", (PROMPTS.prompts[4], PROMPTS.prompts[1]))
    service = submission(**REMOTE)
    made_by(FakeGenerator(), tmp_path / "grown", of=service, prompts=few)
    if old:
        manifest = json.loads((tmp_path / "grown/manifest.json").read_bytes())
        del manifest["spec"]["prompts"]["by_index"]
        (tmp_path / "grown/manifest.json").write_text(json.dumps(manifest))
    more = FakeGenerator()
    grown = made_by(more, tmp_path / "grown", of=service)
    once = made_by(FakeGenerator(), tmp_path / "once", of=service)
    assert len(more.calls) == 2 * 5
    assert not {key for call in more.calls for key in call} & {
        (index, variant) for index in (1, 4) for variant in ("original", "distorted")
    }
    assert contents(tmp_path / "grown") == contents(tmp_path / "once")
    assert grown.coverage() == once.coverage()
    other = Prompts("test", (replace(PROMPTS.prompts[1], distorted="a cat"),))
    with pytest.raises(StoreError, match="give another directory"):
        made_by(FakeGenerator(), tmp_path / "grown", of=service, prompts=other)


@pytest.mark.parametrize("stop_at", [1, 4])
def test_a_growth_that_was_interrupted_ends_as_one_that_was_not(stop_at, made_by, tmp_path):
    few = Prompts("test", PROMPTS.prompts[:2])
    for name in ("whole", "broken"):
        made_by(FakeGenerator(batch_size=3), tmp_path / name, prompts=few)
    made_by(FakeGenerator(batch_size=3), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        made_by(FakeGenerator(batch_size=3, stop_at=stop_at), tmp_path / "broken")
    made_by(FakeGenerator(batch_size=3), tmp_path / "broken")
    assert contents(tmp_path / "broken") == contents(tmp_path / "whole")


class TestRemake:
    @pytest.fixture
    def made_again(self, monkeypatch):
        def run(generator, out, index, *, of=None, **options):
            monkeypatch.setattr("aas_bench.run.generate.load_generator", lambda *_, **__: generator)
            return remake(of or submission(), PROMPTS, index, out=out, **options)

        return run

    def test_the_same_image_is_equal_and_its_batch_is_that_of_the_run(
        self, made_by, made_again, tmp_path
    ):
        made_by(FakeGenerator(batch_size=3), tmp_path)
        before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
        again = FakeGenerator(batch_size=3)
        found = made_again(again, tmp_path, 4)
        assert [str(each) for each in found] == ["4 original: equal", "4 distorted: equal"]
        assert again.calls == [[(i, v) for i in (3, 4, 5)] for v in ("original", "distorted")]
        assert again.closed
        assert before == {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}

    def test_what_differs_is_said_and_replaced_only_if_told(self, made_by, made_again, tmp_path):
        service = submission(**REMOTE)
        made_by(FakeGenerator(verdicts=VERDICTS), tmp_path, of=service)
        before = contents(tmp_path)
        again = FakeGenerator()
        found = made_again(again, tmp_path, 2, of=service)
        kept = "2 original: differs (failed before, ok now); the old one is kept"
        assert [str(each) for each in found] == [kept, "2 distorted: equal"]
        assert again.calls == [[(2, "original")], [(2, "distorted")]]
        assert contents(tmp_path) == before
        found = made_again(FakeGenerator(), tmp_path, 2, of=service, replace=True)
        assert [each.replaced for each in found] == [True, False]
        assert (tmp_path / "images/0002_original.png").exists()
        idle = FakeGenerator()
        assert all(each.equal for each in made_again(idle, tmp_path, 2, of=service))

    def test_what_cannot_be_made_again(self, made_by, made_again, tmp_path):
        with pytest.raises(InputError, match=r"holds no run. Make one first"):
            made_again(None, tmp_path / "none", 0)
        assert not (tmp_path / "none").exists()
        made_by(FakeGenerator(), tmp_path / "run")
        with pytest.raises(InputError, match=r"no prompt has the index 9. The 7 given have 0 to 6"):
            made_again(None, tmp_path / "run", 9)
        with pytest.raises(StoreError, match=r"seed was 0, is 5"):
            made_again(None, tmp_path / "run", 0, seed=5)


def test_an_error_before_the_first_image_leaves_no_directory(tmp_path, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(InputError, match="Set the environment variable OPENAI_API_KEY"):
        generate(submission(**REMOTE), PROMPTS, out=tmp_path / "run", progress=False)
    assert not list(tmp_path.iterdir())


def test_what_cannot_run_is_refused_before_anything_is_written(made_by, tmp_path):
    out = tmp_path / "run"
    pending = {"repo": "xzyhku/flux_hpsv2.1_dancegrpo", "pending": "not looked up"}
    generator = FakeGenerator()
    with pytest.raises(UnknownNameError, match="no preset is called 'papr'"):
        made_by(generator, out, preset="papr")
    with pytest.raises(InputError, match=r"batch_size is 0. Give at least 1"):
        made_by(generator, out, batch_size=0)
    with pytest.raises(InputError, match=r"test has no seed images. Use the prompts"):
        made_by(generator, out, seed_images=True)
    with pytest.raises(SpecError, match="Fill in revision"):
        made_by(generator, out, of=submission().model_copy(update=pending))
    assert not out.exists()


def test_seed_images_have_the_photographs_shape_and_their_effect():
    prompt = load_prompts(limit=2).prompts[1]
    height, width, _ = photograph(SCENES[prompt.scene]).shape
    settings = Settings(width=512, height=512)
    shape = seed_settings(prompt, settings)
    assert max(shape.size) == 512
    assert shape.width % 32 == shape.height % 32 == 0
    assert shape.width / shape.height == pytest.approx(width / height, rel=0.07)
    pair = seed_pair(prompt, settings)
    assert pair.original.size == pair.distorted.size == shape.size
    assert pair.original.tobytes() != pair.distorted.tobytes()


def test_image_to_image_asks_for_distorted_images_from_seeds(made_by, tmp_path):
    prompts = load_prompts(limit=3)
    seen = []

    class Watching(FakeGenerator):
        def generate(self, requests):
            seen.extend(requests)
            return super().generate(requests)

    made = made_by(Watching(), tmp_path, prompts=prompts, seed_images=True)
    assert made.variants == ("distorted",)
    assert made.coverage()["n_complete"] == 3
    for request, prompt in zip(seen, prompts.prompts, strict=True):
        assert (request.variant, request.prompt) == ("distorted", prompt.distorted)
        expected = seed_pair(prompt, submission().settings_for("distorted")).distorted
        assert request.image.tobytes() == expected.tobytes()
        assert request.settings.size == expected.size
    with pytest.raises(StoreError, match="seed_images"):
        made_by(FakeGenerator(), tmp_path, prompts=prompts)


def test_images_are_stored_without_loss(made_by, tmp_path):
    from support.fake_generator import colours

    made_by(FakeGenerator(), tmp_path)
    with Image.open(tmp_path / "images/0003_distorted.png") as stored:
        expected = colours([(3, "distorted")], 3, "an ugly cat 3", 0)
        assert (stored.format, stored.tobytes()) == ("PNG", expected.tobytes())
