"""Versions of a published dataset: a tag for each, and the history that its card ends with.

## Versions

- **v2**: `pairs` 12 rows (8 before)
- **v1**: `pairs` 8 rows
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from aas_bench.publish.card import is_untouched, made_for, sealed, without_seal
from aas_bench.publish.sync import Target

if TYPE_CHECKING:
    from huggingface_hub import HfApi

HEADING: Final = "## Versions"
_BLOCK: Final = re.compile(rf"^{HEADING}[ ]*$(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_ENTRY: Final = re.compile(r"^- \*\*v(\d{1,9})\*\*", re.MULTILINE)
_TAG: Final = re.compile(r"v(\d{1,9})")


@dataclass(frozen=True, kw_only=True)
class Versions:
    """What a repository knows of its versions.

    Attributes:
        tags: Name -> commit, all tags.
        history: The lines below the heading in its card; empty where there are none.
    """

    tags: Mapping[str, str]
    history: str

    @classmethod
    def read(cls, api: HfApi, target: Target, readme: str | None) -> Versions:
        """Those of a repository that is there; `readme` is its card."""
        refs = api.list_repo_refs(target.repo, repo_type=target.kind)
        tags = {tag.name: tag.target_commit for tag in refs.tags}
        return cls(tags=tags, history=history(readme or ""))

    @property
    def current(self) -> str | None:
        """What the card says that it is; None where it says nothing."""
        found = _ENTRY.search(self.history)
        return f"v{found[1]}" if found else None

    @property
    def next(self) -> str:
        """The name of the next version: never one that was used."""
        numbers = [int(match[1]) for name in self.tags if (match := _TAG.fullmatch(name))]
        numbers += [int(number) for number in _ENTRY.findall(self.history)]
        return f"v{max(numbers, default=0) + 1}"

    def untagged(self, commit: str) -> str | None:
        """The tag that `commit`, which holds data, lacks; None where it has one.

        What was published before there were versions is v0.
        """
        if self.current is not None:
            return None if self.current in self.tags else self.current
        if commit in self.tags.values():
            return None
        return self.next if self.tags else "v0"

    def with_tag(self, name: str, commit: str) -> Versions:
        """The same, and one tag more."""
        return replace(self, tags={**self.tags, name: commit})

    def with_entry(self, version: str, said: str) -> Versions:
        """The same, and one line more at the top of the history."""
        return replace(self, history=f"- **{version}**: {said}\n{self.history}".rstrip())


def history(readme: str) -> str:
    """The lines below the heading; empty where there is none."""
    found = _BLOCK.search(without_seal(readme))
    return found[1].strip() if found else ""


def with_history(readme: str, lines: str) -> str:
    """The card with these lines as its history, at the end where it has none yet.

    A card that nobody edited keeps a seal that fits; one that was edited keeps its broken one.
    """
    body = without_seal(readme)
    found = _BLOCK.search(body)
    if found is None and not lines:
        return readme
    start, end = found.span() if found else (len(body), len(body))
    block = f"{HEADING}\n\n{lines}" if lines else ""
    parts = (body[:start].rstrip(), block, body[end:].strip())
    text = "\n\n".join(part for part in parts if part) + "\n"
    task, seal = made_for(readme), readme[len(body) :]
    if task is not None and is_untouched(readme):
        return sealed(f"{text}\n", task)
    return f"{text}\n{seal}" if seal else text
