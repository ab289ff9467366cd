"""One reward model at work in this process: what it has encoded, and how much fits at once."""

from __future__ import annotations

import json
import sys
from collections import Counter, OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from typing import Any, Final, Generic, TypeVar

import numpy as np
from PIL import Image

from aas_bench.errors import AasBenchError, BackendError, InputError
from aas_bench.files import json_bytes
from aas_bench.rewards.base import RewardModel, flat

K = TypeVar("K")

CACHE_BYTES: Final = 256 * 2**20
MOST_PROMPTS: Final = 65_536
"""So many prompts are known at once: of 1,024 float32, their features fill `CACHE_BYTES`."""
_AGAIN: Final = object()
_OUT_OF_MEMORY: Final = ("out of memory", "can't allocate memory", "alloc_failed")


@dataclass(frozen=True, kw_only=True)
class BadImage:
    """Stands where an image could not be read or prepared."""

    reason: str


class FeatureCache(Generic[K]):
    """The features used last, as many as fit into `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._items: OrderedDict[K, tuple[Any, int]] = OrderedDict()
        self._bytes = 0

    def __contains__(self, key: K) -> bool:
        return key in self._items

    def __getitem__(self, key: K) -> Any:
        self._items.move_to_end(key)
        return self._items[key][0]

    def put(self, key: K, feature: Any) -> None:
        """Keep a feature, and forget those used longest ago where it does not fit."""
        _, before = self._items.pop(key, (None, 0))
        size = n_bytes(feature)
        self._items[key] = (feature, size)
        self._bytes += size - before
        while self._bytes > self._limit:
            _, (_, freed) = self._items.popitem(last=False)
            self._bytes -= freed

    def clear(self) -> None:
        """Forget all."""
        self._items.clear()
        self._bytes = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class _Prompt:
    """What is known of a prompt: its batch, its length, whether it is cut."""

    batch: tuple[int, int]
    length: int
    cut: bool


class ModelRun:
    """Scores groups of rows with one reward model; encodes every image and prompt once.

    Images are remembered within a part, prompts within the run, both up to `cache_bytes`. Each
    prompt belongs to a batch that is fixed when the prompt is first met, and is always encoded
    with that batch: so a continued run, whose memory is empty, repeats the same arithmetic, and so
    does one worker of several, which meets the prompts of all rows and encodes those of its own.
    Where more than `MOST_PROMPTS` were met, all are forgotten before the next part, which again
    follows from the texts alone; `recall` brings back the memory of a part that comes after a
    later one.

    Args:
        model: The reward model.
        batch_size: Items of one call; halved for good when memory runs out.
        n_placebos: How many of a pair's placebos of a kind are scored; the first ones.
        cache_bytes: Bound of each of the two memories.
    """

    def __init__(
        self,
        model: RewardModel,
        *,
        batch_size: int,
        n_placebos: int = 0,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self.model = model
        self.n_placebos = n_placebos
        self.batch_size = batch_size
        self.n_done: Counter[str] = Counter()
        self._prompt_batch_size = batch_size
        self._images: FeatureCache[str] = FeatureCache(cache_bytes)
        self._prompt_features: FeatureCache[str] = FeatureCache(cache_bytes)
        self._n_plans = 0
        self._plans: dict[int, list[str]] = {}  # those that are not cut into batches yet
        self._plan_of: dict[str, int] = {}
        self._prompts: dict[str, _Prompt] = {}
        self._batches: dict[tuple[int, int], list[str]] = {}
        self._memories = [0]
        """The parts before which the prompts were forgotten."""
        self.n_met = 0
        """The prompts of so many parts were met."""

    def to_dict(self) -> dict[str, int]:
        """How much was encoded and combined, and in batches of what size at the end."""
        return {"batch_size": self.batch_size, **self.n_done}

    def start_part(self, part: int) -> None:
        """Forget the images: a part's batches must not depend on the parts before it."""
        self._images.clear()
        if part >= self.n_met:
            if self.bound_prompts():
                self._memories.append(part)
            self.n_met = part + 1

    def bound_prompts(self) -> bool:
        """Forget the prompts where they became many; whether they had."""
        many = len(self._plan_of) + len(self._prompts) > MOST_PROMPTS
        if many:
            self._forget_prompts()
        return many

    def recall(self, part: int) -> None:
        """Forget what was met since the memory that a part belongs to ended, if it did."""
        if part < self._memories[-1]:
            self._memories = [begin for begin in self._memories if begin <= part]
            self.n_met = self._memories[-1]
            self._forget_prompts()

    def _forget_prompts(self) -> None:
        for known in (self._plans, self._plan_of, self._prompts, self._batches):
            known.clear()
        self._prompt_features.clear()

    def uncached(self, keys: Iterable[str]) -> list[str]:
        """The image keys that must be prepared again."""
        return [key for key in keys if key not in self._images]

    def plan_prompts(self, prompts: Iterable[str]) -> None:
        """Let the prompts that are new to the run share batches; nothing is computed yet."""
        met = self._plan_of, self._prompts
        new = [p for p in dict.fromkeys(prompts) if not any(p in known for known in met)]
        if new:
            self._plan_of.update(dict.fromkeys(new, self._n_plans))
            self._plans[self._n_plans] = new
            self._n_plans += 1

    def _known(self, prompt: str) -> _Prompt:
        """What is known of a prompt that was planned; cuts its plan into batches, shortest first.

        Only when a prompt is needed: a worker plans the prompts of all rows, and tokenizes few.
        """
        if prompt not in self._prompts:
            plan = self._plan_of[prompt]
            new = self._plans[plan]
            lengths = self._of_each("prompt_lengths", new)
            cut = self._of_each("truncated", new)
            order = np.argsort(lengths, kind="stable").tolist()
            for start in range(0, len(new), self._prompt_batch_size):
                members = order[start : start + self._prompt_batch_size]
                batch = (plan, start)
                for i in members:
                    known = _Prompt(batch=batch, length=int(lengths[i]), cut=bool(cut[i]))
                    self._prompts[new[i]] = known
                self._batches[batch] = [new[i] for i in members]
            del self._plans[plan]
            for each in new:
                del self._plan_of[each]
        return self._prompts[prompt]

    def _of_each(self, method: str, prompts: list[str]) -> list[Any]:
        """What a method tells of prompts, one item each."""
        told = np.asarray(call(self.model, method, prompts))
        if told.shape != (len(prompts),):
            msg = f"reward model {self.model.name!r}: {method} must give one item per prompt."
            raise InputError(f"{msg} Return shape (n,).")
        return list(told.tolist())

    def is_cut(self, prompt: str) -> bool:
        """Whether the model drops the end of a prompt that it has met."""
        return self._known(prompt).cut

    def scores(
        self, cells: Iterable[tuple[str, str]], prepared: Mapping[str, Any]
    ) -> dict[tuple[str, str], float | BadImage]:
        """Combined score of each distinct (image key, prompt).

        Args:
            cells: What to score; all prompts must have been met.
            prepared: For each image key that `uncached` named, what `prepare` made of it.
        """
        wanted = list(dict.fromkeys(cells))
        images = self._image_features(dict.fromkeys(key for key, _ in wanted), prepared)
        prompts = self._features_of_prompts(dict.fromkeys(prompt for _, prompt in wanted))
        found: dict[tuple[str, str], float | BadImage] = {}
        good = []
        for cell in wanted:
            if isinstance(images[cell[0]], BadImage):
                found[cell] = images[cell[0]]
            else:
                good.append(cell)
        good.sort(key=lambda cell: self._known(cell[1]).length)
        combined = self._in_batches(
            "combine", [images[key] for key, _ in good], [prompts[prompt] for _, prompt in good]
        )
        found.update(zip(good, self._numbers(combined), strict=True))
        return found

    def _numbers(self, combined: list[Any]) -> list[float]:
        try:
            numbers = np.asarray(flat(combined), dtype=np.float64)
        except (TypeError, ValueError) as error:
            msg = f"reward model {self.model.name!r}: combine gave {combined[0]!r:.80}, no number."
            raise InputError(f"{msg} Return shape (n,), float64.") from error
        if numbers.ndim != 1:
            shape = numbers.shape[1:]
            msg = f"reward model {self.model.name!r}: combine gave arrays {shape}, not numbers."
            raise BackendError(f"{msg} Return shape (n,).")
        return [float(number) for number in numbers]

    def _image_features(self, keys: Collection[str], prepared: Mapping[str, Any]) -> dict[str, Any]:
        lacking = self.uncached(keys)
        features = {key: self._images[key] for key in keys if key in self._images}
        features |= {key: prepared[key] for key in lacking}
        new = [key for key in lacking if not isinstance(prepared[key], BadImage)]
        encoded = self._in_batches("encode_images", [prepared[key] for key in new])
        features.update(zip(new, encoded, strict=True))
        for key in lacking:
            self._images.put(key, features[key])
        return features

    def _features_of_prompts(self, prompts: Collection[str]) -> dict[str, Any]:
        known = self._prompt_features
        features = {prompt: known[prompt] for prompt in prompts if prompt in known}
        lacking = {self._known(prompt).batch for prompt in prompts if prompt not in features}
        for batch in sorted(lacking):
            members = self._batches[batch]
            encoded = self._in_batches("encode_prompts", members)
            for prompt, feature in zip(members, encoded, strict=True):
                known.put(prompt, feature)
                features[prompt] = feature
        return features

    def _in_batches(self, method: str, *columns: Sequence[Any]) -> list[Any]:
        """Call a method of the model on aligned columns, `batch_size` items at a time."""
        results: list[Any] = []
        while len(results) < len(columns[0]):
            span = slice(len(results), len(results) + self.batch_size)
            batch = [list(column[span]) for column in columns]
            answer = self._attempt(method, batch)
            if answer is _AGAIN:
                continue
            if not hasattr(answer, "__len__"):
                msg = (
                    f"reward model {self.model.name!r}: {method} gave a {type(answer).__name__}. "
                    "Return a sequence, one item each."
                )
                raise InputError(msg)
            if len(answer) != len(batch[0]):
                msg = (
                    f"reward model {self.model.name!r}: {method} gave {len(answer)} results for "
                    f"{len(batch[0])} items. Return one per item."
                )
                raise BackendError(msg)
            results.extend(answer)
        self.n_done[method] += len(results)
        return results

    def _attempt(self, method: str, batch: list[list[Any]]) -> Any:
        """The answer; _AGAIN where memory ran out and the batch size was halved."""
        n_items = len(batch[0])
        try:
            answer = call(self.model, method, *batch)
        except (MemoryError, RuntimeError) as error:
            if n_items == 1:
                msg = (
                    f"reward model {self.model.name!r} has too little memory for a single item. "
                    "Use another device, or a smaller dtype."
                )
                raise BackendError(msg) from error
        else:
            return answer
        self.batch_size = max(1, n_items // 2)
        self._images.clear()
        _release_memory()
        return _AGAIN


def prepare(image: Mapping[str, Any], models: Sequence[RewardModel | None]) -> list[Any]:
    """Decode an image once and preprocess it for each model; called from several threads.

    Args:
        image: As it is stored.
        models: The models; None in place of those that do not need it.

    Returns:
        For each model what its `preprocess` made, or a BadImage; last, whether the image is of one
        colour.
    """
    from aas_bench.tables.images import one_colour, open_image

    try:
        decoded = open_image(image)
    except (InputError, OSError) as error:
        return [*[BadImage(reason=one_line(error))] * len(models), False]
    made = (None if model is None else _preprocess(model, decoded) for model in models)
    return [*made, one_colour(decoded)]


def _preprocess(model: RewardModel, image: Image.Image) -> Any:
    try:
        return model.preprocess(image)
    except (InputError, OSError, ValueError, MemoryError) as error:
        return BadImage(reason=f"{model.name}: {one_line(error)}")
    except AasBenchError:
        raise
    except (Exception, SystemExit) as error:
        raise _raised(model, "preprocess", error) from error


def call(model: RewardModel, method: str, *given: Any) -> Any:
    """What a method of a reward model returns; foreign code may raise anything.

    Raises:
        InputError: It raised an error; that memory ran out is left as it is.
    """
    try:
        return getattr(model, method)(*given)
    except AasBenchError:
        raise
    except (Exception, SystemExit) as error:
        if is_out_of_memory(error):
            raise
        n_items = len(given[0]) if given and isinstance(given[0], list) else 1
        raise _raised(model, method, error, n_items=n_items) from error


def _raised(
    model: RewardModel, method: str, error: BaseException, *, n_items: int = 1
) -> InputError:
    msg = f"reward model {model.name!r}: {method} raised {type(error).__name__} ("
    msg += f"{one_line(error):.200}). Mend it, or try it by itself"
    if n_items > 1:
        msg += f"; if {n_items} at once are too many, give batch_size=1 (--batch-size 1)"
    return InputError(f"{msg}.")


def described(model: RewardModel) -> dict[str, Any]:
    """What a reward model says that its scores depend on, as it is stored.

    Raises:
        InputError: It is no JSON.
    """
    told = call(model, "describe")
    try:
        found: dict[str, Any] = json.loads(json_bytes(told))
    except InputError as error:
        msg = f"the description of reward model {model.name!r} {error}"
        raise InputError(msg) from error
    return found


def one_line(error: BaseException) -> str:
    """An error's text without line breaks; its class where it has none."""
    return " ".join(str(error).split()) or type(error).__name__


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that host or accelerator memory ran out."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return any(words in str(error).lower() for words in _OUT_OF_MEMORY)


def n_bytes(feature: Any) -> int:
    """About how much memory a feature holds: arrays, tensors, images, and containers of them."""
    if feature is None:
        return 0
    if isinstance(feature, Image.Image):
        return feature.width * feature.height * len(feature.getbands())
    size = getattr(feature, "nbytes", None)
    if isinstance(size, int):
        return size
    return sys.getsizeof(feature) + sum(map(n_bytes, _parts_of(feature)))


def _parts_of(feature: Any) -> Iterator[Any]:
    if isinstance(feature, Mapping):
        yield from feature.values()
    elif isinstance(feature, (list, tuple)):
        yield from feature
    elif is_dataclass(feature):
        yield from vars(feature).values()


def _release_memory() -> None:
    """Give cached blocks of the accelerator back, where torch is in use."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
