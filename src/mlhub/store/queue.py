"""The rows of the queue: what waits and in which order, claims, further attempts, and whether a host starts anything.

Who may start, and what is launched, is `mlhub.runner.queue`'s.
"""

from __future__ import annotations

from typing import Any

from mlhub.store import texts
from mlhub.store.rows import Rows, explained, to_text
from mlhub.store.runs import QueueState, Run


class QueueRows(Rows):
    """What a Store knows of waiting, claimed and retried runs."""

    def claim(self, run: Run, gpus: list[int], claimed_boot: float) -> bool:
        """Waiting -> about to be launched, with these GPUs; False if somebody else was faster."""
        return self._change(
            texts.CLAIM_RUN, id=run.id, attempt=run.attempt, gpus=to_text(gpus), claimed_boot=claimed_boot
        )

    def renew_claim(self, run: Run, now: float) -> bool:
        """Whether the claim is still ours, just before the launch; if so it counts from `now` on."""
        return self._change(texts.RENEW_CLAIM, id=run.id, attempt=run.attempt, claimed_boot=run.claimed_boot, now=now)

    def unclaim(self, run: Run) -> bool:
        """Back into the queue: its launch never came about."""
        return self._change(texts.UNCLAIM_RUN, id=run.id, attempt=run.attempt)

    def requeue(
        self,
        run: Run,
        *,
        retries: int,
        priority: int,
        gpus_wanted: int,
        slots: int,
        claimed_boot: float,
        after: list[int],
    ) -> bool:
        """A run that failed, was cancelled, or was claimed and never launched, waits again as its next attempt.

        False if somebody else put it there, or gave up its retries.
        """
        return self._change(
            texts.REQUEUE_RUN,
            id=run.id,
            attempt=run.attempt,
            next=run.attempt + 1,
            retries=retries,
            priority=priority,
            gpus_wanted=gpus_wanted,
            slots=slots,
            claimed_boot=claimed_boot,
            after_runs=to_text(after),
            had=run.retries,
        )

    def cancel_waiting(self, run: Run, *, ended_at: str, reason: str) -> bool:
        """The end of a run that has not been claimed; False if it has."""
        return self._change(texts.CANCEL_WAITING, id=run.id, attempt=run.attempt, ended_at=ended_at, reason=reason)

    def any_waiting(self) -> bool:
        """Whether there is anything for a tick to look at."""
        found = self._one(texts.ANY_WAITING)
        return bool(found and found[0])

    def spend_retries(self, run: Run) -> None:
        """No further attempt by itself, whichever it has come to."""
        self._change(texts.SPEND_RETRIES, id=run.id)

    def set_orphans(self, run: Run, pids: list[int]) -> None:
        """Processes that a lost run left behind; they keep its GPUs."""
        self._change(texts.SET_ORPHANS, id=run.id, attempt=run.attempt, orphans=to_text(pids))

    def set_alerts(self, run: Run, alerts: list[dict[str, Any]]) -> None:
        self._change(texts.SET_ALERTS, id=run.id, alerts=to_text(alerts))

    def move(self, run: Run, *, priority: int, place: float) -> bool:
        """Another place in the queue; False if it does not wait any more."""
        return self._change(texts.MOVE_RUN, id=run.id, priority=priority, place=place)

    def waiting(self, host: str) -> list[Run]:
        """Runs waiting on `host`, in the order in which they are to start."""
        return [self._run(row) for row in self._rows(texts.WAITING_RUNS, host=host)]

    def waiting_elsewhere(self, host: str) -> list[Run]:
        """Runs waiting on other hosts, which this one does not start."""
        return [self._run(row) for row in self._rows(texts.WAITING_ELSEWHERE, host=host)]

    def adopt(self, old: str, host: str) -> int:
        """Let what waits on the host `old` wait on `host`; how many runs that were."""
        with explained(self.home):
            return self._execute(texts.ADOPT_RUNS, {"old": old, "host": host}).rowcount

    def waits_no_more_for(self, run: Run) -> None:
        """Take a run that completed out of what others wait for, before it is removed."""
        for row in self._rows(texts.ALL_WAITING):
            other = self._run(row)
            if run.id in other.after:
                self._change(texts.SET_AFTER, id=other.id, after_runs=to_text([n for n in other.after if n != run.id]))

    def orphaned(self) -> list[Run]:
        """Ended runs that left processes behind."""
        return [self._run(row) for row in self._rows(texts.ORPHANED_RUNS)]

    def to_retry(self, host: str) -> list[Run]:
        """Failed runs with retries left."""
        return [self._run(row) for row in self._rows(texts.FAILED_WITH_RETRIES, host=host)]

    def queue_state(self, host: str) -> QueueState:
        """Whether the queue of `host` starts anything."""
        found = self._one(texts.QUEUE_STATE, host=host)
        if found is None:
            return QueueState(host=host)
        name, boot, paused, reason, changed_at = found
        return QueueState(host=name, boot=boot, paused=bool(paused), reason=reason, changed_at=changed_at)

    def set_queue_state(self, state: QueueState) -> None:
        self._change(
            texts.SET_QUEUE_STATE,
            host=state.host,
            boot=state.boot,
            paused=int(state.paused),
            reason=state.reason,
            changed_at=state.changed_at,
        )
