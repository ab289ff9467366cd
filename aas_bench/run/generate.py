"""Make both images of every prompt with one generator; killed at any instant, it can go on.

Batches follow from the prompts alone. A batch of which a part is missing is made again whole,
where the generator computes its members together, and only what was missing is stored: a
continued run therefore ends with the same bytes as an unbroken one.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aas_bench.errors import BackendError, InputError, StoreError
from aas_bench.files import json_bytes, json_value
from aas_bench.generators.base import Generator, Outcome, Request
from aas_bench.generators.catalog import BACKENDS
from aas_bench.generators.load import load_generator
from aas_bench.generators.settings import VARIANTS, Variant
from aas_bench.generators.spec import Submission, require_runnable
from aas_bench.run.directory import MANIFEST, Round, RunDirectory, open_run, refuse_other
from aas_bench.run.generate_parts import GenerateJob, Made, ToldGenerator
from aas_bench.run.made_images import MEASURED, ImageStore, png
from aas_bench.run.pool import Engine
from aas_bench.run.progress import progress_bar
from aas_bench.run.prompts import Prompt, Prompts
from aas_bench.run.seeds import describe_seeds, require_seeds, seed_pair, seed_settings
from aas_bench.service.access import SERVICES
from aas_bench.tables.schema import (
    DIMENSIONS,
    IMAGE_DISTORTED,
    IMAGE_ORIGINAL,
    INDEX,
    LABEL,
    MODEL,
    PAIR_ID,
    PROMPT_DISTORTED,
    PROMPT_ORIGINAL,
    Label,
    pair_features,
    pair_name,
)

if TYPE_CHECKING:
    from datasets import Dataset

GENERATOR: Final = "generator.json"
_MOST_REASONS: Final = 10
_MOST_FAILED: Final = 8
"""So many images are asked of a service that has not made one that can be used; then no more."""


@dataclass(frozen=True, kw_only=True)
class Generated:
    """What one submission made.

    Attributes:
        submission: The submission.
        preset: The preset in use.
        prompts: What it was asked.
        seed: The seed of the run.
        path: Its run directory.
        variants: Which images were asked for: both, or the distorted ones from seed images.
        records: The record of every image, by index and variant.
        generator: The generator's own description.
    """

    submission: Submission
    preset: str
    prompts: Prompts
    seed: int
    path: Path
    variants: tuple[Variant, ...]
    records: Mapping[tuple[int, Variant], Mapping[str, Any]]
    generator: Mapping[str, Any]

    def image_path(self, index: int, variant: Variant) -> Path | None:
        """The image's file; None where it was not made."""
        made = self.records[index, variant]["status"] == "ok"
        return ImageStore(self.path).image_path(index, variant) if made else None

    def complete(self) -> list[int]:
        """Positions of the prompts whose images were all made."""
        return [
            position
            for position, prompt in enumerate(self.prompts.prompts)
            if all(self.records[prompt.index, v]["status"] == "ok" for v in self.variants)
        ]

    def coverage(self) -> dict[str, Any]:
        """Complete pairs, and by variant what was made, refused or failed and why: JSON values."""
        by_variant: dict[str, Any] = {v: self._coverage_of(v) for v in self.variants}
        return {
            "n_prompts": len(self.prompts.prompts),
            "n_complete": len(self.complete()),
            **by_variant,
        }

    def _coverage_of(self, variant: Variant) -> dict[str, Any]:
        records = [self.records[p.index, variant] for p in self.prompts.prompts]
        status = Counter(record["status"] for record in records)
        reasons = Counter(
            f"{record['status']}: {record['reason']}" for record in records if record["reason"]
        )
        return {
            "made": status["ok"],
            "refused": status["refused"],
            "failed": status["failed"],
            "reasons": dict(reasons.most_common(_MOST_REASONS)),
        }

    def measured(self) -> dict[str, Any]:
        """Seconds and US dollars over all images; None where no service told a price."""
        each = [record[MEASURED] for record in self.records.values()]
        costs = [m["cost_usd"] for m in each if m["cost_usd"] is not None]
        return {
            "latency_seconds": sum(m["latency_seconds"] for m in each),
            "cost_usd": sum(costs) if costs else None,
        }

    def pairs(self) -> Dataset:
        """The pair table; an image that was not made is null, and its scores will be missing."""
        from datasets import Dataset, Features, Value

        rows = [self._pair(prompt) for prompt in self.prompts.prompts]
        features = Features({**pair_features(), "prompt_index": Value("int64")})
        return Dataset.from_list(rows, features=features)

    def _pair(self, prompt: Prompt) -> dict[str, Any]:
        paths = {variant: self.image_path(prompt.index, variant) for variant in VARIANTS}
        images = {v: None if p is None else {"path": str(p)} for v, p in paths.items()}
        return {
            PAIR_ID: pair_name(self.submission.id, prompt.index),
            INDEX: prompt.cluster,
            MODEL: self.submission.name,
            IMAGE_ORIGINAL: images["original"],
            IMAGE_DISTORTED: images["distorted"],
            PROMPT_ORIGINAL: prompt.original,
            PROMPT_DISTORTED: prompt.distorted,
            DIMENSIONS: list(prompt.dimensions),
            LABEL: int(Label.TIE),
            "prompt_index": prompt.index,
        }


