"""What one reward model remembers, and how it counts memory."""

from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image
from support.toy_rewards import ToyDual

from aas_bench.run.model import FeatureCache, ModelRun, is_out_of_memory, n_bytes


@dataclass
class Held:
    grid: np.ndarray
    mask: np.ndarray


def test_n_bytes_counts_what_a_feature_holds():
    grid = np.zeros((10, 10), dtype=np.float32)
    assert n_bytes(grid) == 400
    assert n_bytes(Image.new("RGB", (10, 20))) == 600
    assert n_bytes(None) == 0
    for held in ([grid, grid], (grid, grid), {"a": grid, "b": grid}, Held(grid, grid)):
        assert 800 <= n_bytes(held) < 1200


def test_the_cache_stays_within_its_bytes_and_forgets_the_oldest():
    cache = FeatureCache(limit=1000)
    for key in range(10):
        cache.put(key, np.zeros(400, dtype=np.uint8))
        assert cache[0] is not None if key < 2 else True
    assert [key for key in range(10) if key in cache] == [8, 9]


def test_reading_keeps_a_feature():
    cache = FeatureCache(limit=1000)
    cache.put("a", np.zeros(400, dtype=np.uint8))
    cache.put("b", np.zeros(400, dtype=np.uint8))
    cache["a"]
    cache.put("c", np.zeros(400, dtype=np.uint8))
    assert "a" in cache
    assert "b" not in cache


def test_putting_twice_counts_once():
    cache = FeatureCache(limit=1000)
    for _ in range(5):
        cache.put("a", np.zeros(400, dtype=np.uint8))
    cache.put("b", np.zeros(400, dtype=np.uint8))
    assert "a" in cache


def test_a_feature_may_be_none():
    """A model that never reads the prompt has nothing to remember of it, but it has met it."""
    cache = FeatureCache(limit=10)
    cache.put("a", None)
    assert "a" in cache
    assert cache["a"] is None


def test_a_forgotten_prompt_is_encoded_again_with_its_first_batch():
    class Logging(ToyDual):
        def __init__(self):
            super().__init__()
            self.calls = []

        def encode_prompts(self, prompts):
            self.calls.append(list(prompts))
            return super().encode_prompts(prompts)

    model = Logging()
    run = ModelRun(model, batch_size=2, cache_bytes=40)
    image = np.zeros((2, 2, 3), dtype=np.uint8)
    prompts = ["a", "b", "c", "d"]
    run.plan_prompts(prompts)
    run.scores([("k", prompt) for prompt in prompts], {"k": image})
    run.scores([("k", "b")], {"k": image})
    assert model.calls == [["a", "b"], ["c", "d"], ["a", "b"]]


def test_prompts_are_batched_by_length():
    """When they are encoded, and again when they are read against images."""

    class Long(ToyDual):
        def __init__(self):
            super().__init__()
            self.spread = []

        def prompt_lengths(self, prompts):
            return np.array([len(prompt) for prompt in prompts])

        def encode_prompts(self, prompts):
            self.spread.append({len(prompt) for prompt in prompts})
            return super().encode_prompts(prompts)

        def combine(self, images, prompts):
            self.spread.append({round(prompt[3] * 100) for prompt in prompts})
            return super().combine(images, prompts)

    model = Long()
    run = ModelRun(model, batch_size=2)
    prompts = ["aaaa", "b", "cccc", "d"]
    run.plan_prompts(prompts)
    run.scores([("k", prompt) for prompt in prompts], {"k": np.zeros((2, 2, 3), dtype=np.uint8)})
    assert model.spread == [{1}, {4}, {1}, {4}]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 99 bytes"), True),
        (RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("memory of a goldfish"), False),
    ],
)
def test_what_counts_as_out_of_memory(error, expected):
    assert is_out_of_memory(error) is expected
