import itertools

from aas_bench.tasks import taxonomy

# arXiv 2512.11883: the eleven VisionReward dimensions that were asked for.
USED = [
    "clarity",
    "color brightness",
    "color aesthetic",
    "lighting distinction",
    "detail refinement",
    "detail realism",
    "background",
    "main object",
    "richness",
    "object pairing",
    "emotion",
]


def test_counts():
    assert [*taxonomy.DIMENSIONS] == [*USED, "symmetry"]
    assert len(taxonomy.PHOTO_ELEMENTS) == 5
    assert len(taxonomy.elements()) == 28
    assert len(taxonomy.EMOTIONS) == 4
    assert len(taxonomy.TOPICS) == 5


def test_elements_are_unique_and_named_by_their_category():
    elements = taxonomy.elements()
    assert len(set(elements)) == len(elements)
    assert {e.split(".")[0] for e in elements} == set(taxonomy.PHOTO_ELEMENTS)


def test_every_name_has_one_line_of_meaning():
    tables = [taxonomy.DIMENSIONS, taxonomy.EMOTIONS, taxonomy.TOPICS]
    meanings = list(
        itertools.chain.from_iterable(
            t.values() for t in [*tables, *taxonomy.PHOTO_ELEMENTS.values()]
        )
    )
    assert all(m.endswith(".") and "\n" not in m and len(m) < 100 for m in meanings)
    assert len(set(meanings)) == len(meanings)