def generate(
    submission: Submission,
    prompts: Prompts,
    *,
    out: str | os.PathLike[str],
    preset: str = "default",
    seed: int = 0,
    seed_images: bool = False,
    batch_size: int | None = None,
    device: str | None = None,
    compile: bool = False,
    offload: bool = False,
    concurrency: int | None = None,
    retry_failed: bool = False,
    progress: bool = True,
    engine: Engine | None = None,
) -> Generated:
    """Make the images of one submission, or go on where an earlier call stopped.

    The generator is loaded only where an image is missing. With more prompts a run grows: no
    image is made or paid for twice, but weights compute a batch whole of which some are missing.

    Args:
        submission: A runnable submission.
        prompts: What to ask for.
        out: Its run directory: `images/`, `records/`, `generator.json`, `manifest.json`.
        preset: "default", or one of the submission's presets.
        seed: With the index of a prompt it fixes the starting noise of both images.
        seed_images: Image-to-image mode: one image per prompt, from a built-in photograph with
            the effect that the prompt asks for.
        batch_size: Images at once; None: the generator's own.
        device: Where weights run; None: CUDA where there is one.
        compile: Compile the denoiser of weights; changes low bits and repays long runs.
        offload: Keep the parts of weights in main memory until needed; slower, less device memory.
        concurrency: Requests to a service at once; None: the backend's own.
        retry_failed: Ask again for what failed; what was refused stays refused.
        progress: Show rate and remaining time, where stderr is a terminal.
        engine: Workers that load the weights and make batches of images, `Devices("0,1")` or
            `RayCluster()`; None: this process.

    Raises:
        InputError: `out` is in the way, or seed images are wanted for prompts without any.
        SpecError: A revision of the submission is pending.
        UnknownNameError: It has no such preset.
        StoreError: `out` is in use, or was made by another submission, preset, seed or generator,
            or holds images of prompts that are not given or have changed.
        BackendError: The weights cannot be loaded.
    """
    _check(submission, prompts, batch_size=batch_size, seed_images=seed_images)
    if engine is not None and not BACKENDS[submission.backend].weights:
        msg = f"{submission.id} loads no weights, which several workers would share out. "
        raise InputError(f"{msg}Leave --devices and --engine out.")
    with _opened(
        submission,
        prompts,
        out=Path(out),
        preset=preset,
        seed=seed,
        seed_images=seed_images,
        retry_failed=retry_failed,
    ) as work:
        run = work.run
        options = {
            "batch_size": batch_size,
            "device": device,
            "compile": compile or None,
            "offload": offload or None,
            "concurrency": concurrency,
        }
        records = work.finish(options, engine, shown=progress)
        generator = _stored_description(run.path)
    return Generated(
        submission=submission,
        preset=preset,
        prompts=prompts,
        seed=seed,
        path=run.path,
        variants=work.variants,
        records=records,
        generator=generator,
    )


