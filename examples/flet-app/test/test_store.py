"""The store: whole, private, and never taken for empty."""

from __future__ import annotations

import os
import stat
import threading
import unittest
from typing import Any, Dict, List
from unittest import mock

from case import Case
from pkce_client import PkceError
from pkce_client.store import FileStore, empty


class Store(Case):
    def test_a_file_of_0600_and_nothing_beside_it_but_its_lock(self) -> None:
        store = FileStore(self.path)
        store.update(lambda record: record.update(used=["x"]))
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(os.stat(self.path.parent).st_mode), 0o700)
        self.assertEqual(sorted(os.listdir(self.path.parent)), ["session.json", "session.json.lock"])

    def test_a_change_that_fails_leaves_the_old_record_whole(self) -> None:
        store = FileStore(self.path)
        store.update(lambda record: record.update(used=["old"]))

        def fail(record: Dict[str, Any]) -> None:
            record["used"] = ["new", object()]

        with self.assertRaises(TypeError):
            store.update(fail)
        self.assertEqual(store.read()["used"], ["old"])
        self.assertEqual(sorted(os.listdir(self.path.parent)), ["session.json", "session.json.lock"])

    def test_a_rename_that_fails_leaves_the_old_record_and_nothing_beside_it(self) -> None:
        store = FileStore(self.path)
        store.update(lambda record: record.update(used=["old"]))
        with mock.patch("os.replace", side_effect=OSError), self.assertRaisesRegex(PkceError, "storage_unavailable"):
            store.update(lambda record: record.update(used=["new"]))
        self.assertEqual(store.read()["used"], ["old"])
        self.assertEqual(sorted(os.listdir(self.path.parent)), ["session.json", "session.json.lock"])

    def test_the_text_is_synced_before_the_rename_and_the_folder_after_it(self) -> None:
        happened: List[str] = []
        replace = os.replace

        def synced(handle: int) -> None:
            happened.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "text")

        def renamed(source: Any, target: Any) -> None:
            happened.append("rename")
            replace(source, target)

        with mock.patch("os.fsync", synced), mock.patch("os.replace", renamed):
            FileStore(self.path).update(lambda record: record.update(used=["x"]))
        self.assertEqual(happened, ["text", "rename", "folder"])

    def test_no_change_is_lost_between_threads(self) -> None:
        stores = [FileStore(self.path) for _ in range(4)]

        def work(store: FileStore) -> None:
            for _ in range(10):
                store.update(lambda record: record["used"].append("x"))

        threads = [threading.Thread(target=work, args=(store,)) for store in stores]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(stores[0].read()["used"]), 40)

    def test_storage_that_fails_does_not_look_empty(self) -> None:
        self.path.mkdir(parents=True)
        for call in (FileStore(self.path).read, lambda: FileStore(self.path).update(lambda r: r.update(used=["x"]))):
            with self.assertRaisesRegex(PkceError, "storage_unavailable"):
                call()

    def test_what_this_version_did_not_write_is_empty(self) -> None:
        self.path.parent.mkdir()
        self.path.write_text('{"v": 7}')
        self.assertEqual(FileStore(self.path).read(), empty())


if __name__ == "__main__":
    unittest.main()
