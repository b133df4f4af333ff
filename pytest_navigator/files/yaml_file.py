"""YAML files that people write: errors with the place, and no key twice."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

import yaml

from pytest_navigator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Hashable
    from pathlib import Path


def read_mapping(path: Path) -> dict[str, Any]:
    """Return the content of a YAML file that is a mapping; {} for an empty one.

    Raises:
        ConfigError: the file is not there, cannot be read, is no YAML or no mapping, or has a key twice.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is no text in UTF-8; a YAML file is needed") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is no YAML: {' '.join(str(error).split())}") from None
    if content is None:
        return {}
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ConfigError(f"{path}: lines of the form `key: value` are needed, like `max_batch_size: 8`")
    return content


class _Loader(yaml.SafeLoader):
    """PyYAML's own takes the last of two equal keys without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if twice := [key for key in dict.fromkeys(keys) if keys.count(key) > 1]:
            raise yaml.constructor.ConstructorError(None, None, f"the key {twice[0]!r} comes twice", node.start_mark)
        return super().construct_mapping(node, deep)
