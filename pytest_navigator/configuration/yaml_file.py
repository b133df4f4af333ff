"""YAML files that people write: errors with the place, and no key twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from pytest_navigator.core import bounded_yaml
from pytest_navigator.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

# Bytes and values of a file that people write.
LARGEST = 4 * 2**20
MOST_VALUES = 100_000


def read_mapping(path: Path) -> dict[str, Any]:
    """Return the content of a YAML file that is a mapping; {} for an empty one.

    Raises:
        ConfigError: the file is not there, cannot be read, is no YAML or no mapping, or has a key twice.
    """
    try:
        content = bounded_yaml.load(_text(path), MOST_VALUES, unique=True)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is no text in UTF-8; a YAML file is needed") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"{path} is no YAML: {' '.join(str(error).split())}") from None
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from None
    if content is None:
        return {}
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ConfigError(f"{path}: lines of the form `key: value` are needed, like `max_batch_size: 8`")
    return content


def _text(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError(f"it has more than {LARGEST} bytes, which no configuration has")
    return content.decode()
