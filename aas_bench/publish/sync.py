"""Make a repository on the Hub equal a set of files, sending only what differs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from aas_bench.errors import BackendError, InputError, first_line

if TYPE_CHECKING:
    from huggingface_hub import HfApi

MAIN: Final = "main"


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where to push.

    Attributes:
        repo: The repository, owner/name.
        kind: What it is.
        private: Whether a new repository becomes private.
        create_pr: Open a pull request instead of pushing; None: only where a dataset on main would
            be replaced.
        revision: The branch; None: main. Made where absent.
    """

    repo: str
    kind: Literal["dataset", "space", "model"] = "dataset"
    private: bool = False
    create_pr: bool | None = None
    revision: str | None = None


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """A file as the Hub lists it.

    Attributes:
        size: In bytes.
        sha256: Of its content; None where the Hub keeps it in git itself.
        git: What git calls it; of a pointer where there is a `sha256`.
    """

    size: int
    sha256: str | None
    git: str


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A repository as it is.

    Attributes:
        commit: The commit that was looked at.
        files: Its files by path.
    """

    commit: str
    files: Mapping[str, RemoteFile]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What a push would do, by path; sizes in bytes.

    Attributes:
        added: New files.
        changed: Files with other content.
        removed: Files that go.
        unchanged: Files that are there already: not sent.
    """

    added: Mapping[str, int]
    changed: Mapping[str, int]
    removed: Mapping[str, int]
    unchanged: Mapping[str, int]

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)

    def lines(self) -> Iterator[str]:
        """One line for each kind of change that occurs."""
        kinds = (("added", self.added), ("changed", self.changed), ("removed", self.removed))
        for word, files in (*kinds, ("unchanged, not sent", self.unchanged)):
            if files:
                size = sum(files.values()) / 1e6
                count = f"{len(files)} {'file' if len(files) == 1 else 'files'}"
                yield f"{word}: {count}, {size:,.1f} MB ({_some(files)})"


def _some(names: Mapping[str, int], *, most: int = 5) -> str:
    shown = sorted(names)[:most]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def require_token() -> str:
    """The token, from where the Hub's own clients keep it.

    Raises:
        InputError: There is none.
    """
    from huggingface_hub import get_token

    token: str | None = get_token()
    if token is None:
        msg = "there is no Hub token. Log in with: hf auth login, or set HF_TOKEN."
        raise InputError(msg)
    return token


def check_access(target: Target) -> None:
    """Find out before the work that the token is good and the name of the repository possible.

    Raises:
        InputError: There is no token, the Hub refuses it, or the name is no owner/name.
        BackendError: The Hub cannot be reached.
    """
    token = require_token()  # before the import of the client: a slip should not cost seconds

    from huggingface_hub import HfApi
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    with told_plainly(target):
        if target.repo.count("/") != 1:
            msg = f"{target.repo!r} is no repository. Give owner/name."
            raise InputError(msg)
        validate_repo_id(target.repo)
        HfApi(token=token).whoami()


def look(api: HfApi, target: Target) -> Remote | None:
    """The repository at the branch of the target, else at main; None where there is none."""
    from huggingface_hub import RepoFile
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    for revision in dict.fromkeys((target.revision or MAIN, MAIN)):
        try:
            info = api.repo_info(target.repo, repo_type=target.kind, revision=revision)
            tree = api.list_repo_tree(
                target.repo, repo_type=target.kind, revision=info.sha, recursive=True
            )
            files = {
                entry.path: RemoteFile(
                    size=entry.size,
                    sha256=entry.lfs.sha256 if entry.lfs else None,
                    git=entry.blob_id,
                )
                for entry in tree
                if isinstance(entry, RepoFile)
            }
            return Remote(commit=info.sha or "", files=files)
        except RevisionNotFoundError:
            continue
        except RepositoryNotFoundError:
            return None
    return None


def compare(
    local: Mapping[str, Path | bytes], remote: Remote | None, *, owned: Callable[[str], bool]
) -> Difference:
    """Compare by hash.

    Args:
        local: The files by their path in the repository.
        remote: The repository; None: empty.
        owned: Which paths of the repository go when they are not in `local`.
    """
    there = remote.files if remote is not None else {}
    added, changed, unchanged = {}, {}, {}
    for name, content in sorted(local.items()):
        known = there.get(name)
        if known is None:
            added[name] = _size(content)
        elif _same(content, known):
            unchanged[name] = known.size
        else:
            changed[name] = _size(content)
    removed = {n: f.size for n, f in sorted(there.items()) if n not in local and owned(n)}
    return Difference(added=added, changed=changed, removed=removed, unchanged=unchanged)


