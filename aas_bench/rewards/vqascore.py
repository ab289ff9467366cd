"""VQAScore: how probable CLIP-FlanT5 finds it to say "Yes, this figure shows the prompt"."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from tokenizers import Tokenizer
from torch import nn
from transformers import CLIPVisionConfig, CLIPVisionModel, T5Config
from transformers.models.t5.modeling_t5 import T5Stack

from aas_bench.errors import InputError
from aas_bench.rewards.aesthetic import linear_layers
from aas_bench.rewards.base import RewardModel, Scores
from aas_bench.rewards.facts import Local, RewardRow, Sizes, Weights
from aas_bench.rewards.fetch import companion, obtain_folder, weights_in
from aas_bench.rewards.pixels import CLIP_MEAN, ImageTransform
from aas_bench.rewards.tokens import Ids
from aas_bench.rewards.weights import StateDict, fill, read, renamed, torch_dtype, unfilled

BEFORE: Final = (
    "A chat between a curious user and an artificial intelligence assistant. The assistant gives "
    "helpful, detailed, and polite answers to the user's questions. USER: "
)
QUESTION: Final = '\nDoes this figure show "{}"? Please answer yes or no. ASSISTANT: '
ANSWER: Final = "Yes"
LIMIT: Final = 2048

CLIP_336 = Weights(
    repo="openai/clip-vit-large-patch14-336",
    revision="ce19dc912ca5cd21c8a653c79e251e808ccabcd1",
    file="pytorch_model.bin",
    size=1_710_000_000,
)
FLAN_T5 = Weights(
    repo="google/flan-t5-xxl",
    revision="ae7c9136adc7555eeccc78cdd960dfd60fb346ce",
    file="tokenizer.json",
    size=2_420_000,
)
FILES = ("*.json", "*.safetensors", "pytorch_model*.bin")
XXL: dict[str, Any] = {
    "text_config": {
        "d_model": 4096,
        "d_kv": 64,
        "d_ff": 10240,
        "num_layers": 24,
        "num_heads": 64,
        "feed_forward_proj": "gated-gelu",
        "tie_word_embeddings": False,
    },
    "vision_config": {
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "image_size": 336,
        "patch_size": 14,
        "hidden_act": "quick_gelu",
    },
}
# the checkpoint keeps the one table of words under several names
ALIASES = (r"(encoder\.|decoder\.)?embed_tokens\.weight",)


class ClipT5(nn.Module):  # type: ignore[misc]  # torch is untyped to mypy here
    """FLAN-T5 whose encoder reads an image's patches between words."""

    def __init__(self, text: T5Config, vision_width: int) -> None:
        super().__init__()
        self.shared = nn.Embedding(text.vocab_size, text.d_model)
        self.encoder = T5Stack(_stack(text, is_decoder=False))
        self.decoder = T5Stack(_stack(text, is_decoder=True))
        self.encoder.embed_tokens = self.decoder.embed_tokens = None
        self.lm_head = nn.Linear(text.d_model, text.vocab_size, bias=False)
        self.mm_projector = linear_layers((vision_width, *[text.d_model] * 2), between=nn.GELU)


def _stack(text: T5Config, *, is_decoder: bool) -> T5Config:
    told = text.to_dict() | {"is_decoder": is_decoder, "is_encoder_decoder": False}
    told["use_cache"] = False
    if is_decoder:
        told["num_layers"] = text.num_decoder_layers
    return T5Config(**told)


