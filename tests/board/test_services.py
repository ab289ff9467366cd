"""A paid service through the whole runner: what each answer leaves on disk."""

import json

import pytest
import yaml

pytest.importorskip("openai")

from support.loopback_apis import IMAGES, Reply, Service, openai_error, openai_picture, png

SECRET = "sk-secret-0123456789abcdef"
SUBMISSION = {
    "id": "paid",
    "name": "Paid",
    "family": "paid",
    "alignment": "closed",
    "backend": "openai",
    "model": "m",
    "settings": {"both": {"width": 64, "height": 48}},
    "licence": "none",
    "contact": "tests",
}
# Each image in turn, one at a time: its answers, and what becomes of it.
POLICY = openai_error(400, "content_policy_violation", "not that")
TURNS = [
    ([openai_picture()], "ok", None),
    ([POLICY], "refused", "not that"),
    ([openai_error(429, headers={"Retry-After": "0"}), openai_picture()], "ok", None),
    ([openai_error(500, message="overloaded")] * 4, "failed", "overloaded"),
    ([openai_picture(png()[:-40])] * 4, "failed", "no complete image"),
    ([openai_picture(png((64, 64)))], "failed", "64 x 64 pixels, not 64 x 48"),
    ([openai_picture(png(colour=(0, 0, 255)))], "failed", "every pixel has the colour"),
    ([Reply(body=b"<html>")], "failed", ""),
]


