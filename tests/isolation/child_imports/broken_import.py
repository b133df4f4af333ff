from __future__ import annotations

print("about to break")
raise RuntimeError("a shared library is missing")
