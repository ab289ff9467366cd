"""The page of the aas_preference Space."""

from pathlib import Path
from typing import Any

from aas_bench.pages.metric_page import MetricPage, Number, build_page, launch_page
from aas_bench.words import percent

EXAMPLE = """\
index,dimension,score_original,score_distorted,label
0,clarity,7.9,3.1,1
0,clarity,6.8,4.0,1
1,clarity,7.2,7.6,1
2,colour,8.1,5.5,1
2,colour,6.4,6.9,0
3,colour,7.0,2.8,1
4,lighting,5.2,6.3,1
5,lighting,6.6,4.9,0
6,lighting,7.5,5.0,1
7,emotion,8.3,3.6,1
8,emotion,6.1,6.0,-1
9,emotion,7.7,4.4,0
"""


def sentence(result: dict[str, Any]) -> str:
    """The finding in words."""
    if result["accuracy"] is None:
        return f"There is no accuracy: {result['reasons']['accuracy']}."
    said = f"Prefers the image that fits the prompt in {ACCURACY.value(result)} of {result['n']:,}"
    rates = sorted(each["accuracy"] for each in result["by_ties"].values())
    ties = f"{percent(rates[0])} to {percent(rates[-1])} as ties count. " if rates else ""
    ends = result["accuracy_ci"]
    if ends is None:
        return f"{said} pairs. {ties}".strip()
    verdict = "That may be chance."
    if ends[1] < 0.5:
        verdict = "It prefers the wrong image more often than not."
    elif ends[0] > 0.5:
        verdict = "It prefers the right image more often than not."
    return f"{said} pairs (interval {ACCURACY.interval(result)}). {ties}{verdict}"


ACCURACY = Number(key="accuracy", name="Accuracy", meaning="Share of right choices.", chance=0.5)
PAGE = MetricPage(
    script=Path(__file__).with_name("aas_preference.py"),
    title="aas_preference",
    intro=(
        "Does a reward model prefer the image that the prompt asked for, when that image is not "
        "pretty? One row per pair: `score_original` is the polished image under the prompt, "
        "`score_distorted` the image asked for; `label` is 1 where the latter fits better, 0 where "
        "the former does, -1 for a tie. A column `index` names the base prompt, so that "
        "pairs of one prompt count as one cluster; any other column can be a group."
    ),
    example=EXAMPLE,
    cells=("oidp", "didp"),
    numbers=(
        ACCURACY,
        Number(
            key="balanced_accuracy",
            name="Balanced accuracy",
            meaning="Mean of the hit rates at label 1 and at label 0.",
            chance=0.5,
        ),
        Number(key="tied", name="Tied", meaning="Pairs in which it scored both the same."),
        Number(key="f1", name="F1", meaning="Positive class: the image asked for.", share=False),
        Number(
            key="auroc",
            name="AUROC",
            meaning="How well the margin ranks label 1 above label 0.",
            chance=0.5,
            share=False,
        ),
        Number(
            key="cohen_kappa",
            name="Cohen's kappa",
            meaning="Agreement beyond chance.",
            scale=(-1.0, 1.0),
            chance=0.0,
            share=False,
        ),
    ),
    sentence=sentence,
    has_ties=True,
)

if __name__ == "__main__":
    launch_page(build_page(PAGE))
