from __future__ import annotations

import os

print("about to crash")
os.abort()
