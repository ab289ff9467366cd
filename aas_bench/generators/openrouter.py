"""Images from chat models on OpenRouter, through the OpenAI SDK."""

from __future__ import annotations

from typing import Any

from aas_bench.generators.base import Request
from aas_bench.generators.remote import RemoteGenerator
from aas_bench.service.client import Trace, first_choice, mapping
from aas_bench.service.faults import RefusedError, ServiceError, raise_told


class OpenRouterGenerator(RemoteGenerator):
    """Images in chat completions; the model chooses the size unless the settings write one out.

    The setting `options.prompt_prefix` goes before every prompt. A seed is sent; OpenRouter
    ignores it for models that take none.
    """

    service = "openrouter"
    reserved = frozenset({"model", "messages", "n", "stream", "seed", "usage", "user"})
    seed_supported = True
    packages = ("openai", "pillow")

    def _ask(self, request: Request, trace: Trace) -> bytes:
        wanted = dict(request.settings.options)
        prompt = f"{wanted.pop('prompt_prefix', '')}{request.prompt}"
        body = self.client.answer(
            lambda: self.client.sdk.chat.completions.with_raw_response.create(
                model=self.model,
                messages=[{"role": "user", "content": prompt}],
                seed=self._seed(request),
                extra_body={**wanted, "usage": {"include": True}},
            ),
            trace,
        )
        trace.pay(mapping(body.get("usage")).get("cost"))
        choice = first_choice(body)
        trace.provenance |= {
            name: source.get(name)
            for source, names in (
                (body, ("id", "model", "provider")),
                (choice, ("finish_reason", "native_finish_reason")),
            )
            for name in names
            if isinstance(source.get(name), str)
        }
        raise_told(body, choice)
        return self._picture(choice, trace)

    def _picture(self, choice: dict[str, Any], trace: Trace) -> bytes:
        """The first picture of a message; a message without one is a refusal or a failure."""
        message = mapping(choice.get("message"))
        images = message.get("images")
        urls = [
            mapping(mapping(image).get("image_url")).get("url")
            for image in (images if isinstance(images, list) else [])
        ]
        if urls and isinstance(urls[0], str):
            trace.provenance["n_images"] = len(urls)
            return self.client.picture(urls[0])
        finish = choice.get("finish_reason")
        words = _text(message.get("refusal")) or _text(message.get("content"))
        if finish == "content_filter":
            reason = choice.get("native_finish_reason") or finish
            raise RefusedError(words or f"no picture, finish reason {reason}")
        if words and finish != "length":
            raise RefusedError(words)
        msg = "the answer holds neither a picture nor a refusal. Try again."
        raise ServiceError(msg, retryable=True)


def _text(content: object) -> str:
    """Words of a message: plain, or in parts."""
    parts = content if isinstance(content, list) else [{"text": content}]
    texts = [mapping(part).get("text") for part in parts]
    return " ".join(text for text in texts if isinstance(text, str)).strip()
