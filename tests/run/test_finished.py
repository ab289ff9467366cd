import json
import re

import pytest
from support.generator_runs import prompts, run

from aas_bench.errors import InputError, SchemaError
from aas_bench.run.finished import FinishedRun, NotMadeError, is_run
from aas_bench.run.prompts import Prompt, Prompts

REFUSED = {(1, "distorted"): ("refused", "blood"), (2, "original"): ("failed", "HTTP 500")}


@pytest.fixture
def finished(tmp_path):
    return FinishedRun(run(tmp_path / "flux", prompts(), verdicts=REFUSED))


def test_what_was_made_and_why_the_rest_was_not(finished):
    assert (finished.id, finished.indices) == ("flux", (0, 1, 2, 3))
    prompt, file = finished.made(3, "distorted")
    assert prompt == "a blurred cat number 3"
    assert file.read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(NotMadeError, match="the distorted image was refused: blood"):
        finished.made(1, "distorted")
    with pytest.raises(NotMadeError, match="the original image was failed: HTTP 500"):
        finished.made(2, "original")
    with pytest.raises(NotMadeError, match="no record, or one of the two is damaged"):
        finished.made(9, "original")


def test_a_damaged_image_was_not_made(finished):
    finished.made(0, "original")[1].write_bytes(b"")
    with pytest.raises(NotMadeError, match="damaged"):
        finished.made(0, "original")


def test_images_are_found_by_the_words_of_their_prompts(finished):
    assert finished.find("a blurred cat number 3") == (3, "distorted")
    assert finished.find("a cat number 3") == (3, "original")
    with pytest.raises(NotMadeError, match="flux: the distorted image was refused: blood"):
        finished.find("a blurred cat number 1")
    with pytest.raises(NotMadeError, match="flux: the run was not asked for it"):
        finished.find("a dog")


def test_an_image_on_the_distorted_side_goes_before_one_on_the_other(tmp_path):
    asked = [("a cat", "a dog"), ("a fish", "a cat")]
    both = (
        Prompt(index=i, cluster=i, original=original, distorted=distorted)
        for i, (original, distorted) in enumerate(asked)
    )
    found = FinishedRun(run(tmp_path / "flux", Prompts("test", tuple(both)), scored=False))
    assert found.find("a cat") == (1, "distorted")
    assert found.find("a fish") == (1, "original")


def test_scorings_complete_each_other_and_may_not_disagree(finished):
    import pyarrow as pa
    import pyarrow.parquet as pq

    score = finished.scores["flux/0003"]["length_didp"]
    assert len("a blurred cat number 3") <= score < len("a blurred cat number 3") + 1
    assert "length_didp" not in finished.scores["flux/0001"]  # no image, no score
    other = finished.path / "scores" / "1" / "scores.parquet"
    other.parent.mkdir()
    extra = {"pair_id": ["flux/0003"], "other_didp": [2.5], "length_didp": [score]}
    pq.write_table(pa.table(extra), other)
    both = FinishedRun(finished.path)
    assert both.scores["flux/0003"]["other_didp"] == 2.5
    assert both.scores["flux/0003"]["length_didp"] == score
    assert "other_didp" in both.score_columns
    pq.write_table(pa.table({**extra, "length_didp": [score + 1]}), other)
    with pytest.raises(SchemaError, match="Remove the one that is out of date"):
        _ = FinishedRun(finished.path).scores


def test_the_fingerprint_is_of_what_was_made_not_of_how_long_it_took(finished):
    before = finished.fingerprint()
    record = finished.path / "records" / "0000_original.json"
    content = json.loads(record.read_text())
    content["measured"]["latency_seconds"] = 99.0
    record.write_text(json.dumps(content))
    assert FinishedRun(finished.path).fingerprint() == before
    content["sha256"] = "0" * 64
    record.write_text(json.dumps(content))
    assert FinishedRun(finished.path).fingerprint() != before


def test_reading_changes_nothing(finished):
    def state():
        return {p: p.stat().st_mtime_ns for p in finished.path.rglob("*")}

    before = state()
    found = FinishedRun(finished.path)
    found.made(0, "original"), found.scores, found.places, found.fingerprint()
    assert state() == before


@pytest.mark.parametrize("content", [None, "{", "[]", '{"kind": "scores"}'])
def test_what_is_no_run_is_refused(content, tmp_path):
    if content is not None:
        (tmp_path / "records").mkdir()
        (tmp_path / "manifest.json").write_text(content)
    assert not is_run(tmp_path)
    with pytest.raises(InputError, match=re.escape("is no run of a generator. Give one of")):
        FinishedRun(tmp_path)
