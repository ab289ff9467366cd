"""A vision model on loopback whose answers follow from what it is asked: no fixed list of replies.

It knows the original image from the distorted one by colour: toy originals are brighter.
"""

import base64
import io
import json
import os

from PIL import Image
from support.loopback_apis import Reply, Service, openrouter_answer


class JudgeService(Service):
    """Answers by `say`, a function of a `Seen` that gives the values of an answer or a Reply."""

    def __init__(self, say, *, stall=0.0):
        super().__init__()
        self.say, self.stall = say, stall

    def _take(self, asked):
        with self._lock:
            self.asked.append(asked)
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
        said = self.say(Seen(asked.body))
        if isinstance(said, Reply):
            return said
        reply = openrouter_answer(content=said if isinstance(said, str) else json.dumps(said))
        return Reply(body=reply.body, stall=self.stall)


class Seen:
    """A question as the endpoint gets it."""

    def __init__(self, body):
        self.body = body
        system, user, *self.more = body["messages"]
        self.instructions, self.content = system["content"], user["content"]
        self.task = json.loads(self.content[0]["text"])
        urls = [p["image_url"]["url"] for p in self.content if p["type"] == "image_url"]
        self.images = [_image(url) for url in urls]

    @property
    def brightness(self):
        return [image.convert("L").resize((1, 1)).getpixel((0, 0)) for image in self.images]

    @property
    def darker(self):
        """The place of the darker picture, which a toy request for darkness is met by."""
        first, second = self.brightness
        return "first" if first < second else "second"


def _image(url):
    return Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))


def choose(choice, why="because"):
    return {"why": why, "choice": choice}


def answer_of_kind(seen):
    """What a model answers that knows dark from bright, to any of the three ways of asking."""
    dark = seen.brightness[0] < 100
    if "questions" in seen.task:
        no = {True: "not applicable", False: "no"}
        return {
            each["key"]: "yes" if dark else no["only_if" in each] for each in seen.task["questions"]
        }
    if "caption" in seen.task:
        return {
            "why": "so",
            "main_concept": 50,
            "requested_effects": 100 - seen.brightness[0] // 4,
        }
    bright = "first" if seen.darker == "second" else "second"
    return choose(seen.darker if "dark" in seen.task["request"] else bright, "\x1b[31mred")


def dark_pairs(n, *, prompts=(), label=1):
    """Pairs of a bright original and a dark distorted image, each of its own shade."""
    from datasets import Dataset

    from aas_bench.tables.pairs import load_pairs

    rows = [
        {
            "index": i,
            "image_original": Image.new("RGB", (8, 8), (150 + i % 100, 200, 200 + i // 100)),
            "image_distorted": Image.new("RGB", (8, 8), (i % 100, 10, i // 100)),
            "prompt_original": f"a house, number {i}",
            "prompt_distorted": prompts[i] if i < len(prompts) else f"a dark house, number {i}",
            "dimensions": ["color brightness", "emotion"],
            "label": label,
        }
        for i in range(n)
    ]
    return load_pairs(Dataset.from_list(rows))


def slow_run(url, folder, options):
    """A run that a test kills, in a fork of a server that may lack the test's key."""
    from aas_bench.run.judge import judge

    os.environ["OPENAI_API_KEY"] = "any"
    places = {"out": folder / "run", "cache": folder / "cache", "base_url": url}
    judge(dark_pairs(12), "openai:m-1", **places, **options)
