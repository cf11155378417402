"""``python -m symsim``."""

from symsim.cli.main import main

main()
