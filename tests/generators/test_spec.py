from __future__ import annotations

import copy
import json
import re
from pathlib import Path

import pytest
import yaml

from aas_bench.errors import SpecError, UnknownNameError
from aas_bench.generators.load import load_generator
from aas_bench.generators.settings import Settings
from aas_bench.generators.spec import Submission, load_submission, require_runnable

HASH = "0123456789abcdef0123456789abcdef01234567"
GOOD = {
    "id": "my_model",
    "name": "My model",
    "family": "flux",
    "base": "flux_dev",
    "alignment": "aesthetic",
    "backend": "diffusers",
    "repo": "me/my-model",
    "revision": HASH,
    "pipeline": "FluxPipeline",
    "dtype": "bfloat16",
    "memory": "L",
    "settings": {"both": {"num_inference_steps": 28, "guidance_scale": 3.5}},
    "licence": "Apache-2.0",
    "contact": "me@example.org",
}


def written(folder: Path, content: object) -> Path:
    path = folder / "x.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def faults(path: Path) -> list[str]:
    with pytest.raises(SpecError, match=r"x\.yaml") as caught:
        load_submission(path)
    return str(caught.value).split("\n")


def changed(**fields: object) -> dict[str, object]:
    return {
        name: each for name, each in {**copy.deepcopy(GOOD), **fields}.items() if each != "gone"
    }


def with_setting(**settings: object) -> dict[str, object]:
    return changed(settings={"both": {**GOOD["settings"]["both"], **settings}})


def test_a_good_file_loads_with_what_it_says(tmp_path):
    submission = load_submission(written(tmp_path, GOOD))
    assert (submission.id, submission.revision, submission.dtype_for()) == (
        "my_model",
        HASH,
        "bfloat16",
    )
    assert submission.settings_for("original").size == (1024, 1024)
    assert submission == Submission.model_validate(GOOD)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (changed(id="../../etc/passwd"), r"x\.yaml: id: '\.\./\.\./etc/passwd' is refused.*digits"),
        (changed(id="a..b"), "x.yaml: id: 'a..b' is refused"),
        (changed(id="C:x"), "x.yaml: id: 'C:x' is refused"),
        (changed(family="a/b"), "x.yaml: family: 'a/b' is refused"),
        (with_setting(num_inference_steps=10**9), "num_inference_steps: 1000000000 is refused"),
        (with_setting(height=10**6), "settings.both.height: 1000000 is refused"),
        (with_setting(guidance_scale=float("nan")), "guidance_scale: nan is refused"),
        (with_setting(guidance_scale="3.5"), r"guidance_scale: '3\.5' is refused"),
        (with_setting(num_inference_steps=True), "num_inference_steps: True is refused"),
        (with_setting(options={"__class__": 1}), "settings.both.options.__class__"),
        (with_setting(guidance=3.5), "is no known key. Did you mean guidance_scale?"),
        (changed(pipeline="subprocess.Popen"), "no pipeline class is called 'subprocess"),
        (changed(backend="os.system"), "no generator backend is called 'os.system'"),
        (changed(revision="main"), "revision: 'main' is refused.*All 40 characters of a commit"),
        (changed(revision=HASH[:12]), "revision: '0123456789ab' is refused"),
        (changed(revision="gone"), "revision: is missing. Give all 40 characters"),
        (changed(revision="gone", pending="later"), "pending: is for the paper's rows only"),
        (changed(id="flux_krea", pending="x"), "pending: contradicts revision"),
        (changed(repo="https://example.org/x"), "repo: 'https://example.org/x' is refused"),
        (changed(repo="./weights"), "revision: ./weights is a folder and has none. Remove it."),
        (changed(trust_remote_code=True), "trust_remote_code: is no known key"),
        (changed(name="two\nlines"), "name: 'two.*' is refused: only printable characters"),
        (changed(name="\x1b[31mred"), "name: .* is refused: only printable characters"),
        (changed(contact="x" * 500), "contact: 'xxx.*is refused"),
        (changed(licence="gone"), "licence: is missing. Expected: Licence of the weights"),
        (changed(memory="gone"), "memory: is missing. Backend diffusers needs"),
        (changed(model="x"), "model: has no meaning with backend diffusers. Remove it."),
        (changed(base="my_model"), "base: 'my_model' is the submission itself"),
        (changed(alignment="base"), "base: 'flux_dev' contradicts alignment 'base'"),
        (changed(settings={"guidance_scale": 3.5}), "settings.guidance_scale: does not belong"),
        (with_setting(height=1000), "settings.height: 1000 is no multiple of 16. Round it."),
        (with_setting(long_prompt=True), "FluxPipeline does not take it. It takes: guidance_sc"),
        (changed(settings={"both": {"guidance_scale": 1.0}}), "num_inference_steps: is missing"),
        (changed(transformer={"repo": "a/b", "revision": HASH, "file": "../x.safetensors"}),
         "transformer.file: '../x.safetensors' is refused"),
        (changed(transformer={"repo": "a/b", "revision": HASH, "file": "x.bin"}),
         "transformer.file: 'x.bin' is refused"),
        (changed(adapters=[{"repo": "a/b", "format": "peft"}]), "adapters.0.revision: is missing"),
        (changed(adapters=[{"repo": "a/b", "revision": HASH, "format": "lora"}]),
         "adapters.0.file: belongs to format lora"),
        (changed(presets={"paper": {"note": "n", "settings": {"both": {"height": 8}}}}),
         "presets.paper.settings.both.height: 8 is refused"),
    ],
)  # fmt: skip
def test_a_hostile_or_wrong_field_is_refused_in_one_line(tmp_path, content, expected):
    lines = faults(written(tmp_path, content))
    assert len(lines) == 1, lines
    assert re.search(expected, lines[0]), lines[0]


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("id: !!python/object/apply:os.system ['touch {marker}']", "line 1: could not determine"),
        ("id: !!python/name:os.system", "line 1: could not determine a constructor"),
        (LAUGHS, r"line 2: alias \*a is not allowed"),
        ("id: x\nid: y\n", "line 2: key 'id' appears twice; keep one"),
        ("[" * 5000, "more than 12 levels of nesting"),
        ("id: " + "9" * 5000, "Use plain YAML values"),
        ("id: 2001-99-99", "Use plain YAML values"),
        ("- a\n- b\n", "does not hold one mapping"),
        ("1: x\n", "does not hold one mapping"),
        ("", "does not hold one mapping"),
        ("a: b: c", "line 1: mapping values are not allowed here"),
        ("a: 1\n---\nb: 2\n", "expected a single document"),
    ],
)
def test_yaml_that_is_more_than_values_is_refused_in_one_line(tmp_path, text, expected):
    marker = tmp_path / "marker"
    lines = faults(written(tmp_path, text.replace("{marker}", str(marker))))
    assert len(lines) == 1, lines
    assert re.search(expected, lines[0]), lines[0]
    assert not marker.exists()


