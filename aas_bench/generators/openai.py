"""OpenAI's image API, through its own SDK."""

from __future__ import annotations

from aas_bench.generators.base import Request
from aas_bench.generators.remote import RemoteGenerator
from aas_bench.service.client import Trace
from aas_bench.service.faults import ServiceError
from aas_bench.service.transfer import decode_picture


class OpenAIGenerator(RemoteGenerator):
    """Images from `images.generate`, which takes no seed and states no cost."""

    service = "openai"
    reserved = frozenset({"model", "prompt", "n", "stream", "seed", "user"})
    packages = ("openai", "pillow")

    def _ask(self, request: Request, trace: Trace) -> bytes:
        wanted = dict(request.settings.options)
        if request.settings.written_size is not None:
            wanted.setdefault("size", "{}x{}".format(*request.settings.size))
        body = self.client.answer(
            lambda: self.client.sdk.images.with_raw_response.generate(
                model=self.model, prompt=request.prompt, n=1, extra_body=wanted
            ),
            trace,
        )
        data = body.get("data")
        item = data[0] if isinstance(data, list) and data else None
        if not isinstance(item, dict):
            msg = "the answer holds no picture. Try again later."
            raise ServiceError(msg, retryable=True)
        trace.provenance["revised_prompt"] = item.get("revised_prompt")
        if isinstance(encoded := item.get("b64_json"), str):
            return decode_picture(encoded, self.options.limits)
        if isinstance(url := item.get("url"), str):
            return self.client.picture(url)
        msg = "the answer holds neither b64_json nor url. Update the openai package."
        raise ServiceError(msg)
