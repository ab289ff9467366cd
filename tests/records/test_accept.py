"""A result stands only where its numbers follow from its scores."""

import hashlib
import json

import numpy as np
import pandas as pd
import pytest

from aas_bench.records.accept import check_file, check_folder
from aas_bench.records.make_records import add_run


@pytest.fixture
def place(reward_run, tmp_path):
    """A record of one reward model beside its scores."""
    add_run(reward_run(), tmp_path / "board")
    return tmp_path / "board" / "wide_spectrum" / "alpha"


@pytest.fixture
def tamper(place):
    """Change the record's document (and its scores); what the check then says."""

    def change(edit=lambda document: None, scores=None, *, sign=False):
        file, table = place / "measured.json", place / "measured.parquet"
        document = json.loads(file.read_text())
        if scores is not None:
            frame = pd.read_parquet(table)
            frame = scores(frame)
            frame.to_parquet(table)
        if sign:
            document["scores"]["sha256"] = hashlib.sha256(table.read_bytes()).hexdigest()
            document["scores"]["n_pairs"] = len(pd.read_parquet(table))
        edit(document)
        file.write_text(json.dumps(document))
        return check_file(file)

    return change


def headline(document):
    return next(m for m in document["measurements"] if m["measure"] == "accuracy" and "by" not in m)


def test_an_honest_record_is_accepted(tamper):
    verdict = tamper()
    assert verdict.refused == ()
    assert verdict.id == "wide_spectrum/alpha/measured"


def test_the_committed_board_is_accepted(board):
    verdicts = check_folder(board)
    assert {v.file: v.refused for v in verdicts if v.refused} == {}
    assert len(verdicts) == len(list(board.rglob("*.json"))) - 1
    assert [v.flags for v in verdicts if v.flags] == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("value", 0.999),
        ("low", 0.001),
        ("high", 0.998),
        ("n", 59),
        ("n_clusters", 60),
        ("coverage", 0.97),
        ("reason", "because"),
    ],
)
def test_a_tampered_field_is_refused_with_the_difference(tamper, field, value):
    def edit(document):
        headline(document)[field] = value

    (line,) = tamper(edit).refused
    assert line.startswith(f"accuracy: {field} is {value}, recomputed ")


def test_the_least_visible_change_is_found_and_rounding_noise_is_not(tamper):
    def nudge(by):
        def edit(document):
            headline(document)["value"] += by

        return edit

    assert tamper(nudge(1e-12)).refused == ()
    assert len(tamper(nudge(1e-7)).refused) == 1


def test_a_figure_left_out_is_refused(tamper):
    (line,) = tamper(lambda d: d["measurements"].remove(headline(d))).refused
    assert line.startswith("accuracy: left out; it is 0.")


def test_a_figure_that_the_scores_do_not_give_is_refused(tamper):
    extra = {"measure": "llm_win", "value": 1.0}
    (line,) = tamper(lambda d: d["measurements"].append(extra)).refused
    assert line == "llm_win: not among what its scores give"


def test_other_scores_are_refused_by_their_checksum(tamper):
    verdict = tamper(scores=lambda f: f.assign(alpha_didp=f["alpha_didp"] + 1))
    assert len(verdict.refused) == 1
    assert "its scores have the checksum" in verdict.refused[0]


def test_better_scores_signed_anew_are_refused_by_the_figures(tamper):
    verdict = tamper(scores=lambda f: f.assign(alpha_didp=f["alpha_didp"] + 1), sign=True)
    assert any("recomputed" in line for line in verdict.refused)
    assert verdict.refused[-1].endswith("more differences")


def test_bad_pairs_left_out_are_seen_in_n(tamper):
    verdict = tamper(scores=lambda f: f[(f["alpha_didp"] > f["alpha_oidp"])], sign=True)
    assert any(": n is 60, recomputed" in line for line in verdict.refused)


def test_a_wrong_count_of_pairs_is_refused(tamper):
    (line,) = tamper(lambda d: d["scores"].update(n_pairs=61)).refused
    assert line == "its scores hold 60 pairs, not 61"


def test_scores_of_another_reward_model_are_refused(tamper):
    lines = tamper(lambda d: d["subject"].update(name="Beta")).refused
    assert lines == ("its scores are those of alpha",)


def test_prompts_in_the_scores_are_refused(tamper):
    verdict = tamper(scores=lambda f: f.assign(prompt_original="text"), sign=True)
    assert verdict.refused == ("its scores hold columns that do not belong there: prompt_original",)


def test_a_folder_of_the_machine_in_the_provenance_is_refused(tamper):
    lines = tamper(lambda d: d["provenance"].update(where="/home/me/x")).refused
    assert lines == ("the provenance names a folder of a machine; leave file names only",)


def test_absent_scores_are_refused(place):
    (place / "measured.parquet").unlink()
    assert check_file(place / "measured.json").refused == (
        "its scores measured.parquet are not beside it",
    )


def test_linked_scores_are_refused(place, tmp_path):
    (place / "measured.parquet").rename(tmp_path / "elsewhere.parquet")
    (place / "measured.parquet").symlink_to(tmp_path / "elsewhere.parquet")
    assert check_file(place / "measured.json").refused == (
        "its scores measured.parquet are not beside it",
    )


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + b"\x00" * 64 + b"PAR1", b"no table"])
def test_scores_that_are_no_table_are_refused(place, tamper, content):
    (place / "measured.parquet").write_bytes(content)

    def sign(document):
        document["scores"]["sha256"] = hashlib.sha256(content).hexdigest()

    (line,) = tamper(sign).refused
    assert line.startswith("its scores cannot be used: ")


def test_a_table_that_claims_too_many_rows_is_not_read(tamper, monkeypatch):
    monkeypatch.setattr("aas_bench.records.accept.MOST_PAIRS", 59)
    (line,) = tamper().refused
    assert line.startswith("its scores cannot be used: 60 rows; the most is 59")


def test_a_generators_scores_must_be_of_its_images(tamper):
    def edit(document):
        document["subject"] |= {"kind": "generator", "name": "Another"}

    assert "its scores are of images by m" in tamper(edit).refused


def test_low_coverage_is_accepted_with_a_flag(reward_run, tmp_path):
    run = reward_run()
    frame = pd.read_parquet(run / "scores.parquet")
    frame.loc[:5, "alpha_didp"] = np.nan
    frame.to_parquet(run / "scores.parquet")
    add_run(run, tmp_path / "board")
    flagged = [v for v in check_folder(tmp_path / "board") if v.flags]
    assert [v.id for v in flagged] == ["wide_spectrum/alpha/measured"]
    assert flagged[0].refused == ()


def test_published_figures_are_the_papers_only(board, tmp_path):
    text = (board / "wide_spectrum/flux_dev/published.json").read_text()
    assert "-3.165" in text
    file = tmp_path / "published.json"
    file.write_text(text)
    assert check_file(file).refused == ()
    file.write_text(text.replace("-3.165", "-3.166"))
    expected = "the figures are not those of aas_bench/records/paper.json"
    assert check_file(file).refused == (expected,)


def test_a_broken_record_is_among_the_verdicts(board, tmp_path):
    (tmp_path / "x.json").write_text("{")
    (verdict,) = check_folder(tmp_path)
    assert (verdict.id, verdict.flags) == (None, ())
    assert verdict.refused[0].startswith("is not JSON")
    assert check_file(tmp_path / "x.json").refused == verdict.refused
