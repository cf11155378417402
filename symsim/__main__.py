"""``python -m symsim``, and the console script."""

FAULT = 3
"""Exit status of a fault of symsim itself: 1 would mean that the answer is no, 2 that the input is wrong."""


def run() -> None:
    """Run the command line; Ctrl-C is quiet while it is still being loaded."""
    try:
        from symsim.cli.interrupt import INTERRUPTED, end_quietly, quiet_from_now

        quiet_from_now()
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    from symsim.cli.main import main

    try:
        main()
    except SystemExit as end:
        if end.code == INTERRUPTED:
            # What was begun is ended: Python's own way out would wake threads of it that are gone, and say so.
            end_quietly()
        raise
    except Exception:
        import traceback

        traceback.print_exc()
        raise SystemExit(FAULT) from None


if __name__ == "__main__":
    run()
