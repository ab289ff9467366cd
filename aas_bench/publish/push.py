"""Push a built dataset folder to its repository, and say what changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aas_bench.files import write_atomically
from aas_bench.publish.built import STATE, Build
from aas_bench.publish.card import CROISSANT, README, is_untouched, sealed, without_seal
from aas_bench.publish.changes import (
    Allowed,
    ConfigChange,
    Contents,
    changes,
    diff,
    infos,
    parsed,
    refuse_another_dataset,
    refuse_losses,
)
from aas_bench.publish.croissant import versioned
from aas_bench.publish.sync import (
    MAIN,
    Commit,
    Difference,
    Remote,
    Target,
    commit,
    compare,
    look,
    operations_of,
    require_token,
    told_plainly,
)
from aas_bench.publish.versions import Versions, with_history

if TYPE_CHECKING:
    from huggingface_hub import HfApi

FORBIDDEN: Final = 403


@dataclass(frozen=True, kw_only=True)
class Published:
    """What a push changed.

    Attributes:
        target: Where it went.
        url: The commit or pull request; None where nothing differed.
        version: What the push is called; None where nothing differed.
        difference: File by file.
        configs: The configurations.
        notes: What else the maintainer should know.
    """

    target: Target
    url: str | None
    version: str | None
    difference: Difference
    configs: tuple[ConfigChange, ...]
    notes: tuple[str, ...]

    def text(self) -> str:
        """The summary in lines."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        where = f"{self.target.repo} ({self.target.revision or MAIN})"
        yield f"{where}: {self.url or 'nothing to push, all files are there'}"
        if self.version is not None:
            yield f"  version {self.version}"
        for config in self.configs:
            before = config.n_rows_before
            was = "new" if before is None else f"{before:,} before"
            yield f"  {config.name}: {config.n_rows:,} rows ({was}), {config.n_columns} columns"
        yield from (f"  {line}" for line in self.difference.lines())
        yield from (f"  note: {note}" for note in self.notes)


def publish(
    built: Build,
    target: Target,
    *,
    replace_card: bool = False,
    allowed: Allowed | None = None,
    tell: Callable[[str], object] | None = None,
) -> Published:
    """Push a build as the next version: only what differs is sent, as one commit or pull request.

    Args:
        built: The build.
        target: Where to.
        replace_card: Overwrite a README.md that someone edited on the Hub; by default its text and
            metadata stay, and only the lists of configurations and features are renewed.
        allowed: What the push may do that is refused otherwise.
        tell: Told the change of rows and columns before anything is refused or sent.

    Raises:
        InputError: There is no token, or it may not write there; or items were left out, or the
            repository has more rows, and neither was allowed. Nothing is pushed.
        SchemaError: The repository holds other columns, or another dataset; nothing is pushed.
        BackendError: The Hub failed; the same call goes on.
    """
    from huggingface_hub import HfApi

    api = HfApi(token=require_token())
    with told_plainly(target):
        remote = look(api, target)
        there = Contents.read(api, target, remote)
        refuse_another_dataset(built, target, there)
        columns = {config.name: config.features for config in built.configs}
        changed = changes(columns, {config.name: config.n_rows for config in built.configs}, there)
        if tell is not None:
            tell(diff(target, changed))
        refuse_losses(built, target, changed, allowed or Allowed())
        target = reviewed(target, there)
        versions, notes = tag_what_is_there(api, target, remote, there)
        readme, more = _readme(built, there, replace_card=replace_card)
        folders = tuple(f"{config.name}/" for config in built.configs)

        def differs(versions: Versions) -> tuple[dict[str, Path | bytes], Difference]:
            card = with_history(readme, versions.history).encode()
            local: dict[str, Path | bytes] = {**_files(built), README: card}
            local[CROISSANT] = _croissant(built, versions)
            return local, compare(local, remote, owned=lambda name: name.startswith(folders))

        _, difference = differs(versions)
        version = sent = None
        if difference:
            version, said = versions.next, "; ".join(change.entry() for change in changed)
            versions = versions.with_entry(version, said)
            local, difference = differs(versions)
            names = ", ".join(config.name for config in built.configs)
            sent = commit(
                api,
                target,
                operations_of(local, difference),
                remote,
                message=f"Publish {built.task.name}: {names}",
                description=f"{version}: {said}",
            )
            notes += tag_what_was_sent(api, target, version, sent)
        _remember(built, versions)
    return Published(
        target=target,
        url=sent.url if sent else None,
        version=version,
        difference=difference,
        configs=changed,
        notes=(*more, *notes),
    )