class VqaScore(RewardModel):
    """Geometric mean of the probabilities of "Yes" and of the end of the answer.

    Args:
        name: The name of its scores.
        model: Encoder, decoder and projector.
        tower: CLIP's vision tower; its last layer but one is read.
        encode: Text -> ids of FLAN-T5, an end-of-text behind them.
        words: How many ids the tokenizer has; more rows of the table have no part in the score.
        device: Where the model is.
        identity: Of the weights, for the description.
    """

    batch_size = 8
    n_placebos = 1

    def __init__(
        self,
        *,
        name: str,
        model: ClipT5,
        tower: Any,
        encode: Callable[[str], Ids],
        words: int,
        device: str,
        identity: dict[str, Any],
    ) -> None:
        self.name = name
        self._model, self._tower, self._encode = model, tower, encode
        self._words, self._device, self._identity = words, device, identity
        self._dtype = model.shared.weight.dtype
        self._head, self._answer = encode(BEFORE), encode(ANSWER)
        self._transform = ImageTransform(size=tower.config.image_size, fit="crop-floor")

    def preprocess(self, image: Image.Image) -> torch.Tensor:
        """Pixels (3, size, size) of the image on a square of the mean colour."""
        return self._transform(squared(image))

    def encode_images(self, images: Sequence[torch.Tensor]) -> Sequence[torch.Tensor]:
        """Projected patches (n_patches, width) of each image, on the device."""
        with torch.inference_mode():
            pixels = torch.stack(list(images)).to(self._device, self._dtype)
            states = self._tower(pixel_values=pixels, output_hidden_states=True).hidden_states
            return list(self._model.mm_projector(states[-2][:, 1:]))

    def encode_prompts(self, prompts: Sequence[str]) -> Sequence[Ids]:
        """Ids of the question behind the image."""
        return [self._encode(QUESTION.format(prompt))[: self._room] for prompt in prompts]

    def combine(self, images: Sequence[torch.Tensor], prompts: Sequence[Ids]) -> Scores:
        """Read words, patches and question; exp of the mean log-probability of the answer."""
        with torch.inference_mode():
            rows = [
                torch.cat((self._embedded(self._head), patches, self._embedded(question)))
                for patches, question in zip(images, prompts, strict=True)
            ]
            lengths = torch.tensor([len(row) for row in rows], device=self._device)
            padded = nn.utils.rnn.pad_sequence(rows, batch_first=True)
            mask = torch.arange(padded.shape[1], device=self._device) < lengths[:, None]
            read = self._model.encoder(inputs_embeds=padded, attention_mask=mask.long())
            answer = torch.tensor(self._answer, device=self._device).expand(len(rows), -1)
            start = torch.zeros_like(answer[:, :1])  # T5 begins an answer with its padding
            said = self._model.decoder(
                inputs_embeds=self._model.shared(torch.cat((start, answer[:, :-1]), dim=1)),
                encoder_hidden_states=read.last_hidden_state,
                encoder_attention_mask=mask.long(),
            ).last_hidden_state
            logits = self._model.lm_head(said)[..., : self._words].float()
            each = logits.log_softmax(dim=-1).gather(-1, answer[..., None])[..., 0]
            scores: Scores = each.double().mean(dim=-1).exp().cpu().numpy()
        return scores

    def prompt_lengths(self, prompts: Sequence[str]) -> NDArray[np.int64]:
        """Ids of each question."""
        return np.array([len(ids) for ids in self.encode_prompts(prompts)], dtype=np.int64)

    def truncated(self, prompts: Sequence[str]) -> NDArray[np.bool_]:
        """Whether a question is longer than the official code reads."""
        questions = (self._encode(QUESTION.format(prompt)) for prompt in prompts)
        return np.array([len(ids) > self._room for ids in questions], dtype=bool)

    def describe(self) -> dict[str, Any]:
        """Weights, number format, image processing, question and answer."""
        return {
            "name": self.name,
            "weights": self._identity,
            "dtype": str(self._dtype).removeprefix("torch."),
            "device": torch.device(self._device).type,
            "image": {**self._transform.describe(), "background": list(BACKGROUND)},
            "text": {"chat": [BEFORE, QUESTION, ANSWER], "limit": LIMIT},
        }

    @property
    def _room(self) -> int:
        """Ids for the question; the image counts as one."""
        return LIMIT - len(self._head) - 1

    def _embedded(self, ids: Ids) -> torch.Tensor:
        embedded: torch.Tensor = self._model.shared(torch.tensor(ids, device=self._device))
        return embedded


BACKGROUND: Final = tuple(int(255 * channel) for channel in CLIP_MEAN)


def squared(image: Image.Image) -> Image.Image:
    """The image in the middle of a square of CLIP's mean colour, odd margins rounded down."""
    width, height = image.size
    side = max(width, height)
    square = Image.new("RGB", (side, side), BACKGROUND)
    square.paste(image, ((side - width) // 2, (side - height) // 2))
    return square


def load(
    row: RewardRow, *, device: str, dtype: str, weights: Local, architecture: Sizes = XXL
) -> VqaScore:
    """VQAScore (Lin et al., ECCV 2024) with CLIP-FlanT5-XXL.

    Args:
        row: The row of the catalogue.
        device: Where it runs.
        dtype: Of the weights in use.
        weights: A local folder with the checkpoint (with FLAN-T5's `tokenizer.json` beside it, or
            that comes from the Hub); None: the official one.
        architecture: "text_config" in the words of transformers' T5Config, "vision_config" in
            those of CLIPVisionConfig.
    """
    assert row.weights is not None
    assert row.weights.repo is not None
    files = obtain_folder(
        row.weights.repo,
        revision=row.weights.revision,
        patterns=FILES,
        local=weights,
        name=row.name,
    )
    path = weights_in(files.path, row.weights.file)
    state = read(path)
    if "shared.weight" not in state:
        msg = f"{path} has no shared.weight, so no T5 in it. Give a checkpoint of CLIP-FlanT5."
        raise InputError(msg)
    vocabulary = companion(FLAN_T5, local=weights)
    tokenizer = Tokenizer.from_file(str(vocabulary.path))
    identity = {**files.identity, "tokenizer": vocabulary.identity}
    seen, origin = _vision_side(state), path
    if not seen:  # the tower is CLIP's own, so that a checkpoint may do without it
        of_clip = companion(CLIP_336, local=None)
        seen, origin = read(of_clip.path), of_clip.path
        seen = {name: tensor for name, tensor in seen.items() if name.startswith("vision_model.")}
        identity["clip"] = of_clip.identity
    text = T5Config(**architecture["text_config"], vocab_size=state["shared.weight"].shape[0])
    with unfilled():
        tower = CLIPVisionModel(CLIPVisionConfig(**architecture["vision_config"]))
        model = ClipT5(text, tower.config.hidden_size)
    if not any(name.startswith("vision_model.") for name in tower.state_dict()):
        seen = renamed(seen, {r"vision_model\.": ""})
    placed: dict[str, Any] = {"device": device, "dtype": torch_dtype(dtype)}
    fill(tower, seen, origin=origin, ignore=(r".*position_ids",), **placed)
    fill(model, state, origin=path, ignore=ALIASES, **placed)

    def encode(words: str) -> Ids:
        ids: Ids = tokenizer.encode(words).ids
        return ids

    return VqaScore(
        name=row.name,
        model=model,
        tower=tower,
        encode=encode,
        words=tokenizer.get_vocab_size(),
        device=device,
        identity=identity,
    )


def _vision_side(state: StateDict) -> StateDict:
    """The vision tower's tensors, taken out of `state`."""
    names = [name for name in state if name.startswith("vision_tower.")]
    return {name.removeprefix("vision_tower.vision_tower."): state.pop(name) for name in names}