@pytest.fixture
def paid(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda seconds: None)
    (tmp_path / "paid.yaml").write_text(yaml.safe_dump(SUBMISSION))
    rows = [
        {"prompt_original": f"a cat {i}", "prompt_distorted": f"a dull cat {i}"}
        for i in range(len(TURNS) // 2)
    ]
    (tmp_path / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with Service().running() as service:
        monkeypatch.setenv("OPENAI_BASE_URL", service.url)
        yield service


def asked(paid):
    """What the service was asked for, in order."""
    return [each.body["prompt"] for each in paid.asked if each.method == "POST"]


def lasting(folder):
    images = {p.name: p.read_bytes() for p in (folder / "images").iterdir()}
    result = json.loads((folder / "result.json").read_bytes())
    measured = {k: v for k, v in result.items() if k not in ("measured", "provenance")}
    return images, measured, (folder / "scores.parquet").read_bytes()


def test_a_run_of_2_prompts_grows_to_12_and_buys_no_image_twice(paid, leaderboard, tmp_path):
    paid.answer(IMAGES, openai_picture())
    base = ["run", tmp_path / "paid.yaml", "--concurrency", 1, "--json"]
    grown, once = tmp_path / "grown", tmp_path / "once"
    bought = []
    for options in (
        ["--sample", 2, "-r", "polish"],
        ["--sample", 12, "-r", "polish"],
        ["--sample", 12, "-r", "polish", "-r", "average-taste"],
    ):
        before = len(asked(paid))
        code, _, stderr = leaderboard(*base, "--out", grown, *options)
        assert (code, stderr) == (0, "")
        bought.append(asked(paid)[before:])
    assert [len(each) for each in bought] == [4, 20, 0]
    assert leaderboard(*base, "--out", once, *options)[0] == 0
    assert lasting(grown / "paid") == lasting(once / "paid")
    assert sorted(bought[0] + bought[1]) == sorted(asked(paid)[24:])  # as at once
    code, _, stderr = leaderboard(*base, "--out", grown, "--sample", 5, "-r", "polish")
    assert code == 1
    assert "holds images of 12 prompts, of which 7 are not among those given" in stderr
    assert len(stderr.splitlines()) == 1


def test_no_more_is_bought_of_a_service_whose_images_all_fail(paid, leaderboard, tmp_path):
    paid.answer(IMAGES, openai_picture(png((64, 64))))
    command = ["run", tmp_path / "paid.yaml", "--concurrency", 1, "--out", tmp_path / "run"]
    code, said, _ = leaderboard(*command, "--sample", 2, "-r", "polish")
    assert code == 0
    assert "paid: the images of 0 of 2 prompts" in said
    assert "2 distorted failed: the image is 64 x 64 pixels, not 64 x 48." in said
    assert "polish" not in said
    told = "paid: the first 8 images all failed (the image is 64 x 64 pixels, not 64 x 48"
    for _ in range(2):  # going on buys nothing either
        code, _, stderr = leaderboard(*command, "--sample", 12, "-r", "polish")
        assert code == 1
        assert told in stderr
        assert "--retry-failed" in stderr
        assert len(asked(paid)) == 8
    paid.answer(IMAGES, openai_picture())
    code, said, _ = leaderboard(*command, "--sample", 12, "-r", "polish", "--retry-failed")
    assert code == 0
    assert "paid: the images of 12 of 12 prompts" in said
    assert len(asked(paid)) == 8 + 24


def test_one_image_is_bought_again_and_compared(paid, leaderboard, tmp_path):
    paid.answer(IMAGES, openai_picture())
    command = ["run", tmp_path / "paid.yaml", "--limit", 2, "-o", tmp_path / "run"]
    assert leaderboard(*command, "-r", "polish", "--json")[0] == 0
    n_asked = len(paid.paths())
    code, stdout, _ = leaderboard(*command, "--only", 1)
    assert (code, stdout) == (0, "paid 1 original: equal\npaid 1 distorted: equal\n")
    assert len(paid.paths()) == n_asked + 2
    paid.answer(IMAGES, openai_picture(png(colour=(0, 0, 255))))
    code, stdout, _ = leaderboard(*command, "--only", 1)
    assert code == 1
    assert stdout.splitlines()[0].startswith("paid 1 original: differs")
    code, _, stderr = leaderboard(*command, "--replace")
    assert (code, stderr) == (
        2,
        "aas-bench: --replace is for one image. Say which: --only INDEX.\n",
    )


def test_without_a_key_there_is_one_line_and_no_folder(
    leaderboard, builtin, paid, tmp_path, monkeypatch
):
    monkeypatch.delenv("OPENAI_API_KEY")
    out = tmp_path / "deep" / "run"
    files = [builtin[0], tmp_path / "paid.yaml"]
    code, stdout, stderr = leaderboard("run", *files, "--out", out, "--limit", 1)
    assert (code, stdout) == (2, "")
    assert "OpenAI needs a key. Set the environment variable OPENAI_API_KEY" in stderr
    judged = ["run", builtin[0], "--out", out, "--limit", 1, "--judge", "openai:m"]
    code, stdout, stderr = leaderboard(*judged)
    assert (code, stdout) == (2, "")
    assert "OPENAI_API_KEY" in stderr
    assert not out.parent.exists()


def test_each_answer_ends_as_a_record_and_only_pictures_as_pictures(paid, leaderboard, tmp_path):
    paid.answer(IMAGES, *(answer for answers, _, _ in TURNS for answer in answers))
    out = tmp_path / "run"
    command = ["run", tmp_path / "paid.yaml", "--prompts", tmp_path / "prompts.jsonl", "-o", out]
    command += ["-r", "polish", "--concurrency", 1, "--json"]
    code, stdout, stderr = leaderboard(*command)
    assert (code, stderr) == (0, "")
    names = [f"{i:04d}_{v}" for i in range(len(TURNS) // 2) for v in ("original", "distorted")]
    read = [json.loads((out / "paid/records" / f"{name}.json").read_bytes()) for name in names]
    assert [record["status"] for record in read] == [status for _, status, _ in TURNS]
    for record, (_, _, reason) in zip(read, TURNS, strict=True):
        assert (record["reason"] is None) == (reason is None)
        assert (reason or "") in (record["reason"] or "")
    kept = sorted(file.stem for file in (out / "paid/images").iterdir())
    assert kept == ["0000_original", "0001_original"]
    (result,) = json.loads(stdout)["results"]
    assert result["coverage"]["n_complete"] == 0
    assert result["coverage"]["distorted"]["refused"] == 1
    (delta,) = (each for each in result["measurements"] if each["measure"] == "delta")
    assert (delta["reward"], delta["value"]) == ("polish", None)

    n_asked = len(paid.paths())
    assert leaderboard(*command)[0] == 0
    assert len(paid.paths()) == n_asked, "what ended as a record is not paid for again"
    everything = [file.read_bytes() for file in out.rglob("*") if file.is_file()]
    assert not any(SECRET.encode() in content for content in [*everything, stdout.encode()])