def test_ten_megabytes_are_not_parsed(tmp_path):
    (line,) = faults(written(tmp_path, "# " + "x" * 10_000_000))
    assert "is larger than 65536 bytes" in line


def test_bytes_that_are_no_text_and_paths_that_are_no_file(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_bytes(b"id: \xff\xfe\x00")
    assert "Use plain YAML values in UTF-8" in faults(path)[0]
    for other in (tmp_path, tmp_path / "absent.yaml"):
        with pytest.raises(SpecError, match="is not a file"):
            load_submission(other)


def test_all_faults_of_a_file_are_told_at_once(tmp_path):
    content = changed(id="../x", revision="main", foo=1, licence="gone", base="b", alignment="base")
    content["settings"] = {"both": {"num_inference_steps": 10, "long_prompt": True}}
    fields = [line.removeprefix(f"{tmp_path}/x.yaml: ").split(":")[0] for line in
              faults(written(tmp_path, content))]  # fmt: skip
    assert sorted(fields) == sorted(
        [
            "id",
            "revision",
            "foo",
            "licence",
            "base",
            "settings.both.long_prompt",
            "settings.both.guidance_scale",
        ]
    )


def test_a_key_with_control_characters_does_not_reach_the_terminal(tmp_path):
    (line,) = faults(written(tmp_path, {**GOOD, "\x1b[2J" + "k" * 999: 1}))
    assert line.isprintable()
    assert len(line) < 400


def test_the_same_rules_hold_in_python():
    with pytest.raises(ValueError, match=r"memory: is missing\. Backend diffusers needs"):
        Submission.model_validate(changed(memory="gone"))


def test_variants_override_both_and_options_are_merged():
    submission = Submission.model_validate(
        changed(
            backend="replicate",
            model="a/b",
            settings={
                "both": {"options": {"size": "1K", "n": 1}},
                "distorted": {"options": {"n": 2}},
            },
            **dict.fromkeys(("repo", "revision", "pipeline", "dtype", "memory"), "gone"),
        )
    )
    assert submission.settings_for("original").options == {"size": "1K", "n": 1}
    assert submission.settings_for("distorted").options == {"size": "1K", "n": 2}
    assert submission.settings_for("original").written_size is None
    assert Settings(height=64, width=32).written_size == (32, 64)


def test_a_preset_stands_alone_and_an_unknown_one_is_told_apart():
    paper = {
        "note": "as in the paper",
        "dtype": "float16",
        "settings": {
            "both": {"num_inference_steps": 5, "guidance_scale": 1.0},
            "distorted": {"negative_prompt": ""},
        },
    }
    submission = Submission.model_validate(changed(presets={"paper": paper}))
    assert submission.settings_for("distorted", "paper") == Settings(
        num_inference_steps=5, guidance_scale=1.0, negative_prompt=""
    )
    assert (submission.dtype_for("paper"), submission.dtype_for()) == ("float16", "bfloat16")
    with pytest.raises(UnknownNameError, match=r"Did you mean paper\?.*has: default, paper"):
        submission.settings_for("original", "papers")


def test_identity_is_what_images_depend_on_and_nothing_else():
    submission = Submission.model_validate(GOOD)
    same = Submission.model_validate(changed(contact="you", licence="MIT", name="Yours"))
    other = Submission.model_validate(with_setting(guidance_scale=3.0))
    assert json.loads(json.dumps(submission.identity())) == same.identity()
    assert submission.identity() != other.identity()
    assert submission.identity()["sources"]["model"]["revision"] == HASH


def test_a_pending_revision_cannot_run():
    submission = Submission.model_validate(
        changed(id="flux_krea", revision="gone", pending="Not looked up yet.")
    )
    with pytest.raises(SpecError, match=r"flux_krea: model: .*me/my-model is pending.*Fill in"):
        require_runnable(submission)
    with pytest.raises(SpecError, match="is pending"):
        load_generator(submission)


def test_a_variant_that_is_none_is_told_with_the_known_ones():
    folder = Path(__file__).parents[2] / "leaderboard" / "submissions"
    submission = load_submission(folder / "builtin_polish.yaml")
    with pytest.raises(UnknownNameError, match=r"mean distorted.*There are: original, distorted"):
        submission.settings_for("distort")
