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
