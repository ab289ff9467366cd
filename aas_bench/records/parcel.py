"""A result on its way: records with their scores in one file, to send and to receive."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from aas_bench.errors import InputError
from aas_bench.files import whole_file
from aas_bench.records.accept import MOST_BYTES, check_folder
from aas_bench.records.collection import MAX_BYTES, load_results
from aas_bench.records.make_records import MEASURED, add_run
from aas_bench.records.record import Record

MOST_FILES: Final = 200
_WHEN: Final = (1980, 1, 1, 0, 0, 0)
"""The one time of every member, so that equal results give equal bytes."""


def pack(run: Path, out: Path | None, *, task: str | None = None, tag: str = MEASURED) -> Path:
    """Measure a run into records and put them, with their scores, into one file to send.

    Args:
        run: What `add_run` takes: the folder of a scoring, or of one generator's run.
        out: The file to write; None names it after the first record, in the current folder.
        task: The task of the pairs; None: as the run says.
        tag: Last part of the records' ids.

    Returns:
        The file.

    Raises:
        InputError: The folder is no such run, or its records would not be accepted.
        StoreError: A file of the run is damaged.
    """
    with tempfile.TemporaryDirectory(prefix="aas-parcel-") as folder:
        place = Path(folder)
        records = add_run(run, place, task=task, tag=tag)
        _refuse_unfit(place)
        file = out or Path(f"{records[0].id.replace('/', '-')}.zip")
        with whole_file(file) as stream, zipfile.ZipFile(stream, "w") as parcel:
            for path in sorted(place.rglob("*")):
                if path.is_file():
                    name = zipfile.ZipInfo(path.relative_to(place).as_posix(), date_time=_WHEN)
                    parcel.writestr(name, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return file


def receive(parcel: Path, folder: Path) -> tuple[Record, ...]:
    """Put the records of a parcel into a folder of records; all of them are accepted, or none.

    Nothing of a parcel is believed: its size and names are checked before anything is unpacked, and
    each record is recomputed from its scores before it is moved.

    Args:
        parcel: What `pack` wrote.
        folder: Where records are kept; made where absent.

    Returns:
        The records, in the order of their ids.

    Raises:
        InputError: It is no parcel, a record is not accepted, or its id is taken.
    """
    with tempfile.TemporaryDirectory(prefix="aas-parcel-") as aside:
        place = Path(aside)
        _unpack(parcel, place)
        results = load_results(place)
        if not results.records and not results.refused:
            msg = f"{parcel} holds no record. Give what `aas-bench results pack` wrote."
            raise InputError(msg)
        _refuse_unfit(place)
        for record in results.records:
            if not (place / f"{record.id}.json").is_file():
                msg = f"{parcel} holds {record.id!r} under another name. Pack the run again."
                raise InputError(msg)
        taken = [r.id for r in results.records if (folder / f"{r.id}.json").exists()]
        if taken:
            msg = f"{', '.join(taken)} is there already. Ask for another --tag, or remove it first."
            raise InputError(msg)
        for record in results.records:
            _move(record, place, folder)
    return results.records


def _move(record: Record, place: Path, folder: Path) -> None:
    """The scores first: a record is never there without them."""
    target = folder / f"{record.id}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    files = [] if record.scores is None else [record.scores.file]
    for name in (*files, target.name):
        with whole_file(target.parent / name) as stream:
            stream.write(((place / record.id).parent / name).read_bytes())


def _refuse_unfit(place: Path) -> None:
    unfit = [verdict for verdict in check_folder(place) if verdict.refused]
    if unfit:
        more = f" (and {len(unfit) - 1} more files)" if len(unfit) > 1 else ""
        msg = f"{unfit[0].file} is not accepted: {'; '.join(unfit[0].refused)}{more}."
        raise InputError(msg)


def _unpack(parcel: Path, place: Path) -> None:
    try:
        with zipfile.ZipFile(parcel) as opened:
            members = opened.infolist()
            _refuse_members(parcel, members)
            for member in members:
                target = place / member.filename
                target.parent.mkdir(parents=True, exist_ok=True)
                with opened.open(member) as source, target.open("wb") as copy:
                    shutil.copyfileobj(source, copy)
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        told = getattr(error, "strerror", None) or str(error)
        msg = f"{parcel} cannot be opened ({told}). Give what `aas-bench results pack` wrote."
        raise InputError(msg) from error


def _refuse_members(parcel: Path, members: Sequence[zipfile.ZipInfo]) -> None:
    """A parcel holds few, small, plainly named files."""
    if len(members) > MOST_FILES:
        msg = f"{parcel} holds {len(members):,} files; the most is {MOST_FILES}. Send it in parts."
        raise InputError(msg)
    for member in members:
        path = PurePosixPath(member.filename)
        most = {".json": MAX_BYTES, ".parquet": MOST_BYTES}.get(path.suffix)
        plain = len(path.parts) == 3 and ".." not in path.parts and not path.is_absolute()
        if most is None or not plain or "\\" in member.filename or member.is_dir():
            shown = "".join(mark if mark.isprintable() else "?" for mark in member.filename)[:80]
            msg = f"{parcel} holds {shown!r}, which is no record and no scores. Leave it out."
            raise InputError(msg)
        if member.file_size > most:
            msg = f"{member.filename} in {parcel} is larger than {most:,} bytes. Send less."
            raise InputError(msg)
