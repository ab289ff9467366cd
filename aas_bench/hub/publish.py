"""Push a built folder to its repository on the Hub."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aas_bench.errors import InputError

if TYPE_CHECKING:
    from aas_bench.hub.build import Build


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where to push.

    Attributes:
        repo: The repository, owner/name.
        private: Whether a new repository becomes private.
        create_pr: Open a pull request instead of pushing.
        revision: The branch; None: main. Made where absent.
    """

    repo: str
    private: bool = False
    create_pr: bool = False
    revision: str | None = None


@dataclass(frozen=True, kw_only=True)
class Published:
    """What a push changed."""

    url: str

    def text(self) -> str:
        """The summary in lines."""
        return self.url


def require_token() -> str:
    """The token from where the Hub's clients keep it.

    Raises:
        InputError: There is none.
    """
    from huggingface_hub import get_token

    token: str | None = get_token()
    if token is None:
        msg = "there is no Hub token. Log in with: hf auth login, or set HF_TOKEN."
        raise InputError(msg)
    return token


def publish(built: Build, target: Target) -> Published:
    """Upload the folder of a build."""
    from huggingface_hub import HfApi

    api = HfApi(token=require_token())
    api.create_repo(target.repo, repo_type="dataset", private=target.private, exist_ok=True)
    commit = api.upload_folder(
        folder_path=built.path,
        repo_id=target.repo,
        repo_type="dataset",
        create_pr=target.create_pr,
        revision=target.revision,
        ignore_patterns=[".build/*", "*/.aside-*"],
    )
    return Published(url=commit.pr_url or commit.commit_url)
