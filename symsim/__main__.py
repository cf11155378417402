"""``python -m symsim``, and the console script."""


def run() -> None:
    """Run the command line; Ctrl-C is quiet while it is still being loaded."""
    try:
        from symsim.cli.interrupt import quiet_from_now

        quiet_from_now()
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    from symsim.cli.main import main

    main()


if __name__ == "__main__":
    run()
