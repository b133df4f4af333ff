"""What is in an artifact, for who goes by content."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pytest_navigator.core.digests import digest_of, files_of

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_navigator.core.variants import Variant
    from pytest_navigator.engine.context import Context

RANDOM = "fingerprint.pb"  # TensorFlow writes a new random number into it with every SavedModel; nothing reads it


def content_of(context: Context, variant: Variant) -> str:
    """Return the digest of an artifact, without what is random in it."""
    artifact = context.artifact(variant)
    if any(path.name == RANDOM for path in files_of(artifact)):
        return content_at(artifact)
    made = context.folder.record(context.suite.matrix.making(variant.key).id)
    return made.digest_of(variant.key) if made else ""


def content_at(artifact: Path) -> str:
    """Return the same of any artifact, read from the disk."""
    files = [path for path in files_of(artifact) if path.name != RANDOM]
    if len(files) == len(files_of(artifact)):
        return digest_of(artifact)
    return json.dumps([(path.relative_to(artifact).as_posix(), digest_of(path)) for path in files])
