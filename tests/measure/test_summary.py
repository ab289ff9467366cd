"""The Summary against scikit-learn, plain counting and the published figures."""

import hashlib
import json

import numpy as np
import pytest
from sklearn import metrics
from support.report_tables import score_frame, score_table

from aas_bench.errors import InputError, MissingScoresError, SchemaError
from aas_bench.measure.compare import match_generators
from aas_bench.measure.summary import STANDARD, standard, summarise, verdicts
from aas_bench.tables.scores import ScoreTable, load_scores


def margins(frame, reward):
    return (frame[f"{reward}_didp"] - frame[f"{reward}_oidp"]).to_numpy()


def test_headline_equals_scikit_learn_on_the_labelled_pairs():
    frame = score_frame()
    reward = summarise(ScoreTable.from_frame(frame)).rewards["beta"]
    labelled = (frame["label"] >= 0).to_numpy()
    truth, margin = frame["label"].to_numpy()[labelled], margins(frame, "beta")[labelled]
    assert reward.preference.accuracy.value == metrics.accuracy_score(truth, margin > 0)
    assert reward.preference.auroc.value == pytest.approx(metrics.roc_auc_score(truth, margin))
    assert reward.preference.n_label_ties == (~labelled).sum() > 0
    assert reward.headline is reward.preference.accuracy


def test_outcomes_are_counted_as_defined():
    frame = score_frame()
    counts = dict.fromkeys(("followed", "overridden", "missed", "lucky"), 0)
    listed = []
    for row in frame.to_dict("records"):
        d_a = row["alpha_didp"] - row["alpha_oidp"]
        d_o = row["alpha_diop"] - row["alpha_oiop"]
        understood, chosen = d_a - d_o > 0, d_a > 0
        name = {
            (True, True): "followed",
            (True, False): "overridden",
            (False, False): "missed",
            (False, True): "lucky",
        }[understood, chosen]
        counts[name] += 1
        listed.append(name)
    table = ScoreTable.from_frame(frame)
    reward = summarise(table).rewards["alpha"]
    assert reward.outcomes == counts
    assert reward.override.overridden.value == counts["overridden"] / len(frame)
    assert verdicts(table, "alpha") == listed
    assert min(counts.values()) > 0


def test_the_knob_at_zero_is_the_model_as_shipped_and_the_shift_is_a_mean_difference():
    frame = score_frame()
    reward = summarise(ScoreTable.from_frame(frame)).rewards["beta"]
    assert reward.knob.strengths[0] == 0
    assert reward.knob.points[0].value == reward.preference.accuracy.value
    shift = (frame["beta_diop"] - frame["beta_oiop"]).mean()
    assert reward.generator.delta.value == pytest.approx(shift)
    assert reward.generator.after.value == pytest.approx(frame["beta_diop"].mean())


def test_json_has_the_documented_shape_and_no_nan():
    summary = summarise(score_table(doses=True, wordings=2, cuts=True))
    document = json.loads(summary.to_json(), parse_constant=pytest.fail)
    assert set(document) >= {"rewards", "measure", "provenance"}
    reward = document["rewards"]["alpha"]
    assert set(reward) >= {"n", "preference", "override", "knob", "generator", "by", "dose"}
    for name in ("followed", "overridden", "missed", "lucky", "moved"):
        assert set(reward["override"][name]) >= {"value", "low", "high", "n", "coverage", "reason"}
    knob = reward["knob"]
    assert all(isinstance(x, float) for x in [*knob["strength"], *knob["accuracy"], *knob["low"]])
    assert len({len(knob[key]) for key in ("strength", "accuracy", "low", "high")}) == 1
    assert set(reward["generator"]) == {"delta", "after"}


def test_a_pair_in_several_wordings_counts_once():
    frame = score_frame(wordings=3)
    first = frame[frame["wording"] == 0]
    summary = summarise(ScoreTable.from_frame(frame))
    alone = summarise(ScoreTable.from_frame(first.reset_index(drop=True)))
    assert (summary.n_rows, summary.n_pairs, summary.n_wordings) == (180, 60, 3)
    for name in ("alpha", "beta"):
        many, once = summary.rewards[name].to_dict(), alone.rewards[name].to_dict()
        assert many.pop("consistency") is not None
        assert once.pop("consistency") is None
        assert many == once


def test_consistency_reads_every_wording():
    frame = score_frame(wordings=3)
    chose = frame.assign(chose=margins(frame, "alpha") > 0).groupby("item")["chose"]
    unanimous = float((chose.nunique() == 1).mean())
    consistency = summarise(ScoreTable.from_frame(frame)).rewards["alpha"].consistency
    assert consistency.unanimous.value == pytest.approx(unanimous)
    assert 0 < unanimous < 1
    assert list(consistency.accuracy_by_wording) == ["0", "1", "2"]


