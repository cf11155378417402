"""Run one symsim command and print, on standard error, what it asked of the operating system.

``python audited.py REPORT ARGUMENT…`` writes a JSON list of audit events to the file REPORT: files
opened, code compiled and run from text, programs started, connections made.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

REPORT = Path(sys.argv[1])
EVENTS: list[tuple[str, str]] = []
STARTING = (
    "os.system",
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.posix_spawn",
    "os.spawn",
    "subprocess.Popen",
    "pty.spawn",
)
LISTENING = (
    "socket.connect",
    "socket.bind",
    "socket.getaddrinfo",
    "urllib.Request",
    "ctypes.dlopen",
    "pickle.find_class",
)


_open = os.open


def _open_noting_the_folder(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
    """The audit event of ``os.open`` lacks the folder that a path is relative to: it is noted here."""
    if dir_fd is None:
        return _open(path, flags, mode)
    EVENTS.append(("open", os.path.join(os.readlink(f"/proc/self/fd/{dir_fd}"), os.fsdecode(path))))  # noqa: PTH115, PTH118
    RELATIVE.append(os.fsdecode(path))
    try:
        return _open(path, flags, mode, dir_fd=dir_fd)
    finally:
        RELATIVE.pop()


RELATIVE: list[str] = []
"""The path that is being opened relative to a folder: its own event is left out."""


def _hook(event: str, details: tuple[Any, ...]) -> None:
    if event == "open":
        path = os.fsdecode(details[0]) if not isinstance(details[0], int) else ""
        if path not in RELATIVE:
            EVENTS.append((event, path))
    elif event == "compile":
        text = details[0]
        EVENTS.append((event, text.decode(errors="replace") if isinstance(text, bytes) else str(text)))
    elif event in (*STARTING, *LISTENING) and details != (None,):  # ctypes looks into the program itself
        EVENTS.append((event, repr(details)))


def main() -> None:
    sys.argv = ["symsim", *sys.argv[2:]]
    from symsim.cli.main import main as symsim

    os.open = _open_noting_the_folder
    sys.addaudithook(_hook)
    try:
        symsim()
    finally:
        found = list(EVENTS)
        REPORT.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