@dataclass(frozen=True, kw_only=True)
class Commit:
    """What was sent.

    Attributes:
        url: Of the pull request, else of the commit.
        sha: The commit.
    """

    url: str
    sha: str


def send(
    api: HfApi,
    target: Target,
    local: Mapping[str, Path | bytes],
    difference: Difference,
    remote: Remote | None,
    *,
    message: str,
) -> str:
    """Send what differs as one commit; the address of the commit or pull request."""
    operations = operations_of(local, difference)
    return commit(api, target, operations, remote, message=message).url


def operations_of(local: Mapping[str, Path | bytes], difference: Difference) -> list[Any]:
    """What the Hub's client is to do, file by file."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    return [
        *(
            CommitOperationAdd(path_in_repo=name, path_or_fileobj=local[name])
            for name in (*difference.added, *difference.changed)
        ),
        *(CommitOperationDelete(path_in_repo=name) for name in difference.removed),
    ]


def commit(
    api: HfApi,
    target: Target,
    operations: Sequence[Any],
    remote: Remote | None,
    *,
    message: str,
    description: str = "",
) -> Commit:
    """Do all operations as one commit, in a repository and on a branch that are made where absent.

    Large files go first, one by one, and stay on the Hub: after a dropped connection the same
    call sends the rest. Readers see the old files or the new ones, never a mixture.
    """
    if remote is None:
        sdk = "docker" if target.kind == "space" else None
        api.create_repo(
            target.repo,
            repo_type=target.kind,
            private=target.private,
            space_sdk=sdk,
            exist_ok=True,
        )
    if target.revision not in (None, MAIN):
        api.create_branch(target.repo, branch=target.revision, repo_type=target.kind, exist_ok=True)
    info = api.create_commit(
        target.repo,
        operations,
        repo_type=target.kind,
        revision=target.revision,
        create_pr=target.create_pr,
        parent_commit=remote.commit if remote is not None else None,
        commit_message=message,
        commit_description=description,
    )
    return Commit(url=str(info.pr_url or info.commit_url), sha=info.oid)


def _size(content: Path | bytes) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def _same(content: Path | bytes, known: RemoteFile) -> bool:
    if _size(content) != known.size:
        return False
    if known.sha256 is not None:
        return _hash(content, hashlib.sha256()) == known.sha256
    # git names a blob by the SHA-1 of this header and its content.
    start = hashlib.sha1(b"blob %d\0" % known.size, usedforsecurity=False)
    return _hash(content, start) == known.git


def _hash(content: Path | bytes, digest: Any) -> str:
    if isinstance(content, bytes):
        digest.update(content)
    else:
        with content.open("rb") as file:
            while block := file.read(2**20):
                digest.update(block)
    return str(digest.hexdigest())


@contextmanager
def told_plainly(target: Target) -> Iterator[None]:
    """Turn what the client raises into one of our errors."""
    from huggingface_hub import errors
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    http_error = errors.HTTPError  # type: ignore[attr-defined]  # of httpx, or of httpx2

    try:
        yield
    except HFValidationError as error:
        msg = f"{target.repo!r} is no repository ({first_line(error)}). Give owner/name."
        raise InputError(msg) from error
    except HfHubHTTPError as error:
        raise _refused(target, error) from error
    except (http_error, ConnectionError, TimeoutError) as error:
        raise _lost(target, error) from error
    except RuntimeError as error:  # how the client reports an upload that broke off
        if isinstance(error.__cause__, HfHubHTTPError):
            raise _refused(target, error.__cause__) from error
        if not isinstance(error.__cause__, (http_error, OSError)):
            raise
        raise _lost(target, error.__cause__) from error


def _refused(target: Target, error: Any) -> InputError | BackendError:
    status = getattr(error.response, "status_code", None)
    if status == 401:
        return InputError("the Hub refuses the token (401). Log in anew with: hf auth login.")
    if status == 403:
        return InputError(
            f"the token may not write to {target.repo} (403). Give it write access, or push to a "
            "repository of your own."
        )
    if status == 412:
        msg = f"{target.repo} was changed meanwhile. Repeat the command: it compares anew."
        return BackendError(msg, retryable=True)
    return BackendError(
        f"{target.repo}: the Hub answers {status} ({first_line(error)}). Repeat the command "
        "later: what has arrived is not sent again.",
        retryable=True,
    )


def _lost(target: Target, error: BaseException) -> BackendError:
    return BackendError(
        f"{target.repo}: the connection to the Hub was lost ({first_line(error)}). Repeat the "
        "command: what has arrived is not sent again.",
        retryable=True,
    )
