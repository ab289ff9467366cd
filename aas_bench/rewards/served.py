"""A reward model that another process serves: `http://HOST:PORT/NAME`."""

from __future__ import annotations

import itertools
import json
import logging
import os
import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

import httpx
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from aas_bench.errors import BackendError, InputError
from aas_bench.rewards.base import RewardModel, Scores
from aas_bench.service.faults import ServiceError, connection_error, error_from_response
from aas_bench.service.transfer import Limits
from aas_bench.tables.images import png_bytes

TOKEN: Final = "AAS_BENCH_TOKEN"  # noqa: S105 - the variable's name
"""Environment variable of the token that a reward server and its clients share."""

KEYS: Final = ("description", "limits", "reads_prompts", "sha256")
"""Of a server's description, what a client needs."""

_log = logging.getLogger(__name__)

_CELLS: Final = 16
_REQUESTS: Final = 4
_FORM_BYTES: Final = 400
_LONGEST_WAIT: Final = 8.0


class RemoteReward(RewardModel):
    """A reward model behind `aas-bench serve`, scored over HTTP.

    Images travel as PNG, so that the server sees the same pixels. What fails on the way, or is put
    off by a busy server, is sent again until `timeout`. Its identity is what the server says of the
    model; an answer of another model raises. Methods may be called from several threads.

    Args:
        url: `http://HOST:PORT/NAME`, or `http://HOST:PORT` where one reward model is served.
        name: The name to store its scores under; None: the server's.
        token: What the server asks for; None: the environment's AAS_BENCH_TOKEN, if any.
        timeout: Seconds until a request is answered, repeats included.

    Raises:
        InputError: The address has another form, or names no reward model of the server.
        BackendError: No reward server answers there, or it does not let us in.

    Example:
        >>> from threading import Thread
        >>> from PIL import Image
        >>> from aas_bench import load_reward
        >>> from aas_bench.serving.server import RewardServer
        >>> server = RewardServer([load_reward("random")], port=0)
        >>> thread = Thread(target=server.run)
        >>> thread.start()
        >>> grey = Image.new("RGB", (8, 8), "grey")
        >>> remote = RemoteReward(server.url)
        >>> bool(remote.score([grey], ["a cat"]) == load_reward("random").score([grey], ["a cat"]))
        True
        >>> server.stop(); thread.join()
    """

    batch_size = _CELLS * _REQUESTS

    def __init__(
        self,
        url: str,
        *,
        name: str | None = None,
        token: str | None = None,
        timeout: float = 300.0,
    ) -> None:
        host, base, name_there = _taken_apart(url)
        secret = token if token is not None else os.environ.get(TOKEN, "").strip()
        if not (secret.isascii() and secret.isprintable()):
            msg = f"the token holds characters that no token has. Correct {TOKEN}."
            raise InputError(msg)
        limits = Limits(timeout=timeout)
        self._timeout = timeout
        self._http = httpx.Client(
            base_url=base,
            headers={"Authorization": f"Bearer {secret}"} if secret else {},
            # A proxy of the environment does not reach this machine's own servers.
            trust_env=host not in ("127.0.0.1", "localhost", "::1"),
            verify=base.startswith("https"),  # where nothing is encrypted, certificates cost time
            **limits.bind(),
        )
        self._pool = ThreadPoolExecutor(_REQUESTS, thread_name_prefix="ask")
        served = name_there or self._only_one(url)
        self._path = "/" + quote(served)
        self._told = self._first(self._path, url, KEYS)
        self._limits: dict[str, int] = self._told["limits"]
        self.name = name or served
        self.reads_prompts = self._told["reads_prompts"]

    def preprocess(self, image: Image.Image) -> bytes:
        """The image as PNG.

        Raises:
            InputError: It has more pixels than the server takes.
        """
        if image.width * image.height > self._limits["pixels"]:
            msg = f"the reward server takes images of at most {self._limits['pixels']:,} pixels."
            raise InputError(f"{msg} Scale it down.")
        return png_bytes(image)

    def encode_images(self, images: Sequence[Any]) -> Sequence[Any]:
        """The files as they are: the server does all the work."""
        return images

    def encode_prompts(self, prompts: Sequence[str]) -> Sequence[Any]:
        """The prompts as they are."""
        return prompts

    def combine(self, images: Sequence[Any], prompts: Sequence[Any]) -> Scores:
        """Ask the server; each distinct image of a request is sent once."""
        parts = self._parts(images)
        answers = self._pool.map(lambda part: self._scores(images[part], prompts[part]), parts)
        return np.array([score for answer in answers for score in answer], dtype=np.float64)

    def truncated(self, prompts: Sequence[str]) -> NDArray[np.bool_]:
        """Whether the served model drops the end of each prompt."""
        return np.array([each for told in self._read(prompts) for each in told["truncated"]], bool)

    def unknown_tokens(self, prompts: Sequence[str]) -> NDArray[np.float64] | None:
        """What share of each prompt the served model's tokenizer does not know, if it has one."""
        found = [told["unknown_tokens"] for told in self._read(prompts)]
        if any(shares is None for shares in found):
            return None
        return np.array([share for shares in found for share in shares], dtype=np.float64)

    def describe(self) -> dict[str, Any]:
        """What the server says of the model, wherever it runs."""
        return {
            "name": self.name,
            "served": self._told["description"],
            "sha256": self._told["sha256"],
        }

    def _read(self, prompts: Sequence[str]) -> list[dict[str, Any]]:
        most = self._limits["cells"]
        parts = [list(prompts[start : start + most]) for start in range(0, len(prompts), most)]
        return [self._asked("POST", self._path, json={"prompts": some}) for some in parts]

    def _parts(self, images: Sequence[bytes]) -> Iterator[slice]:
        """Requests of few cells, none larger than the server takes."""
        start = size = 0
        for i, image in enumerate(images):
            full = i - start == min(_CELLS, self._limits["cells"])
            if i > start and (full or size + len(image) > self._limits["body"] // 2):
                yield slice(start, i)
                start, size = i, 0
            size += len(image) + _FORM_BYTES
        yield slice(start, len(images))

    def _scores(self, images: Sequence[bytes], prompts: Sequence[str]) -> list[float]:
        files, texts = list(dict.fromkeys(images)), list(dict.fromkeys(prompts))
        at = {file: i for i, file in enumerate(files)}
        of = {text: i for i, text in enumerate(texts)}
        cells = [[at[image], of[prompt]] for image, prompt in zip(images, prompts, strict=True)]
        form: list[tuple[str, Any]] = [("images", (str(i), f)) for i, f in enumerate(files)]
        form.append(("request", (None, json.dumps({"prompts": texts, "cells": cells}))))
        answer = self._asked("POST", self._path, files=form)
        if answer["sha256"] != self._told["sha256"]:
            msg = f"the server now answers with another model as {self._path[1:]!r}. Start again."
            raise BackendError(msg)
        scores: list[float] = answer["scores"]
        return scores

    def _only_one(self, url: str) -> str:
        names: list[str] = self._first("/", url, ("rewards",))["rewards"]
        if len(names) != 1:
            msg = f"{url} serves {', '.join(names)}. Name one: {url.rstrip('/')}/{names[0]}."
            raise InputError(msg)
        return names[0]

    def _first(self, path: str, url: str, keys: Sequence[str]) -> dict[str, Any]:
        """The first answer of a server: what fails now is for the caller to mend."""
        try:
            found = self._once("GET", path)
        except ServiceError as error:
            if error.status == httpx.codes.NOT_FOUND:
                raise InputError(str(error)) from error
            if error.status is not None:
                raise
            msg = f"no reward server answers at {url}: start one with aas-bench serve. ({error})"
            raise BackendError(msg, retryable=True) from error
        if not found.keys() >= {*keys}:
            msg = f"what answers at {url} is no reward server of ours. Check the address."
            raise InputError(msg)
        return found

    def _asked(self, method: str, path: str, **content: Any) -> dict[str, Any]:
        """The answer to a request that is sent again while that helps."""
        deadline = time.monotonic() + self._timeout
        for attempt in itertools.count():
            try:
                return self._once(method, path, **content)
            except ServiceError as error:
                if not error.retryable:
                    raise
                if error.status is None and not attempt:
                    _log.warning(
                        "the reward server at %s does not answer (%s); asking again for %g s",
                        self._http.base_url,
                        str(error).rstrip("."),
                        self._timeout,
                    )
                pause = error.retry_after
                if pause is None:
                    pause = min(_LONGEST_WAIT, 0.25 * 2**attempt)
                pause *= random.uniform(0.75, 1.25)  # noqa: S311 - clients must not come together
                if time.monotonic() + pause > deadline:
                    raise
            time.sleep(pause)
        raise AssertionError

    def _once(self, method: str, path: str, **content: Any) -> dict[str, Any]:
        try:
            response = self._http.request(method, path, **content)
        except httpx.HTTPError as error:
            raise connection_error(error) from error
        if not response.is_success:
            raise error_from_response(response)
        try:
            found = response.json()
        except ValueError as error:
            msg = "the answer is not JSON, so no reward server gave it. Check the address."
            raise ServiceError(msg) from error
        if not isinstance(found, dict):
            msg = "the answer is no JSON object, so no reward server gave it. Check the address."
            raise ServiceError(msg)
        return found


def _taken_apart(url: str) -> tuple[str, str, str]:
    """Host, address of the server, and the name that its path is."""
    try:
        parts = urlsplit(url)
        name = unquote(parts.path.strip("/"))
        name.encode()
        base = f"{parts.scheme}://{parts.netloc}"
        httpx.URL(base)
        good = parts.scheme in ("http", "https") and "@" not in parts.netloc and parts.port != 0
        host = parts.hostname if good else None
    except (ValueError, httpx.InvalidURL):
        base = name = ""
        host = None
    if not host:
        msg = f"{url!r:.200} is no address of a reward model. Write http://HOST:PORT/NAME."
        raise InputError(msg)
    return host, base, name