def test_wordings_are_compared_on_the_items_that_have_all_of_them():
    frame = score_frame(wordings=3)
    # As in the built-in split: most items exist in the first wording only.
    partial = frame[(frame["wording"] == 0) | (frame["index"] < 5)].reset_index(drop=True)
    whole = frame[frame["index"] < 5].reset_index(drop=True)
    summaries = [summarise(ScoreTable.from_frame(f)) for f in (partial, whole)]
    one, other = (s.rewards["beta"].consistency for s in summaries)
    assert one == other
    assert one.unanimous.n == 15
    assert summaries[0].n_pairs == 60


def test_a_pair_counts_in_every_dimension_it_asks_for():
    frame = score_frame()
    summary = summarise(ScoreTable.from_frame(frame))
    groups = summary.rewards["alpha"].by
    assert summary.by == "dimensions"
    assert list(groups) == ["clarity", "background", "emotion"]  # the order of the taxonomy
    for name, group in groups.items():
        members = np.array([name in asked for asked in frame["dimensions"]])
        assert group.n == members.sum()
        right = (margins(frame, "alpha") > 0) == (frame["label"] == 1)
        kept = members & (frame["label"] >= 0)
        assert group.headline.value == right[kept].mean()
    assert sum(group.n for group in groups.values()) > len(frame)


def test_groups_come_from_any_column():
    frame = score_frame()
    frame["half"] = np.where(frame["index"] < 10, "low", "high")
    groups = summarise(ScoreTable.from_frame(frame), by="half").rewards["beta"].by
    assert {name: group.n for name, group in groups.items()} == {"high": 30, "low": 30}


@pytest.mark.parametrize("label", [None, -1])
def test_without_labels_the_headline_is_the_share_that_chose_what_was_asked(label):
    frame = score_frame(labels=False)
    if label is not None:
        frame["label"] = label
    summary = summarise(ScoreTable.from_frame(frame))
    reward = summary.rewards["alpha"]
    assert summary.measure == "chosen"
    assert reward.preference is None
    assert reward.headline.value == (margins(frame, "alpha") > 0).mean()
    document = reward.to_dict()
    assert "preference" not in document
    assert document["knob"]["chosen"][0] == document["chosen"]["value"]


def test_without_the_original_prompt_only_the_choice_is_reported():
    frame = score_frame(originals=False)
    table = ScoreTable.from_frame(frame)
    reward = summarise(table).rewards["alpha"]
    assert reward.preference.accuracy.value is not None
    assert (reward.override, reward.outcomes, reward.knob, reward.generator) == (None,) * 4
    assert all(group.override is None for group in reward.by.values())
    expected = ["asked" if margin > 0 else "polished" for margin in margins(frame, "alpha")]
    assert verdicts(table, "alpha") == expected
    assert set(expected) == {"asked", "polished"}


def test_missing_scores_are_refused_by_name_or_dropped_and_counted():
    frame = score_frame()
    frame.loc[[3, 8], "beta_didp"] = np.nan
    table = ScoreTable.from_frame(frame)
    with pytest.raises(MissingScoresError, match=r'2 of 60.*maker/0003/0.*on_missing="drop"'):
        summarise(table)
    summary = summarise(table, on_missing="drop")
    assert summary.rewards["beta"].coverage == 58 / 60
    assert summary.rewards["beta"].override.n == 58
    assert summary.rewards["alpha"].coverage == 1
    assert verdicts(table, "beta")[3] is None


def test_a_reward_model_without_any_score_is_reported_as_such():
    frame = score_frame()
    for cell in ("oiop", "oidp", "diop", "didp"):
        frame[f"beta_{cell}"] = np.nan
    summary = summarise(ScoreTable.from_frame(frame), on_missing="drop")
    empty = summary.rewards["beta"]
    assert (empty.headline.value, empty.coverage, empty.override) == (None, 0.0, None)
    assert empty.headline.reason
    assert "beta" not in summary.ranks()


def test_truncation_repeats_the_headline_on_the_whole_prompts():
    frame = score_frame(cuts=True)
    table = ScoreTable.from_frame(frame)
    cut = frame["alpha_cut_distorted"].to_numpy(dtype=bool)
    whole = ScoreTable.from_frame(frame[~cut].reset_index(drop=True))
    truncation = summarise(table).rewards["alpha"].truncation
    assert (truncation.n_cut_original, truncation.n_cut_distorted) == (0, cut.sum())
    expected = summarise(whole).rewards["alpha"]
    assert truncation.untruncated.n == (~cut).sum()
    assert truncation.untruncated.preference == expected.preference
    assert truncation.untruncated.override == expected.override


