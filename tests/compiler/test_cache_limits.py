"""The disk cache stays below its limit: what was used longest ago goes first, and nothing that is not its own."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from symsim.compiler import cache
from symsim.compiler.cache_limits import (
    DEFAULT_BYTES,
    MAX_AGE_S,
    UNFINISHED_S,
    USED_S,
    VARIABLE,
    limit_bytes,
    shrink,
)
from symsim.diagnostics import InputError
from tests.errors.case import run

DAY_S = 24 * 3600


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "cache"
    monkeypatch.setenv("SYMSIM_CACHE", str(place))
    monkeypatch.setattr(cache, "_written", {})
    place.mkdir(mode=0o700)
    return place


def entry(folder: Path, number: int, size: int, age_s: float) -> str:
    path = folder / f"{number:064x}.json"
    path.write_bytes(b" " * size)
    os.utime(path, (time.time() - age_s,) * 2)
    return path.name


def names(folder: Path) -> set[str]:
    return {p.name for p in folder.iterdir()}


@pytest.mark.parametrize(
    ("given", "wanted"),
    [(None, DEFAULT_BYTES), ("", DEFAULT_BYTES), ("0", 0), ("1000", 1000), ("500 MB", 5 * 10**8), ("2GiB", 2**31),
     ("1.5 KiB", 1536)],
)  # fmt: skip
def test_limit_is_an_amount(given: str | None, wanted: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    if given is not None:
        monkeypatch.setenv(VARIABLE, given)
    assert limit_bytes() == wanted


@pytest.mark.parametrize("given", ["much", "-1", "1 GiB/s", "1e99", "9" * 100, "1 2"])
def test_limit_that_is_no_amount_is_an_error(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """E010: said before anything is done."""
    monkeypatch.setenv(VARIABLE, given)
    with pytest.raises(InputError, match="is not an amount of memory"):
        limit_bytes()
    found = run("list", "systems")
    assert (found.status, found.out) == (2, "")
    assert f"error[E010]: {VARIABLE} is not an amount of memory" in found.err


def test_limit_that_is_no_amount_stops_no_caller_of_python(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "much")
    cache.write("0" * 64, {"x": 1})
    assert cache.read("0" * 64) is None


def test_oldest_go_first_until_a_fifth_is_free(folder: Path) -> None:
    kept = {entry(folder, k, 100, age_s=k * DAY_S) for k in range(8)}
    gone = {entry(folder, k, 100, age_s=k * DAY_S) for k in range(8, 12)}
    shrink(str(folder), limit=1000)
    assert names(folder) == kept
    assert not names(folder) & gone


def test_nothing_goes_below_the_limit(folder: Path) -> None:
    all_of_them = {entry(folder, k, 100, age_s=k * DAY_S) for k in range(10)}
    shrink(str(folder), limit=1000)
    assert names(folder) == all_of_them


def test_what_is_unused_for_long_goes(folder: Path) -> None:
    entry(folder, 1, 10, age_s=MAX_AGE_S + DAY_S)
    kept = entry(folder, 2, 10, age_s=MAX_AGE_S - DAY_S)
    shrink(str(folder), limit=1000)
    assert names(folder) == {kept}


def test_what_was_never_finished_goes(folder: Path) -> None:
    for name, age_s in (("tmpold.part", 2 * UNFINISHED_S), ("tmpnew.part", 0)):
        (folder / name).touch()
        os.utime(folder / name, (time.time() - age_s,) * 2)
    shrink(str(folder), limit=1000)
    assert names(folder) == {"tmpnew.part"}


def test_files_of_others_stay(folder: Path) -> None:
    others = {"notes.txt", "cases.json", f"{1:064x}.json.bak", "x.part"}
    for name in others:
        (folder / name).write_bytes(b" " * 5000)
        os.utime(folder / name, (0, 0))
    (folder / f"{7:064x}.json").symlink_to(folder / "notes.txt")
    shrink(str(folder), limit=0)
    assert others <= names(folder)
    assert (folder / "notes.txt").stat().st_size == 5000


def test_reading_keeps_an_entry_young(folder: Path) -> None:
    key = "a" * 64
    cache.write(key, {"x": 1})
    path = folder / f"{key}.json"
    os.utime(path, (time.time() - 2 * USED_S,) * 2)
    cache.read(key)
    assert time.time() - path.stat().st_mtime < USED_S


def test_writing_keeps_the_folder_below_its_limit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "100 kB")
    for k in range(200):
        cache.write(f"{k:064x}", {"x": "y" * 3000})
        assert sum(p.stat().st_size for p in folder.iterdir()) <= 100_000
    assert f"{199:064x}.json" in names(folder)


def test_first_entry_of_a_process_makes_room(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "10 kB")
    old = {entry(folder, k, 4000, age_s=k * DAY_S) for k in range(1, 10)}
    cache.write("f" * 64, {"x": 1})
    assert len(names(folder) & old) <= 2
    assert f"{'f' * 64}.json" in names(folder)


def test_entry_that_takes_too_much_of_the_limit_is_not_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "0")
    cache.write("f" * 64, {"x": 1})
    assert names(folder) == set()
