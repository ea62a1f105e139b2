"""`python -P -m mlhub.runner.tidy`: once a day, what frees space and loses nothing; a sampler starts it when it ends.

Logs and metrics of old runs are compressed, and what was removed longer ago than the trash keeps it goes. Not for
people, who have `mlhub gc`, and never checkpoints.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress

from mlhub.errors import MlhubError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.paths import Home

_KINDS = ("trash", "logs", "metrics")
_DAY = 86_400.0


def due(home: Home) -> bool:
    """Whether nobody has tidied this home for a day."""
    try:
        return not 0 <= time.time() - home.tidied.stat().st_mtime < _DAY
    except OSError:
        return True


def main() -> None:
    from mlhub.runner import house
    from mlhub.settings import Settings
    from mlhub.store.store import Store

    settings = Settings.load()
    home = settings.to_home()
    if not due(home):
        return
    home.tidied.touch()  # first: what fails today is not tried again with each run that ends
    os.nice(19)
    store = Store.open(home)
    for item in house.plan(store, house.Ages.of(settings), _KINDS).items:
        with suppress(MlhubError, OSError):  # the next: `mlhub gc` tells
            house.free(store, item)


if __name__ == "__main__":
    try:
        main()
    except (MlhubError, OSError) as error:
        sys.exit(str(error))
