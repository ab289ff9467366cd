"""The single weights files that a submission names, checked by their hashes before loading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aas_bench.errors import BackendError, SpecError, first_line
from aas_bench.files import file_sha256
from aas_bench.generators.rules import is_local
from aas_bench.generators.spec import Adapter, Submission, Transformer, Weights
from aas_bench.hub_file import recorded_sha256

PEFT_CONFIG: Final = "adapter_config.json"
PEFT_WEIGHTS: Final = "adapter_model.safetensors"


@dataclass(frozen=True, kw_only=True)
class WeightsFile:
    """A file that is here and is the one that was meant.

    Attributes:
        path: Where it lies.
        sha256: Of its bytes, computed here, and compared with what the submission says, else with
            what the Hub records; a local file without a `sha256` is compared with nothing.
    """

    path: Path
    sha256: str


def obtain_files(submission: Submission) -> dict[str, WeightsFile]:
    """Fetch and check every single file that a submission names, by what it is.

    Hashing takes a second for about a gigabyte, and is done whenever the weights are loaded.

    Raises:
        SpecError: A file is missing, or its bytes are not those that the Hub or the submission
            names.
        BackendError: A file cannot be fetched.
    """
    parts: Mapping[str, Weights] = submission.sources()
    found = {}
    for name, part in parts.items():
        if isinstance(part, Transformer):
            found[name] = _obtain(submission.id, name, part, part.file, part.sha256)
        elif isinstance(part, Adapter):
            if part.format == "peft":  # its two files lie in one folder
                _fetch(submission.id, part, PEFT_CONFIG)
            file = part.file or PEFT_WEIGHTS
            found[name] = _obtain(submission.id, name, part, file, part.sha256)
    return found


def _obtain(who: str, name: str, part: Weights, file: str, given: str | None) -> WeightsFile:
    path = _fetch(who, part, file)
    sha256 = file_sha256(path)
    told = given
    if told is None and not is_local(part.repo):
        told = recorded_sha256(path, repo=part.repo, file=file, revision=part.revision)
    if told is not None and sha256 != told:
        whose = "the submission" if given else "the Hub"
        mend = "Correct sha256" if given and is_local(part.repo) else f"Remove {path.resolve()}"
        msg = (
            f"{who}: {name}: {file} of {part.repo} has the SHA-256 {sha256}, {whose} names {told}; "
            f"nothing was loaded. {mend} and run again."
        )
        raise SpecError(msg)
    return WeightsFile(path=path, sha256=sha256)


def _fetch(who: str, part: Weights, file: str) -> Path:
    if is_local(part.repo):
        path = Path(part.repo) / file
        if not path.is_file():
            format_ = getattr(part, "format", None)
            other = {"peft": " Is it of format lora?", "lora": " Is it of format peft?"}
            msg = f"{who}: {part.repo} has no {file}.{other.get(format_ or '', ' Correct file.')}"
            raise SpecError(msg)
        return path
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError

    try:
        return Path(hf_hub_download(part.repo, file, revision=part.revision))
    except (EntryNotFoundError, HfHubHTTPError, OSError, ValueError) as error:
        reason = first_line(error).partition(". ")[0]
        msg = (
            f"{who}: {file} of {part.repo} cannot be fetched ({reason:.200}). Accept its terms and "
            "log in where it is gated, and where there is a network run: "
            f"hf download {part.repo} {file} --revision {part.revision}"
        )
        raise BackendError(msg) from error
