"""pytest_navigator: does this model still export, convert, give the same numbers and run fast, in every format?"""

from __future__ import annotations

__version__ = "0.1.0"
