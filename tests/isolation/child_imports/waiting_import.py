"""Says that its import has begun, then waits to be let go."""

from __future__ import annotations

import os
import time
from pathlib import Path

folder = Path(os.environ["WAITING_IMPORT"])
(folder / "begun").touch()
while not (folder / "go").exists():
    time.sleep(0.02)
