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


def _hook(event: str, details: tuple[Any, ...]) -> None:
    if event == "open":
        EVENTS.append((event, os.fsdecode(details[0]) if not isinstance(details[0], int) else ""))
    elif event == "compile":
        text = details[0]
        EVENTS.append((event, text.decode(errors="replace") if isinstance(text, bytes) else str(text)))
    elif event in (*STARTING, *LISTENING) and details != (None,):  # ctypes looks into the program itself
        EVENTS.append((event, repr(details)))


def main() -> None:
    sys.argv = ["symsim", *sys.argv[2:]]
    from symsim.cli.main import main as symsim

    sys.addaudithook(_hook)
    try:
        symsim()
    finally:
        found = list(EVENTS)
        REPORT.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
