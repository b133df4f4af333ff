"""What Polygraphy and TensorRT print -> the one line that says why no engine was built (pure)."""

from __future__ import annotations

import re

NODE = re.compile(
    r"In node (?P<number>\d+) with name: (?P<name>.*?) and operator: (?P<operator>\S+) \(\w+\): (?P<why>.*)"
)
API = re.compile(r"Error Code \d+: [^(]*\((?P<why>.*)\)\s*$")
PLACE = re.compile(r"\.? In \w+ at \S+$|^\[\w+\.cpp:\d+: \w+\] ")
NOISE = ("catchCudaError",)  # Asked for a device that is not there, TensorRT-RTX goes on without one

# What the parser says -> what it means.
REASONS = (
    ("UNSUPPORTED_NODE", "TensorRT does not have this operator, or not with these types"),
    ("Plugin not found", "TensorRT does not have this operator, and no plugin for it is loaded"),
)

WORKSPACE = "a larger max_workspace_size may help"
MEMORY = "the GPU has too little free memory: a smaller max_workspace_size or batch may help"
# What stands anywhere in the line of an error -> what may help.
HINTS = (
    ("within workspace limit", WORKSPACE),
    ("insufficient workspace", WORKSPACE),
    ("OutOfMemory", MEMORY),
    ("out of memory", MEMORY),
    ("insufficient for CUDA runtime", "the driver is missing or older than TensorRT's CUDA"),
)


def failure(log: str, *, limited: bool = True) -> str:
    """Return why a build failed: the node that cannot be parsed, else the last error, else Polygraphy's own words.

    Args:
        limited: whether the configuration limits the workspace; there is no larger limit than none.
    """
    lines = [line for line in log.splitlines() if line.startswith("[E]") and not _noise(line)]
    errors = [(why, line) for line in lines if (why := _why(line))]
    nodes = [found for line in log.splitlines() if (found := NODE.search(line))]
    if nodes:
        node = nodes[-1]
        reason = _reason(node["why"], [why for why, _ in errors])
        return f"node {node['name'] or node['number']!r} ({node['operator']}): {reason}"
    why, line = errors[-1] if errors else (_polygraphy(log), "")
    hint = next((hint for mark, hint in HINTS if mark in line and (limited or hint != WORKSPACE)), "")
    return f"{why}: {hint}" if hint else why


def _reason(why: str, errors: list[str]) -> str:
    return next((text for mark, text in REASONS if mark in why), errors[0] if errors else why)


def _why(line: str) -> str:
    found = API.search(line)
    return PLACE.sub("", PLACE.sub("", found["why"])).strip() if found else ""


def _noise(line: str) -> bool:
    return any(mark in line for mark in NOISE)


def _polygraphy(log: str) -> str:
    """Return the last of Polygraphy's own errors, else the last line that it printed."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    own = [line[4:] for line in lines if line.startswith(("[!] ", "[E] "))]
    return (own or lines or ["it printed nothing"])[-1]
