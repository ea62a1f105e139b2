"""The hyperparameters that Lightning's loggers put beside their logs, `hparams.yaml`: read as data whatever its tags.

Lightning writes Python's tags (`!!python/object:…`) where a hyperparameter was an object; nothing of it is made.
"""

from __future__ import annotations

from typing import Any

from mlhub.errors import MlhubError
from mlhub.files import read_regular
from mlhub.yaml12 import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from mlhub.foreign.source import Sink

NAME = "hparams.yaml"

#: PyYAML takes a second for 200 kB
_MOST = 256 << 10


def read_hparams(folder: Path, sink: Sink) -> dict[str, Any]:
    """What `hparams.yaml` in a folder says; empty if there is none, or none that can be read, which `sink` is told."""
    try:
        data = read_regular(folder / NAME, _MOST + 1)
        if len(data) > _MOST:
            sink.tell(f"{NAME} is longer than 256 kB: left out")
            return {}
        tree = parse(data.decode(errors="replace"), NAME, any_tag=True)
    except FileNotFoundError:
        return {}
    except OSError as error:
        sink.tell(f"{NAME}: {error.strerror}; left out")
        return {}
    except MlhubError as error:
        sink.tell(f"{error.message}; left out")
        return {}
    return {str(key): value for key, value in tree.items()} if isinstance(tree, dict) else {}
