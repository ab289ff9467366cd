"""This very package as a wheel, made without a build tool, for Spaces that know it by no index."""

from __future__ import annotations

import base64
import hashlib
import io
import sys
import zipfile
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Final

from aas_bench.errors import StoreError
from aas_bench.metric.install import NAMES, metric_path
from aas_bench.version import __version__

_PACKAGE: Final = Path(__file__).resolve().parents[1]
_INFO: Final = f"aas_bench-{__version__}.dist-info"
NAME: Final = f"aas_bench-{__version__}-py3-none-any.whl"
_WHEEL: Final = (
    "Wheel-Version: 1.0\nGenerator: aas-bench\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
)
_OF_ONE_INSTALLATION: Final = ("RECORD", "WHEEL", "INSTALLER", "REQUESTED", "direct_url.json")
_LONG_AGO: Final = (1980, 1, 1, 0, 0, 0)


@lru_cache(maxsize=1)
def wheel() -> tuple[str, bytes]:
    """Name and content; the same code gives the same bytes.

    Raises:
        StoreError: The package is neither installed nor in its repository.
    """
    files = {**dict(_code()), **_about()}
    record = "".join(f"{name},{_hash(data)},{len(data)}\n" for name, data in files.items())
    files[f"{_INFO}/RECORD"] = f"{record}{_INFO}/RECORD,,\n".encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, _LONG_AGO)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return NAME, buffer.getvalue()


def _code() -> Iterator[tuple[str, bytes]]:
    folders = {"aas_bench": _PACKAGE}
    folders |= {f"aas_bench/_metrics/{name}": Path(metric_path(name)) for name in NAMES}
    for start, folder in folders.items():
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder)
            hidden = any(part.startswith((".", "__pycache__", "_metrics")) for part in name.parts)
            if path.is_file() and not hidden:
                yield f"{start}/{name.as_posix()}", path.read_bytes()


def _about() -> dict[str, bytes]:
    """The files of `.dist-info`: of a repository from its pyproject.toml, which is never stale."""
    project = _PACKAGE.with_name("pyproject.toml")
    if sys.version_info >= (3, 11) and project.is_file():
        import tomllib

        said = tomllib.loads(project.read_text(encoding="utf-8"))["project"]
        files = _written(said)
    else:
        files = _installed()
    return {f"{_INFO}/{name}": data for name, data in {**files, "WHEEL": _WHEEL.encode()}.items()}


def _written(project: Mapping[str, Any]) -> dict[str, bytes]:
    licences = [Path(name) for name in project["license-files"]]
    extras = project["optional-dependencies"]
    lines = [
        "Metadata-Version: 2.4",
        f"Name: {project['name']}",
        f"Version: {project['version']}",
        f"Summary: {project['description']}",
        f"License-Expression: {project['license']}",
        *(f"License-File: {path.as_posix()}" for path in licences),
        f"Requires-Python: {project['requires-python']}",
        *(f"Requires-Dist: {each}" for each in project["dependencies"]),
    ]
    for extra, needs in extras.items():
        lines.append(f"Provides-Extra: {extra}")
        lines += [f"Requires-Dist: {each}; extra == '{extra}'" for each in needs]
    scripts = "".join(f"{name} = {target}\n" for name, target in project["scripts"].items())
    own = {f"licenses/{p.as_posix()}": (_PACKAGE.parent / p).read_bytes() for p in licences}
    return {
        "METADATA": ("\n".join(lines) + "\n").encode(),
        "entry_points.txt": f"[console_scripts]\n{scripts}".encode(),
        **own,
    }


def _installed() -> dict[str, bytes]:
    try:
        known = distribution("aas-bench")
    except PackageNotFoundError as error:
        msg = "aas-bench is not installed. Install its repository first: pip install -e ."
        raise StoreError(msg) from error
    files = [path for path in known.files or () if path.parts[0].endswith(".dist-info")]
    if known.version != __version__ or not files:
        msg = f"aas-bench {known.version} is installed, this is {__version__}. Install it again."
        raise StoreError(msg)
    named = {"/".join(path.parts[1:]): path.read_binary() for path in files}
    return {name: data for name, data in named.items() if name not in _OF_ONE_INSTALLATION}


def _hash(data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=")
    return f"sha256={digest.decode()}"
