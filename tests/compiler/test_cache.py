"""Entries of the cache are written whole: who reads while another writes sees the old entry or the new one."""

from __future__ import annotations

from pathlib import Path

import pytest

from symsim.compiler import cache

OLD, NEW = {"value": 1}, {"value": 2}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SYMSIM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_an_entry_is_not_written_in_place(folder: Path) -> None:
    """Who has the old file open goes on to read the old entry."""
    key = cache.key_of("test", "a")
    cache.write(key, OLD)
    (entry,) = folder.glob("*.json")
    before = entry.read_bytes()
    with entry.open("rb") as opened:
        cache.write(key, NEW)
        assert opened.read() == before
    assert cache.read(key) == NEW


def test_what_fails_while_it_is_written_leaves_the_old_entry_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = cache.key_of("test", "a")
    cache.write(key, OLD)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        cache.write(key, NEW)
    assert cache.read(key) == OLD
    assert [path.suffix for path in folder.iterdir()] == [".json"]


def test_other_parts_are_other_keys() -> None:
    keys = {
        cache.key_of(*parts) for parts in (("a", "b"), ("a", "c"), ("ab",), ("a", "b", ""), ("b", "a"), ("a", ["b"]))
    }
    assert len(keys) == 6
