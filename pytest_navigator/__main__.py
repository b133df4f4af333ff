"""`python -m pytest_navigator`: the command line."""

from __future__ import annotations

import sys

from pytest_navigator.cli import main

if __name__ == "__main__":
    sys.exit(main())
