"""Datasets as `snapshot_download` leaves them in the Hub's cache."""

import os

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def snapshot(folder, files, repo="datasets--weathon--scored"):
    """Files, by name, as links into `blobs`; returns the folder of the one snapshot."""
    home = folder / repo
    (home / "blobs").mkdir(parents=True)
    for number, (name, content) in enumerate(files.items()):
        blob = home / "blobs" / f"{number:064x}"
        blob.write_bytes(content)
        link = home / "snapshots" / COMMIT / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(blob, link.parent))
    return home / "snapshots" / COMMIT


def linked(folder, home, repo="datasets--weathon--linked"):
    """A folder's files laid out like this."""
    files = {f.relative_to(folder).as_posix(): f.read_bytes() for f in folder.rglob("*.*")}
    return snapshot(home, files, repo)
