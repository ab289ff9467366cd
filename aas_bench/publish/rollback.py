"""Go back to a version: its files again, as a new commit and a new version; history is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from aas_bench.errors import InputError, UnknownNameError
from aas_bench.publish.card import CROISSANT, README
from aas_bench.publish.changes import Contents, changes, diff
from aas_bench.publish.croissant import versioned
from aas_bench.publish.push import Published, reviewed, tag_what_is_there, tag_what_was_sent
from aas_bench.publish.sync import (
    Difference,
    Remote,
    Target,
    commit,
    look,
    require_token,
    told_plainly,
)
from aas_bench.publish.versions import history, with_history

if TYPE_CHECKING:
    from huggingface_hub import HfApi


def rollback(
    target: Target, version: str, *, tell: Callable[[str], object] | None = None
) -> Published:
    """Restore all files of a tag; files that came since go. Nothing is uploaded anew.

    The card becomes the tag's, and keeps the history of versions; croissant.json names the new
    version. What is replaced stays under its own tag.

    Args:
        target: Where to.
        version: The tag.
        tell: Told the change of rows and columns before anything is sent.

    Raises:
        InputError: There is no token, it may not write there, or there is no such repository.
        UnknownNameError: There is no such tag.
        BackendError: The Hub failed; the same call goes on.
    """
    from datasets import Features
    from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete
    from huggingface_hub import HfApi as Api

    api = Api(token=require_token())
    with told_plainly(target):
        remote = look(api, target)
        if remote is None:
            msg = f"there is no dataset {target.repo}, or the token may not see it. Check the name."
            raise InputError(msg)
        there = Contents.read(api, target, remote)
        tagged = _at_tag(api, target, version)
        then = Contents.read(api, target, tagged)
        gone = dict.fromkeys(there.features, Features())
        changed = changes({**gone, **then.features}, then.rows, there)
        if tell is not None:
            tell(diff(target, changed))
        target = reviewed(target, there)
        versions, notes = tag_what_is_there(api, target, remote, there)
        described = [_croissant(api, target, each) for each in (tagged, remote)]
        same = {README} if _same_card(then, there) else set()
        same |= {CROISSANT} if _same_croissant(*described) else set()
        difference = _difference(tagged, remote, same=same)
        name = sent = None
        if difference:
            name = versions.next
            rows = "; ".join(change.entry() for change in changed)
            said = f"back to {version}: {rows}" if rows else f"back to {version}"
            card = with_history(then.readme or "", versions.with_entry(name, said).history)
            written = {README: card.encode()}
            if described[0] is not None:
                written[CROISSANT] = versioned(described[0], name)
            copied = (n for n in (*difference.added, *difference.changed) if n not in written)
            operations = [
                *(
                    CommitOperationAdd(path_in_repo=file, path_or_fileobj=content)
                    for file, content in written.items()
                ),
                *(
                    CommitOperationCopy(src_path_in_repo=n, path_in_repo=n, src_revision=version)
                    for n in copied
                ),
                *(CommitOperationDelete(path_in_repo=n) for n in difference.removed),
            ]
            sent = commit(
                api, target, operations, remote, message=f"Go back to {version}", description=said
            )
            notes += tag_what_was_sent(api, target, name, sent)
    return Published(
        target=target,
        url=sent.url if sent else None,
        version=name,
        difference=difference,
        configs=changed,
        notes=notes,
    )


def _at_tag(api: HfApi, target: Target, version: str) -> Remote:
    refs = api.list_repo_refs(target.repo, repo_type=target.kind)
    known = [tag.name for tag in refs.tags]
    tagged = look(api, replace(target, revision=version)) if version in known else None
    if tagged is None:
        hint = f"{target.repo} has {', '.join(known) or 'no versions'}."
        raise UnknownNameError("version", version, known, hint=hint)
    return tagged


def _same_card(then: Contents, there: Contents) -> bool:
    """Whether two cards differ in nothing but the history."""
    if then.readme is None or there.readme is None:
        return then.readme == there.readme
    return with_history(then.readme, history(there.readme)) == there.readme


def _croissant(api: HfApi, target: Target, remote: Remote) -> bytes | None:
    if CROISSANT not in remote.files:
        return None
    file = api.hf_hub_download(
        target.repo, CROISSANT, repo_type=target.kind, revision=remote.commit
    )
    return Path(file).read_bytes()


def _same_croissant(then: bytes | None, now: bytes | None) -> bool:
    """Whether two descriptions differ in nothing but the version."""
    if then is None or now is None:
        return then == now
    return versioned(then, None) == versioned(now, None)


def _difference(then: Remote, now: Remote, *, same: set[str]) -> Difference:
    changed = {n for n, file in then.files.items() if n in now.files and file != now.files[n]}
    changed -= same
    return Difference(
        added={n: f.size for n, f in then.files.items() if n not in now.files},
        changed={n: then.files[n].size for n in sorted(changed)},
        removed={n: f.size for n, f in now.files.items() if n not in {*then.files, README}},
        unchanged={n: f.size for n, f in then.files.items() if f == now.files.get(n)},
    )
