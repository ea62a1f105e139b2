"""The machine over time: a thread that reads GPUs, CPU, memory, disk and network, and keeps a history of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlhub.paths import Home


class Machine:
    """Starts reading with `start`, after the first paint."""

    def __init__(self, home: Home) -> None:
        self._home = home
        #: rises with each reading
        self.version = 0

    def start(self) -> None:
        pass

    def words(self) -> list[tuple[str, str]]:
        """For the status row: texts, each with a colour's name of `Look`: `("GPU0 93% 71/80G 74C", "text")`."""
        return []

    def close(self) -> None:
        pass
