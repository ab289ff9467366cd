from datasets import Features, Image, List, Value

from aas_bench.tables import schema


def test_the_pair_table_is_the_published_one():
    assert schema.pair_features() == Features(
        {
            "pair_id": Value("string"),
            "index": Value("int64"),
            "model": Value("string"),
            "image_original": Image(),
            "image_distorted": Image(),
            "prompt_original": Value("string"),
            "prompt_distorted": Value("string"),
            "dimensions": List(Value("string")),
            "label": Value("int8"),
        }
    )
    assert tuple(schema.pair_features()) == schema.PAIR_COLUMNS


def test_names():
    assert schema.score_column("hpsv3", schema.DIOP) == "hpsv3_diop"
    assert schema.pair_name("flux_dev", 17) == "flux_dev/0017"
    assert schema.pair_name("flux_dev", 12345) == "flux_dev/12345"
    assert [*map(int, schema.Label)] == [-1, 0, 1]