@dataclass(frozen=True, kw_only=True)
class Remade:
    """An image of a run made once more.

    Attributes:
        index: The prompt.
        variant: Which of its two images.
        before: What stands in the run: "ok", "refused", "failed", or "absent".
        now: What became of it this time.
        equal: Whether both are one image, bit for bit.
        replaced: Whether the new one was stored in its place.
    """

    index: int
    variant: Variant
    before: str
    now: str
    equal: bool
    replaced: bool

    def __str__(self) -> str:
        told = "equal" if self.equal else f"differs ({self.before} before, {self.now} now)"
        kept = "" if self.equal else "; replaced" if self.replaced else "; the old one is kept"
        return f"{self.index} {self.variant}: {told}{kept}"


def remake(
    submission: Submission,
    prompts: Prompts,
    index: int,
    *,
    out: str | os.PathLike[str],
    preset: str = "default",
    seed: int = 0,
    seed_images: bool = False,
    replace: bool = False,
    **options: Any,
) -> list[Remade]:
    """Make the images of one prompt of a run once more, and compare them with those it holds.

    Weights compute the whole batch of the prompt, as the run did; a service is asked, and paid, for
    the images of this prompt alone.

    Args:
        submission: That of the run.
        prompts: Those of the run.
        index: Which of them, by its index.
        out: The run directory.
        preset: That of the run.
        seed: That of the run.
        seed_images: Whether the run is image-to-image.
        replace: Store what differs in place of what is there.
        options: How to run it, as of `generate`: batch_size, device and so on.

    Raises:
        InputError: There is no such run, or no such prompt.
        StoreError: The run was made by another configuration.
    """
    root = Path(out)
    _check(submission, prompts, batch_size=options.get("batch_size"), seed_images=seed_images)
    if not (root / MANIFEST).exists():
        msg = f"{root} holds no run. Make one first, by the same command without --only."
        raise InputError(msg)
    if str(index) not in prompts.by_index:
        known = [prompt.index for prompt in prompts.prompts]
        msg = f"no prompt has the index {index}. The {len(known):,} given have {known[0]} to "
        raise InputError(f"{msg}{known[-1]}.")
    with _opened(
        submission,
        prompts,
        out=root,
        preset=preset,
        seed=seed,
        seed_images=seed_images,
        grows=False,
    ) as work:
        return list(work.remake(index, options, replace=replace))


def _check(
    submission: Submission, prompts: Prompts, *, batch_size: int | None, seed_images: bool
) -> None:
    require_runnable(submission)
    if batch_size is not None and batch_size < 1:
        msg = f"batch_size is {batch_size}. Give at least 1, or None for the generator's own."
        raise InputError(msg)
    if seed_images:
        require_seeds(prompts)


@contextmanager
def _opened(
    submission: Submission,
    prompts: Prompts,
    *,
    out: Path,
    preset: str,
    seed: int,
    seed_images: bool,
    retry_failed: bool = False,
    grows: bool = True,
) -> Iterator[_Work]:
    """The run directory of a submission, with what is to be done in it."""
    spec = {
        "submission": submission.identity(preset),
        "prompts": {
            "n": len(prompts.prompts),
            "sha256": prompts.sha256,
            "by_index": prompts.by_index,
        },
        "seed": seed,
        "seed_images": describe_seeds() if seed_images else None,
    }
    spec = json.loads(json_bytes(spec))

    def grow(root: Path, rounds: Sequence[Round]) -> None:
        _check_growth(root, rounds[-1].spec, spec, prompts)

    with open_run(out, kind="images", spec=spec, grow=grow if grows else None) as run:
        yield _Work(
            run=run,
            store=ImageStore(run.path),
            submission=submission,
            preset=preset,
            prompts=prompts,
            seed=seed,
            variants=("distorted",) if seed_images else VARIANTS,
            seed_images=seed_images,
            retry_failed=retry_failed,
        )


