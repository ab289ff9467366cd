"""The page of the aas_override Space."""

from pathlib import Path
from typing import Any

from aas_bench.pages.metric_page import MetricPage, Number, build_page, launch_page

EXAMPLE = """\
index,dimension,oiop,oidp,diop,didp
0,clarity,9.2,7.9,2.5,3.1
0,clarity,8.8,6.8,3.1,4.0
1,clarity,8.0,7.2,6.1,7.6
2,colour,9.1,8.1,5.0,5.5
2,colour,7.5,6.4,5.8,6.9
3,colour,7.3,7.0,4.0,2.8
4,lighting,6.9,5.2,4.4,6.3
5,lighting,7.8,6.6,4.1,4.9
6,lighting,8.8,7.5,4.6,5.0
7,emotion,9.0,8.3,3.3,3.6
8,emotion,7.4,6.1,5.2,6.0
9,emotion,8.1,7.7,5.1,4.4
"""


def sentence(result: dict[str, Any]) -> str:
    """The finding in words."""
    if result["understood"] is None:
        return f"There is no result: {result['reasons']['understood']}."
    moved = f"net share {UNDERSTOOD.value(result)} of {result['n']:,} pairs"
    if result["reading"] != "towards":
        how = {"unclear": "No move beyond noise", "against": "Moved against the request"}
        return f"{how[result['reading']]} ({moved}), so there is no override rate."
    said = "The score moved towards the request more often than the original prompt would explain"
    if result["override_rate"] is None:
        return f"{said} ({moved}). No override rate: {result['reasons']['override_rate']}."
    ends = "" if result["override_rate_ci"] is None else f" (interval {RATE.interval(result)})"
    rates = [RATE.value(each) for each in result["by_ties"].values()]
    ties = f", {rates[-1]} to {rates[0]} as ties count" if rates else ""
    return f"{said} ({moved}); the polished image won {RATE.value(result)} of those{ends}{ties}."


RATE = Number(
    key="override_rate",
    name="Override rate",
    meaning="Of the pairs whose score followed the request, how often the polished image won.",
)
UNDERSTOOD = Number(
    key="understood",
    name="Followed, net",
    meaning="Moved towards the request, less moved against it; held against the original prompt.",
    scale=(-1, 1),
)
PAGE = MetricPage(
    script=Path(__file__).with_name("aas_override.py"),
    title="aas_override",
    intro=(
        "Did the score follow the request, and did taste win? One row per pair with four "
        "scores, image first, then prompt: `oiop` and `oidp` are the polished image under the "
        "plain prompt and under the one that asks for something unpretty, `diop` and `didp` the "
        "image that was asked for under both. A column `index` names the base prompt, so that "
        "pairs of one prompt count as one cluster; any other column can be a group."
    ),
    example=EXAMPLE,
    cells=("oiop", "oidp", "diop", "didp"),
    numbers=(
        RATE,
        UNDERSTOOD,
        Number(
            key="chosen",
            name="Chosen",
            meaning="Pairs in which it preferred the image asked for, under the prompt that asks.",
        ),
        Number(
            key="polished",
            name="Polished",
            meaning="Pairs in which it preferred the polished image, under that prompt.",
        ),
        Number(key="tied", name="Tied", meaning="Pairs in which it scored both the same."),
        Number(
            key="override_strength",
            name="Override strength",
            meaning="Above 1, taste outweighs the request.",
            scale=None,
            share=False,
        ),
        Number(
            key="prompt_response",
            name="Prompt response",
            meaning="How much the request moves it, in its own unit.",
            scale=None,
            share=False,
        ),
        Number(
            key="prior_pull",
            name="Prior pull",
            meaning="How much it favours the image asked for whatever the prompt; negative: taste.",
            scale=None,
            share=False,
        ),
    ),
    sentence=sentence,
    has_outcomes=True,
)

if __name__ == "__main__":
    launch_page(build_page(PAGE))
