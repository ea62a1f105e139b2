"""`python -P -m mlhub.runner.tick`: one tick of the queue, started by a supervisor as its last act. Says nothing.

Not for people: they have `mlhub queue`. What goes wrong here is seen, and told, by the next command that reads.
"""

from __future__ import annotations

import os
import sys
import time

#: a driver may name a process that has ended, and a supervisor that started us may live, for a moment longer
_ROUNDS, _PAUSE_SECONDS = 4, 1.0


def main() -> None:
    # of whoever started the run whose end this is; what waits knows the limit it was queued under
    os.environ.pop("MLHUB_MAX_RUNS", None)
    from mlhub.errors import MlhubError
    from mlhub.runner.queue import tick
    from mlhub.settings import Settings
    from mlhub.store.store import Store

    try:
        settings = Settings.load()
        store = Store.open(settings.to_home())
        for turn in range(_ROUNDS):
            if turn:
                time.sleep(_PAUSE_SECONDS)
            tick(store, max_runs=settings.max_runs)
            if not any(run.waiting and (run.gpus_wanted or run.attempt > 1) for run in store.active()):
                break
    except MlhubError as error:
        sys.exit(f"{error.message}; {error.hint}")


if __name__ == "__main__":
    main()
