"""The record of the app: one JSON file that only its user can read, changed whole or not at all."""

from __future__ import annotations

import json
import os
import secrets
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Union

from .errors import PkceError

Record = Dict[str, Any]
"""``session`` or None; ``logins``: those under way, oldest first; ``used``: states of those that are over."""

_VERSION = 1
_NEW = os.O_CREAT | os.O_EXCL | os.O_WRONLY


def empty() -> Record:
    return {"v": _VERSION, "session": None, "logins": [], "used": []}


class FileStore:
    """A record in a file of mode 0600. Failing storage is ``storage_unavailable`` and never looks like an empty one."""

    def __init__(self, path: Union[str, Path]) -> None:
        self._path = Path(path)

    def read(self) -> Record:
        """What is stored now."""
        with _as_storage_error():
            return self._load()

    def update(self, change: Callable[[Record], None]) -> Record:
        """One atomic change, durable when this returns. The lock keeps other threads out too, since each opens it."""
        with _as_storage_error(), self._locked():
            record = self._load()
            before = json.dumps(record)
            change(record)
            if json.dumps(record) != before:
                self._save(record)
            return record

    def _load(self) -> Record:
        try:
            text = self._path.read_text("utf-8")
        except FileNotFoundError:
            return empty()
        try:
            record = json.loads(text)
        except ValueError:
            record = None
        # Nothing that this version wrote: writes are whole, so no crash of ours leaves half a record.
        if not isinstance(record, dict) or record.get("v") != _VERSION:
            return empty()
        return record

    def _save(self, record: Record) -> None:
        aside = self._path.with_name(f"{self._path.name}.{secrets.token_hex(6)}")
        try:
            # Mode 0600 from the first byte on, and never through a link that somebody laid there.
            with open(os.open(aside, _NEW, 0o600), "w", encoding="utf-8") as file:
                json.dump(record, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(aside, self._path)
        finally:
            aside.unlink(missing_ok=True)
        self._sync_folder()

    def _sync_folder(self) -> None:
        """Makes the rename itself durable. Windows has no such thing and needs none."""
        if os.name == "nt":
            return
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Held by the system, so that a killed process leaves no lock behind."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self._path.with_name(f"{self._path.name}.lock"), os.O_CREAT | os.O_RDWR, 0o600)
        try:
            _lock(handle)
            yield
        finally:
            os.close(handle)


if os.name == "nt":
    import msvcrt

    def _lock(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_LOCK, 1)  # type: ignore[attr-defined]

else:
    import fcntl

    def _lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX)


@contextmanager
def _as_storage_error() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PkceError("storage_unavailable", retryable=True) from error