def _check_growth(
    root: Path, there: Mapping[str, Any], now: Mapping[str, Any], prompts: Prompts
) -> None:
    """Let a run go on with more prompts; of those it has images of, none may have changed."""
    if {**there, "prompts": None} != {**now, "prompts": None}:
        refuse_other(root, {**there, "prompts": None}, {**now, "prompts": None})
    before, after = there["prompts"].get("by_index"), now["prompts"]["by_index"]
    store = ImageStore(root)
    made = store.indices()
    if lost := [index for index in made if str(index) not in after]:
        msg = (
            f"{root} holds images of {len(made):,} prompts, of which {len(lost):,} are not among "
            f"those given (first {lost[0]}). Give them too, or give another directory."
        )
        raise StoreError(msg)
    if before is None:  # an older run, which told of its prompts in the records alone
        asked = {(p.index, v): p.asked(v) for p in prompts.prompts for v in VARIANTS}
        changed = [
            index
            for index in made
            for v in VARIANTS
            if (prompt := store.prompt(index, v)) is not None and prompt != asked[index, v]
        ]
    else:
        changed = [index for index in made if before.get(str(index)) != after[str(index)]]
    if changed:
        msg = (
            f"{root} holds images of prompts that have changed since: {len(changed):,}, first "
            f"index {changed[0]}. Give them another index, or give another directory."
        )
        raise StoreError(msg)


