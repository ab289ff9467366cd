"""Generators that run weights through diffusers; what differs by class is in `pipelines.py`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from importlib.metadata import version
from typing import Any, Final

import numpy as np
import torch
from PIL import Image

from aas_bench.errors import BackendError, first_line
from aas_bench.files import silence_loggers
from aas_bench.generators import long_prompt, vsf
from aas_bench.generators.base import DEFAULT_STRENGTH, Generator, Outcome, Request, Status
from aas_bench.generators.checkpoints import image_to_image, load_pipeline
from aas_bench.generators.image_checks import accept_image, image_from_pixels
from aas_bench.generators.low_rank import merge_adapters
from aas_bench.generators.noise import draw_noise, noise_generator, noise_seed
from aas_bench.generators.pipelines import Pipeline, latent_shape, pipeline_row
from aas_bench.generators.spec import Submission
from aas_bench.generators.weights_file import obtain_files

_VERSIONED: Final = ("torch", "diffusers", "transformers", "peft")


class DiffusersGenerator(Generator):
    """A loaded pipeline.

    Args:
        submission: What it was loaded from.
        pipe: The pipeline, already where it computes.
        preset: Name of the preset in use.
        batch_size: Images at once; None for the class's own start value.
        execution: How it runs (device, compile, offload) and the hashes of its single weights
            files, for the provenance.
    """

    def __init__(
        self,
        submission: Submission,
        pipe: Any,
        *,
        preset: str,
        batch_size: int | None,
        execution: dict[str, Any],
    ) -> None:
        assert submission.pipeline is not None  # the rules of a submission say so
        self.submission, self.preset, self.execution = submission, preset, execution
        self.row = pipeline_row(submission.pipeline)
        wanted = batch_size or self.row.batch_size
        self.batch_size = min(wanted, self.row.max_batch or wanted)
        self.image_batch_size = min(self.batch_size, self.row.max_image_batch or wanted)
        self._pipe = pipe
        self._image_pipe = image_to_image(pipe, self.row.image_to_image)

    def generate(self, requests: Sequence[Request]) -> list[Outcome]:
        """One outcome per request, in order; a batch shares its settings."""
        outcomes: dict[int, Outcome] = {}
        with silence_loggers("diffusers", "transformers"):  # the provenance tells of cut prompts
            for batch in self._batches(requests):
                made = self._make([requests[i] for i in batch])
                outcomes.update(zip(batch, made, strict=True))
        return [outcomes[i] for i in range(len(requests))]

    def describe(self) -> dict[str, Any]:
        """The submission's identity, how it runs, library versions, what a class decided itself."""
        own = {name: value for name, value in self.row.options.items() if _is_told(value)}
        return {
            **self.submission.identity(self.preset),
            **({"class_defaults": own} if self.row.general else {}),
            "batch_size": self.batch_size,
            "versions": {name: version(name) for name in _VERSIONED},
            **self.execution,
        }

    def close(self) -> None:
        """Drop the weights and give cached device memory back."""
        self._pipe = self._image_pipe = None
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _batches(self, requests: Sequence[Request]) -> Iterator[list[int]]:
        """Positions of requests that may share a call, in order of their first."""
        groups: dict[Any, list[int]] = {}
        for i, request in enumerate(requests):
            groups.setdefault(self._call_key(i, request), []).append(i)
        for group in groups.values():
            first = requests[group[0]]
            size = self.batch_size if first.image is None else self.image_batch_size
            yield from (group[i : i + size] for i in range(0, len(group), size))

    def _call_key(self, position: int, request: Request) -> tuple[Any, ...]:
        """Equal for requests whose tensors have one shape and one meaning."""
        settings = request.settings
        chunks = long_prompt.count_chunks(self._pipe, request.prompt) if settings.long_prompt else 0
        alone = position if settings.vsf else None  # negative prompts differ in length
        return settings.model_dump_json(), request.image is not None, chunks, alone

    def _make(self, batch: list[Request]) -> list[Outcome]:
        start = time.perf_counter()
        pixels: Sequence[Any]
        try:
            pixels, fault = self._call(batch), None
        except (RuntimeError, ValueError, IndexError, BackendError) as error:
            if len(batch) > 1:  # one prompt must not take its batch mates down
                return [outcome for request in batch for outcome in self._make([request])]
            pixels, fault = [None], f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"
        latency = (time.perf_counter() - start) / len(batch)
        outcomes = []
        for request, each in zip(batch, pixels, strict=True):
            provenance = {**self._provenance(request), "batch": len(batch)}
            outcomes.append(_outcome(request, each, fault, latency, provenance))
        return outcomes

    def _provenance(self, request: Request) -> dict[str, Any]:
        settings = request.settings
        noised = request.image is not None and self.row.takes_strength
        from_class = noised or self.row.layout == "own"
        found: dict[str, Any] = {
            "seed": request.seed,
            "noise": "drawn by the class" if from_class else "float32 on the CPU",
        }
        if self.row.tokenizer is not None and not settings.long_prompt:
            tokens = getattr(self._pipe, self.row.tokenizer)(request.prompt).input_ids
            found["prompt_tokens"] = len(tokens)
            found["token_limit"] = settings.max_sequence_length or self.row.token_limit
        return found

    def _call(self, batch: list[Request]) -> Any:
        """Pixels of a batch: floats, shape (batch, height, width, 3), NaN where they went wrong."""
        pipe, start = self._start(batch)
        text, context = self._text(pipe, batch)
        settings = batch[0].settings
        named = self.row.arguments - {"vsf", "long_prompt", "negative_prompt", "options"}
        chosen = {name: getattr(settings, name) for name in named}
        # Some classes seed or use the global generators; whoever runs beside us must not notice.
        with torch.random.fork_rng(), context:
            torch.manual_seed(noise_seed(batch[0].seed, batch[0].index))
            made = pipe(
                num_inference_steps=settings.num_inference_steps,
                generator=[noise_generator(each.seed, each.index) for each in batch],
                output_type="np",
                **{name: value for name, value in chosen.items() if value is not None},
                **text,
                **start,
                **settings.options,
                **self.row.call,
            )
        return _float_pixels(getattr(made, self.row.output), self.row.name)

    def _start(self, batch: list[Request]) -> tuple[Any, dict[str, Any]]:
        """The pipeline to call, and what it starts from: noise, or seed images."""
        settings = batch[0].settings
        size = {"height": settings.height, "width": settings.width}
        if batch[0].image is None and self.row.layout == "own":
            return self._pipe, size
        if batch[0].image is None:
            return self._pipe, {**size, "latents": self._noise(batch)}
        if self._image_pipe is None:
            msg = f"{self.row.name} has no image-to-image class. Leave the seed images out."
            raise BackendError(msg)
        seeds = [
            each.image.convert("RGB").resize(
                (settings.width, settings.height), Image.Resampling.LANCZOS
            )
            for each in batch
            if each.image is not None
        ]
        start = {"image": seeds, **(size if self.row.sized_images else {})}
        if self.row.takes_strength:
            return self._image_pipe, {**start, "strength": settings.strength or DEFAULT_STRENGTH}
        return self._image_pipe, {**start, "latents": self._noise(batch)}

    def _noise(self, batch: list[Request]) -> torch.Tensor:
        denoiser = getattr(self._pipe, str(self.row.denoiser))
        settings, factor = batch[0].settings, self._pipe.vae_scale_factor
        grid = (settings.height // factor, settings.width // factor)
        shape = latent_shape(self.row, denoiser.config.in_channels, *grid)
        noise = torch.stack([draw_noise(shape, each.seed, each.index) for each in batch])
        return noise if self.row.latents_float32 else noise.to(denoiser.dtype)

    def _text(self, pipe: Any, batch: list[Request]) -> tuple[dict[str, Any], Any]:
        """Text arguments, and the context in which they mean what the settings say."""
        settings = batch[0].settings
        # A fresh list: Z-Image writes its chat template into the list it is given.
        prompts = [each.prompt for each in batch]
        if settings.vsf is not None:
            return self._flipped_text(pipe, batch[0])
        if settings.long_prompt:
            return long_prompt.encode(pipe, prompts, settings.negative_prompt), nullcontext()
        text: dict[str, Any] = {"prompt": prompts}
        if settings.negative_prompt is not None:
            text["negative_prompt"] = [settings.negative_prompt] * len(batch)
        return text, nullcontext()

    def _flipped_text(self, pipe: Any, request: Request) -> tuple[dict[str, Any], Any]:
        settings = request.settings
        negative = request.negative_prompt or settings.negative_prompt
        if settings.vsf is None or not negative:
            msg = "value sign flip needs a negative prompt and the request has none."
            raise BackendError(msg)
        max_length = settings.max_sequence_length or 512
        text, n_negative = vsf.encode(pipe, request.prompt, negative, settings.vsf, max_length)
        factor = 2 * pipe.vae_scale_factor
        context = vsf.flipped_values(
            pipe,
            settings.vsf,
            n_text=text["prompt_embeds"].shape[1],
            n_negative=n_negative,
            n_image=settings.height // factor * (settings.width // factor),
        )
        return text, context


def _is_told(default: Any) -> bool:
    """Whether the default of an argument is known and says something."""
    return default is not ... and default is not None


def _float_pixels(images: Any, name: str) -> Any:
    """What a class returned, if it is one picture of floats for each request.

    Raises:
        BackendError: It is not, so that no scale of its values can be taken for granted.
    """
    found = np.asarray(images)
    if found.ndim != 4 or found.shape[-1] != 3 or not np.issubdtype(found.dtype, np.floating):
        msg = f"{name} returned {found.dtype} of shape {found.shape}, not pictures of floats."
        raise BackendError(msg)
    return found


def _outcome(
    request: Request, pixels: Any, fault: str | None, latency: float, provenance: dict[str, Any]
) -> Outcome:
    """An accepted picture, or the reason why there is none."""
    image = None
    if fault is None:
        try:
            image = accept_image(image_from_pixels(pixels), size=request.settings.size)
        except BackendError as error:
            fault = str(error)
    status: Status = "ok" if fault is None else "failed"
    return Outcome(status=status, image=image, reason=fault, latency=latency, provenance=provenance)


def load(
    submission: Submission,
    *,
    preset: str = "default",
    device: str | None = None,
    batch_size: int | None = None,
    compile: bool = False,
    offload: bool = False,
) -> DiffusersGenerator:
    """Load the weights of a submission: safetensors at its revision, no remote code.

    Args:
        submission: A runnable submission of backend diffusers.
        preset: Which preset's precision to load.
        device: A torch device; None for CUDA where there is one, else the CPU.
        batch_size: Images at once; None for the class's own start value.
        compile: Compile the denoiser; changes low bits and repays long runs of one size.
        offload: Keep components in main memory until needed; slower, far less device memory.

    Raises:
        SpecError: The repository holds another pipeline or component than the submission says,
            or an adapter changes nothing.
        BackendError: Something cannot be fetched or loaded, or the device cannot hold it.
    """
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    files = obtain_files(submission)  # all are checked before any is loaded
    replaced = files.get("transformer")
    pipe = load_pipeline(submission, preset, replaced.path if replaced else None)
    assert submission.pipeline is not None  # load_pipeline looked it up
    row = pipeline_row(submission.pipeline)
    if row.denoiser is not None:
        adapters = submission.adapters
        low_rank = [files[f"adapters.{i}"].path for i in range(len(adapters))]
        merge_adapters(pipe, row.denoiser, adapters, low_rank)
    if compile:
        _compile(pipe, row)
    _place(submission, pipe, device, offload=offload)
    pipe.set_progress_bar_config(disable=True)
    execution: dict[str, Any] = {"device": device, "compile": compile, "offload": offload}
    if files:
        execution["sha256"] = {name: file.sha256 for name, file in files.items()}
    return DiffusersGenerator(
        submission, pipe, preset=preset, batch_size=batch_size, execution=execution
    )


def _compile(pipe: Any, row: Pipeline) -> None:
    if row.denoiser is None:
        msg = f"{row.name} has no one denoiser. Leave compile=True (--compile) out."
        raise BackendError(msg)
    denoiser = getattr(pipe, row.denoiser)
    denoiser.compile_repeated_blocks() if row.regional_compile else denoiser.compile()


def _place(submission: Submission, pipe: Any, device: str, *, offload: bool) -> None:
    """Put the weights where they compute."""
    try:
        if offload:
            pipe.enable_model_cpu_offload(device=device)
        else:
            pipe.to(device)
    except (RuntimeError, ValueError) as error:
        reason = first_line(error)
        msg = (
            f"{submission.id}: device {device!r} cannot be used ({reason:.200}). "
            "Give another one, e.g. device=cpu (--device cpu), or use offload=True (--offload)."
        )
        raise BackendError(msg) from error
