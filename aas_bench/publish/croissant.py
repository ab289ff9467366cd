"""croissant.json: what the Hub's own Croissant description of a dataset lacks.

The Hub describes columns and Parquet files itself, and passes on name, description, licence and
creator; of the RAI vocabulary it passes on nothing. This file adds that, where the licence stands,
the version and the checksums of the files.

Source:
    Croissant 1.1, https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html; RAI 1.0,
    http://mlcommons.org/croissant/RAI/1.0.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from aas_bench.files import file_sha256, json_bytes
from aas_bench.publish.built import Build

CONFORMS_TO: Final = (
    "http://mlcommons.org/croissant/1.1",
    "http://mlcommons.org/croissant/RAI/1.0",
)
RAI_KEYS: Final = (
    "dataCollection",
    "dataBiases",
    "dataLimitations",
    "personalSensitiveInformation",
    "dataUseCases",
    "dataAnnotationProtocol",
)
_CONTEXT: Final = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_SPDX: Final = {"apache-2.0": "Apache-2.0", "cc0-1.0": "CC0-1.0", "cc-by-4.0": "CC-BY-4.0"}
"""The Hub's words for licences that need no link of their own."""
_PAPER: Final = "https://arxiv.org/abs/2512.11883"


def croissant(built: Build, front: Mapping[str, Any]) -> dict[str, Any]:
    """The description as JSON-LD; `versioned` adds what only a push knows.

    Args:
        built: The build; its files are read for their checksums.
        front: The front matter of the card.
    """
    home = f"https://huggingface.co/datasets/{built.repo}"
    said = front.get("rai") or {}
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": list(CONFORMS_TO),
        "name": built.repo.partition("/")[2],
        "description": " ".join((f"{front['pretty_name']}.", *_summaries(built, front))),
        "url": home,
        "license": [_licence(front, home)],
        "citeAs": f"Guo, Qian, Hasan, Du: Position: Universal Aesthetic Alignment Narrows "
        f"Artistic Expression, ICML 2026, {_PAPER}",
        "sameAs": [f"{home}/raw/main/README.md"],
        "distribution": [_file(built, home, name) for c in built.configs for name in c.files],
        **{f"rai:{key}": said[key] for key in RAI_KEYS if key in said},
    }


def _summaries(built: Build, front: Mapping[str, Any]) -> list[str]:
    return [front["configs"][config.name] for config in built.configs]


def versioned(text: bytes, version: str | None) -> bytes:
    """A croissant.json as a version of the repository; None: as none.

    The tag `v3` is 3.0.0, since Croissant asks for semantic versions.
    """
    said = json.loads(text)
    said.pop("version", None)
    if version is not None:
        said["version"] = f"{version.removeprefix('v')}.0.0"
    return json_bytes(said)


def _licence(front: Mapping[str, Any], home: str) -> str:
    link = front.get("license_link")
    if link is None:
        return f"https://spdx.org/licenses/{_SPDX[front['license']]}.html"
    return link if link.startswith("https://") else f"{home}/blob/main/{link}"


def _file(built: Build, home: str, name: str) -> dict[str, Any]:
    path = built.path / name
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": f"{home}/resolve/main/{name}",
        "contentSize": f"{path.stat().st_size} B",
        "encodingFormat": "application/vnd.apache.parquet",
        "sha256": file_sha256(path),
    }