@dataclass(frozen=True, kw_only=True)
class _Work:
    """What `generate` was asked for, and where it goes."""

    run: RunDirectory
    store: ImageStore
    submission: Submission
    preset: str
    prompts: Prompts
    seed: int
    variants: tuple[Variant, ...]
    seed_images: bool
    retry_failed: bool

    def finish(
        self, options: Mapping[str, Any], engine: Engine | None, *, shown: bool
    ) -> dict[tuple[int, Variant], dict[str, Any]]:
        """Make what is missing; the records of all images."""
        keys = [
            (prompt.index, variant) for prompt in self.prompts.prompts for variant in self.variants
        ]
        found = {key: self.store.record(*key) for key in keys}
        missing = {key for key, record in found.items() if self._is_missing(record)}
        with progress_bar(
            self.submission.id, unit="images", total=len(keys), shown=shown
        ) as advance:
            advance(len(keys) - len(missing))
            if missing or not (self.run.path / GENERATOR).exists():
                load = partial(_load, self.submission, self.preset, self._options(options))
                for n_stored in self._made(load, engine, missing, found):
                    advance(n_stored)
        return {key: self._stored(*key) for key in keys}

    def remake(self, index: int, options: Mapping[str, Any], *, replace: bool) -> Iterator[Remade]:
        """Make the images of one prompt again, in the batches of the run."""
        generator = load_generator(self.submission, preset=self.preset, **self._options(options))
        try:
            self._remember(generator)
            wanted = {(index, variant) for variant in self.variants}
            for requests in self._pieces(generator, wanted):
                for request, outcome in zip(requests, generator.generate(requests), strict=True):
                    if request.index == index:
                        yield self._compared(request, outcome, replace=replace)
        finally:
            generator.close()

    def _compared(self, request: Request, outcome: Outcome, *, replace: bool) -> Remade:
        stored = self.store.record(request.index, request.variant)
        before = "absent" if stored is None else str(stored["status"])
        now = None if outcome.image is None else hashlib.sha256(png(outcome.image)).hexdigest()
        equal = before == outcome.status and stored is not None and stored["sha256"] == now
        replaced = replace and not equal and outcome.image is not None
        if replaced:
            self.store.put(request, outcome, earlier=None)
        return Remade(
            index=request.index,
            variant=request.variant,
            before=before,
            now=outcome.status,
            equal=equal,
            replaced=replaced,
        )

    def _is_missing(self, record: dict[str, Any] | None) -> bool:
        return record is None or (self.retry_failed and record["status"] == "failed")

    def _options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options that were given and that the backend takes."""
        takes = BACKENDS[self.submission.backend].options
        return {n: value for n, value in options.items() if n in takes and value is not None}

    @property
    def _weights(self) -> bool:
        return BACKENDS[self.submission.backend].weights

    def _remember(self, generator: Generator) -> None:
        """Store the generator's description, or check that it is the one that is stored."""
        now = json.loads(json_bytes(generator.describe()))
        file = self.run.path / GENERATOR
        if not file.exists():
            self.run.write_json(GENERATOR, now)
            return
        there = _stored_description(self.run.path)
        differ = [key for key in sorted(there | now) if there.get(key) != now.get(key)]
        if differ:
            changes = (
                f"{key} was {there.get(key)!r:.80}, is {now.get(key)!r:.80}" for key in differ
            )
            msg = (
                f"{self.run.path} was made by another generator: {'; '.join(changes)}. "
                "Go on as it was begun, or give another directory."
            )
            raise StoreError(msg)

    def _made(
        self,
        load: Callable[..., Generator],
        engine: Engine | None,
        missing: set[tuple[int, Variant]],
        found: Mapping[tuple[int, Variant], dict[str, Any] | None],
    ) -> Iterator[int]:
        """Store what is missing batch by batch; yields how many images each batch stored."""
        there = [each for key, each in found.items() if each is not None and key not in missing]
        fates = [(str(each["status"]), each["reason"]) for each in there]
        with ExitStack() as stack:
            made: Iterable[Made]
            if engine is None:
                generator = load()
                stack.callback(generator.close)
                self._remember(generator)
                pieces = self._pieces(generator, missing)
                if self.submission.backend in SERVICES:
                    pieces = self._worth_buying(pieces, fates)
                made = ((asked, generator.generate(asked)) for asked in pieces)
            else:
                pool = stack.enter_context(engine.open(GenerateJob(load)))
                generator = ToldGenerator(pool)
                self._remember(generator)
                pieces = self._pieces(generator, missing)
                made = pool.results(None, pieces, advance=lambda _: None)
            for requests, outcomes in made:
                n_stored = 0
                for request, outcome in zip(requests, outcomes, strict=True):
                    key = (request.index, request.variant)
                    if key in missing:
                        self.store.put(request, outcome, earlier=found[key])
                        n_stored += 1
                        fates.append((outcome.status, outcome.reason))
                yield n_stored

    def _worth_buying(
        self, pieces: Iterable[list[Request]], fates: Sequence[tuple[str, str | None]]
    ) -> Iterator[list[Request]]:
        """The pieces, as long as a service has not failed without exception before."""
        for piece in pieces:
            if len(fates) >= _MOST_FAILED and all(status == "failed" for status, _ in fates):
                reason = (fates[0][1] or "no reason").rstrip(".")
                msg = (
                    f"{self.submission.id}: the first {len(fates)} images all failed "
                    f"({reason:.200}). Mend that, then go on with retry_failed=True "
                    "(--retry-failed)."
                )
                raise BackendError(msg)
            yield piece

    def _pieces(
        self, generator: Generator, missing: set[tuple[int, Variant]]
    ) -> Iterator[list[Request]]:
        """What is asked for at once: whole batches where their members are computed together."""
        size = generator.image_batch_size if self.seed_images else generator.batch_size
        for batch in self._batches(size):
            if wanted := [key for key in batch if key in missing]:
                asked = list(batch) if self._weights else wanted
                yield [self._request(batch[key], key[1]) for key in asked]

    def _batches(self, size: int) -> Iterator[dict[tuple[int, Variant], Prompt]]:
        """One variant at a time, as a variant shares its settings; pair after pair completes."""
        prompts = self.prompts.prompts
        for start in range(0, len(prompts), size):
            for variant in self.variants:
                yield {(p.index, variant): p for p in prompts[start : start + size]}

    def _request(self, prompt: Prompt, variant: Variant) -> Request:
        settings = self.submission.settings_for(variant, self.preset)
        image = None
        if self.seed_images:
            image = seed_pair(prompt, settings).distorted
            settings = seed_settings(prompt, settings)
        return Request(
            index=prompt.index,
            variant=variant,
            prompt=prompt.asked(variant),
            seed=self.seed,
            settings=settings,
            negative_prompt=prompt.negative,
            image=image,
        )

    def _stored(self, index: int, variant: Variant) -> dict[str, Any]:
        record = self.store.record(index, variant)
        if record is None:
            msg = f"{self.store.image_path(index, variant)} is damaged. Run again to remake it."
            raise StoreError(msg)
        return record


def _load(
    submission: Submission, preset: str, options: Mapping[str, Any], device: str | None = None
) -> Generator:
    given = dict(options) if device is None else {**options, "device": device}
    return load_generator(submission, preset=preset, **given)


def _stored_description(path: Path) -> dict[str, Any]:
    try:
        description: dict[str, Any] = json_value((path / GENERATOR).read_bytes())
    except ValueError as error:
        msg = f"{path / GENERATOR} is damaged ({error}). Delete {path} and run again."
        raise StoreError(msg) from error
    return description