def test_ranks_are_shared_where_intervals_overlap():
    rng = np.random.default_rng(0)
    frame = score_frame(n=400, rewards=("twin_a", "twin_b", "worse"))
    frame["label"] = 1
    for name, shift in (("twin_a", 2.0), ("twin_b", 2.0), ("worse", -2.0)):
        frame[f"{name}_oidp"] = 0.0
        frame[f"{name}_didp"] = rng.normal(size=400) + shift
    ranks = summarise(ScoreTable.from_frame(frame)).ranks()
    assert ranks == {"twin_a": 1, "twin_b": 1, "worse": 3}


def test_equal_inputs_give_equal_summaries_and_the_seed_matters():
    table = score_table()
    assert summarise(table).to_json() == summarise(table).to_json()
    assert summarise(table).to_json() != summarise(table, seed=1).to_json()


def test_provenance_tells_source_options_and_command(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_bytes(b"anything")
    given = {"command": "aas-bench analyse x", "created": "2026-01-01", "run": {"alpha": "r1"}}
    found = summarise(score_table(), source=path, seed=3, **given).provenance
    assert found["source_sha256"] == hashlib.sha256(b"anything").hexdigest()
    assert {key: found[key] for key in given} == given
    assert (found["seed"], found["n_resamples"], found["ties"]) == (3, 1000, "original")
    assert found["versions"]["numpy"] == np.__version__
    assert summarise(score_table()).provenance["created"] is None


def test_reward_models_come_in_the_order_asked_for():
    summary = summarise(score_table(), rewards=["beta", "alpha"])
    assert list(summary.rewards) == ["beta", "alpha"]


def test_bad_requests_say_what_is_there():
    table = score_table()
    with pytest.raises(SchemaError, match=r"no column 'topic'. Group by one of: .*dimensions"):
        summarise(table, by="topic")
    with pytest.raises(InputError, match=r"'gamma'. It has: alpha, beta"):
        summarise(table, rewards=["gamma"])
    with pytest.raises(InputError, match=r"no rows. Give a table"):
        summarise(ScoreTable(frame=table.frame.iloc[:0], rewards=table.rewards))


@pytest.mark.real
def test_published_scores_give_the_published_figures(real_scores):
    summary = summarise(load_scores(real_scores))
    # HPSv2 ties on one pair that moved: 104 of 300 (0.347) lose outright, d_a <= 0 in 105.
    facts = {
        name: tuple(
            round(value, 3)
            for value in (
                reward.headline.value,
                reward.override.moved.value,
                reward.override.overridden.value,
            )
        )
        for name, reward in summary.rewards.items()
    }
    assert facts == {
        "hpsv3": (0.29, 0.94, 0.68),
        "hpsv2": (0.64, 0.98, 0.35),
        "image_reward": (0.77, 0.933, 0.193),
    }
    shift = summary.rewards["hpsv3"].generator
    assert round(shift.delta.value, 3) == -4.702
    assert round(shift.after.value, 3) == 6.159


CHOICES = {
    "task": (lambda table: summarise(table, task="wide_spectra"), "Did you mean wide_spectrum"),
    "by": (lambda table: summarise(table, by="nope"), r"Group by one of: .*dimensions"),
    "ties": (
        lambda table: summarise(table, ties="nope"),
        "Use 'original' or 'half' or 'distorted'",
    ),
    "missing": (lambda table: summarise(table, on_missing="nope"), "Use 'raise' or 'drop'"),
    "rewards": (lambda table: summarise(table, rewards=["nope"]), "It has: alpha, beta"),
    "kind": (lambda table: summarise(table).measurements("nope"), "Use 'reward_model' or 'genera"),
    "several": (lambda table: summarise(table).measurements("reward_model"), r"rewards=\[name\]"),
    "standard": (lambda table: standard(table, task="nope"), "aas-bench list tasks"),
    "shift": (
        lambda table: match_generators(table, table, "alpha", "nope", STANDARD),
        "Use 'delta' or 'after'",
    ),
}


@pytest.mark.parametrize(("call", "message"), CHOICES.values(), ids=CHOICES)
def test_a_choice_that_does_not_exist_is_answered_with_those_that_do(call, message):
    with pytest.raises(InputError, match=message):
        call(score_table())
