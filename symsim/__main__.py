"""``python -m symsim``, and the console script."""

FAULT = 3
"""Exit status of a fault of symsim itself: 1 would mean that the answer is no, 2 that the input is wrong."""


def run() -> None:
    """Run the command line; Ctrl-C is quiet while it is still being loaded."""
    try:
        from symsim.cli.interrupt import quiet_from_now

        quiet_from_now()
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    from symsim.cli.main import main

    try:
        main()
    except Exception:
        import traceback

        traceback.print_exc()
        raise SystemExit(FAULT) from None


if __name__ == "__main__":
    run()
