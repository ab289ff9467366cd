"""Where the metric scripts are, and how `evaluate` finds them by bare name without a network.

For a bare name `evaluate` asks the Hub and, when that fails, takes the newest script in
`<modules cache>/evaluate_modules/metrics/evaluate-metric--NAME/<64 hex digits>/NAME.py`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from aas_bench.errors import StoreError, UnknownNameError

NAMES = ("aas_preference", "aas_override")
HASH_LENGTH = 64


def metric_path(name: str = "aas_preference") -> str:
    """The folder of a metric, as `evaluate.load` takes it.

    Args:
        name: "aas_preference" or "aas_override".

    Raises:
        UnknownNameError: No metric has this name.
        StoreError: The installation lacks the metric scripts.

    Example:
        >>> metric_path().endswith("aas_preference")
        True
    """
    if name not in NAMES:
        hint = f"The metrics are {' and '.join(NAMES)}."
        raise UnknownNameError("metric", name, NAMES, hint=hint)
    package = Path(__file__).resolve().parents[1]
    for root in (package / "_metrics", package.parent / "metrics"):  # wheel, editable install
        if (root / name / f"{name}.py").is_file():
            return str(root / name)
    msg = f"the script of {name} is missing from {package}. Install aas-bench again."
    raise StoreError(msg)


def install_metric(names: Iterable[str] | None = None) -> list[Path]:
    """Make `evaluate.load("aas_preference")` and `("aas_override")` work from any folder, offline.

    Writes to `evaluate`'s own modules cache (`HF_MODULES_CACHE`, else `HF_HOME`) and replaces what
    an earlier version of this package put there; nothing else in the cache is touched.

    Args:
        names: Which metrics; None: all.

    Returns:
        The installed scripts.

    Raises:
        UnknownNameError: No metric has one of the names.
        StoreError: The cache cannot be written.
    """
    scripts = [Path(metric_path(name), f"{name}.py") for name in names or NAMES]

    from evaluate.loading import init_dynamic_modules

    try:
        metrics = Path(init_dynamic_modules()) / "metrics"
        return [_install(script, metrics) for script in scripts]
    except OSError as error:
        msg = f"cannot write evaluate's modules cache: {error}. Set HF_HOME to a writable folder."
        raise StoreError(msg) from error


def _install(script: Path, metrics: Path) -> Path:
    source = script.read_bytes()
    home = metrics / f"evaluate-metric--{script.stem}"
    target = home / hashlib.sha256(source).hexdigest()
    for package in (metrics, home):
        package.mkdir(parents=True, exist_ok=True)
        (package / "__init__.py").touch()
    installed = target / script.name
    if not _holds(installed, source):
        _place(source, installed)
    for other in home.iterdir():
        if other.is_dir() and other != target and len(other.name) == HASH_LENGTH:
            shutil.rmtree(other, ignore_errors=True)  # another process may be removing it too
    return installed


def _place(source: bytes, installed: Path) -> None:
    """Write the folder aside and move it in whole: `evaluate` never sees half of it."""
    target = installed.parent
    aside = Path(tempfile.mkdtemp(prefix=".new-", dir=target.parent))
    try:
        (aside / "__init__.py").touch()
        with (aside / installed.name).open("wb") as file:
            file.write(source)
            file.flush()
            os.fsync(file.fileno())
        aside.chmod(0o755)
        if target.exists():  # damaged: its script is not the one that its name promises
            shutil.rmtree(target, ignore_errors=True)
        aside.replace(target)
    except OSError:
        if not _holds(installed, source):  # else another process installed the same, just now
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _holds(installed: Path, source: bytes) -> bool:
    package = installed.with_name("__init__.py")
    return package.is_file() and installed.is_file() and installed.read_bytes() == source