def reviewed(target: Target, there: Contents) -> Target:
    """The target with its mind made up: a dataset that readers load is replaced on review only."""
    if target.create_pr is not None:
        return target
    return replace(target, create_pr=bool(there.features) and target.revision in (None, MAIN))


def tag_what_is_there(
    api: HfApi, target: Target, remote: Remote | None, there: Contents
) -> tuple[Versions, tuple[str, ...]]:
    """Tag the commit that a push would replace, so that `rollback` finds it.

    It has no tag where it came by a merged pull request, where a push was killed before its tag,
    or where it is older than versions. Who may only propose is told so, and goes on.
    """
    from huggingface_hub.errors import HfHubHTTPError

    if remote is None:
        return Versions(tags={}, history=""), ()
    versions = Versions.read(api, target, there.readme)
    name = versions.untagged(remote.commit) if there.features else None
    if name is None:
        return versions, ()
    try:
        api.create_tag(target.repo, tag=name, revision=remote.commit, repo_type=target.kind)
    except HfHubHTTPError as error:
        if not target.create_pr or error.response.status_code != FORBIDDEN:
            raise
        return versions, ("what is there has no tag, and the token may not make one",)
    return versions.with_tag(name, remote.commit), (f"what was there is now tagged {name}",)


def tag_what_was_sent(api: HfApi, target: Target, version: str, sent: Commit) -> tuple[str, ...]:
    """Tag a new version; a pull request becomes one only when it is merged."""
    if target.create_pr:
        return (f"{version} gets its tag when, after the merge, this command is repeated",)
    api.create_tag(target.repo, tag=version, revision=sent.sha, repo_type=target.kind)
    return ()


def _remember(built: Build, versions: Versions) -> None:
    """Let the folder say what the repository says."""
    readme = (built.path / README).read_text(encoding="utf-8")
    write_atomically(built.path / README, with_history(readme, versions.history).encode())
    write_atomically(built.path / CROISSANT, _croissant(built, versions))


def _croissant(built: Build, versions: Versions) -> bytes:
    return versioned((built.path / CROISSANT).read_bytes(), versions.current)


def _files(built: Build) -> dict[str, Path]:
    """What of a build folder is pushed."""
    files = (path for path in sorted(built.path.rglob("*")) if path.is_file())
    named = {path.relative_to(built.path).as_posix(): path for path in files}
    return {name: path for name, path in named.items() if not name.startswith(f"{STATE}/")}


def _readme(built: Build, there: Contents, *, replace_card: bool) -> tuple[str, list[str]]:
    """The card to push: ours, unless someone edited the one on the Hub."""
    text = (built.path / README).read_text(encoding="utf-8")
    if there.readme is None:
        return text, []
    ours, theirs = parsed(without_seal(text)), parsed(there.readme)
    names = {config.name for config in built.configs}
    others = [i for i in infos(theirs) if i.get("config_name", "default") not in names]
    configs = [
        c for c in theirs.data.to_dict().get("configs") or [] if c["config_name"] not in names
    ]
    notes = []
    if configs:
        kept = ", ".join(config["config_name"] for config in configs)
        notes.append(f"kept {kept}, which this build does not hold; the card's text omits it")
    merged = {
        "configs": [*ours.data.to_dict()["configs"], *configs],
        "dataset_info": [*infos(ours), *others],
    }
    if is_untouched(there.readme) or replace_card:
        if not configs:
            return text, notes
        ours.data.configs, ours.data.dataset_info = merged["configs"], merged["dataset_info"]
        return sealed(f"{str(ours).rstrip()}\n\n", built.task.name), notes
    theirs.data.configs, theirs.data.dataset_info = merged["configs"], merged["dataset_info"]
    notes.append(
        "README.md was edited by hand and keeps its text and metadata; only configs and "
        "dataset_info are renewed. --replace-card puts the generated one there"
    )
    return str(theirs), notes
