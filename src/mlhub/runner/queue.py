"""The queue: which waiting runs may start now, claimed in one transaction and launched after it. There is no daemon.

`tick` is called by every submit and listing, by each supervisor as its last act, and by `mlhub queue watch`. Order:
priority, then place. A run waits for the runs named by --after, for a slot, for GPUs; one that waits for GPUs keeps
those behind it from taking them. Not the place where a process is started (`mlhub.runner.launch`).
"""

from __future__ import annotations

import math
import os
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field

import msgspec

from mlhub.errors import MlhubError, NotFoundError
from mlhub.runner import identity, leftovers, lock, order, record
from mlhub.runner.launch import AlreadyStartedError, DiskFullError, launch
from mlhub.runner.reconcile import back_into_queue, refresh_active
from mlhub.text import now

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.paths import RunPaths
    from mlhub.runner.order import Order
    from mlhub.store.runs import QueueState, Run
    from mlhub.store.store import Store

#: compacting a million records takes a minute
_BUSY_SECONDS = 120.0
#: a run that crashes without end is not retried without end
_LAST_ATTEMPT = 1000


def tick(store: Store, *, max_runs: int = 0, refreshed: bool = False) -> list[Run]:
    """Bring active rows up to date (unless they were just now), then start what may start; the runs that were started.

    `max_runs` is this process's own limit, if it has one; without it each run waits by the limit it was queued under.
    """
    if not refreshed:
        refresh_active(store)
    if not store.any_waiting():
        return []
    host = socket.gethostname()
    state_of(store, host)
    for run in store.to_retry(host):
        _retry(store, run)
    started: list[Run] = []
    while True:
        cards = free_cards() if any(run.gpus_wanted for run in store.waiting(host)) else []
        claimed = _claim(store, host, cards, max_runs)
        good = [run for run in claimed if _start(store, run)]
        started += good
        if len(good) == len(claimed):  # else there is room again
            return started


def start_now(store: Store, run: Run, given: Order, *, max_runs: int, cards: list[int]) -> Run:
    """Start a run that was just added, if the limit, its GPUs and what it comes after allow; else it waits, as queued.

    `cards` are the free GPUs, asked for before it was added: a driver may take its time.

    Raises MlhubError if it can't be started at all.
    """
    claimed = _claim(store, socket.gethostname(), cards, max_runs, mine=run.id)
    mine = next((other for other in claimed if other.id == run.id), None)
    try:
        return store.reload(run) if mine is None else launch_claimed(store, mine, given)
    finally:
        for other in claimed:
            if other.id != run.id:
                _start(store, other)


def launch_claimed(store: Store, run: Run, given: Order, *, keep_turn: bool = False) -> Run:
    """Launch a claimed run. Raises MlhubError if it could not be started; the row then says so.

    With `keep_turn` a full disk is no failure of the run's: it goes back into the queue.
    """
    if not store.renew_claim(run, identity.boot_clock()):  # we were held up so long that it was given to another
        return store.reload(run)
    paths = store.home.run(run.id)
    order.write_facts(paths, run)
    try:
        if run.attempt > 1:
            _expand_metrics(paths)
        started = launch(paths, run.attempt, order.to_launch(store.home, run, given))
    except AlreadyStartedError:  # or stopped, this very moment
        return store.reload(run)
    except MlhubError as error:
        if keep_turn and isinstance(error, DiskFullError) and _put_back(store, run):
            raise
        store.finish(run, status="failed", ended_at=now(), exit_code=None, signal=None, reason=error.message)
        order.forget(paths, run.attempt)
        raise
    store.start(
        run,
        started_at=started.started_at,
        pid=started.pid,
        supervisor_pid=started.supervisor_pid,
        started_boot=started.started_boot,
    )
    run = store.reload(run)
    if not run.retries:
        order.forget(paths, run.attempt)
    return run


def _expand_metrics(paths: RunPaths) -> None:
    """Metrics that were compacted become a file that can be appended to. Raises MlhubError."""
    from mlhub.runner import archive

    deadline = identity.boot_clock() + _BUSY_SECONDS
    while (held := lock.take(str(paths.archive_lock))) is None:  # somebody compacts them just now
        if identity.boot_clock() > deadline:
            raise MlhubError(f"{paths.root}: in use by another process", "Try again.")
        time.sleep(0.05)
    try:
        archive.expand(paths)
    except OSError as error:
        raise MlhubError(f"its metrics can't be unpacked: {error.strerror}", "Make room, then try again.") from error
    finally:
        os.close(held)


def _start(store: Store, run: Run) -> bool:
    """Start a claimed run from the order it left."""
    given = order.read(store.home.run(run.id), run.attempt)
    if given is None:
        store.finish(run, status="failed", ended_at=now(), exit_code=None, signal=None, reason=_NO_ORDER)
        return False
    try:
        launch_claimed(store, run, given, keep_turn=True)
    except (MlhubError, NotFoundError):
        return False
    return True


def _put_back(store: Store, run: Run) -> bool:
    """A run that found no room on the disk keeps its turn, and the queue pauses until somebody made it."""
    paths = store.home.run(run.id)
    if paths.attempt(run.attempt).launch.exists():
        again = order.close_attempt(paths, run, "failed", "never started: the disk was full")
        again = again and back_into_queue(store, run)
    else:
        again = store.unclaim(run)
    if not again:
        return False
    set_paused(store, paused=True, reason="the disk is full")
    return True


_NO_ORDER = "never started: what was to be started (order.json) is gone or damaged"


def free_cards() -> list[int]:
    """GPUs that nobody uses, by NVML's numbers."""
    from mlhub.monitor import gpus

    found, _ = gpus()
    return [card.index for card in found if card.free]


@dataclass(slots=True)
class _Room:
    """What is taken, while one transaction goes through the waiting runs."""

    paused: str | None
    used: int
    cards: list[int]
    #: the first run that waits for GPUs; none behind it may take any
    first_for_gpus: int | None = None
    claimed: list[tuple[Run, list[int]]] = field(default_factory=list)


def _claim(store: Store, host: str, cards: list[int], max_runs: int, mine: int | None = None) -> list[Run]:
    """Claim every waiting run that may start, and write down for the others what they wait for.

    `mine` was asked for just now, by a user who waits for it: it has left no order yet, and a pause is not for it.
    """
    broken: list[tuple[Run, str]] = []
    store.check_current()
    with store.transaction():
        while found := [pair for run in store.waiting(host) if (pair := _cancel_broken(store, run))]:
            broken += found  # and then those that wait for them
        active = [run for run in store.active() if run.host == host and not run.waiting]
        held = {card for run in (*active, *store.orphaned()) if run.host == host for card in run.gpus}
        room = _Room(_pause_words(store.queue_state(host)), len(active), [card for card in cards if card not in held])
        for run in store.waiting(host):
            if run.id != mine and not store.home.run(run.id).attempt(run.attempt).order.exists():
                continue  # somebody is making it just now
            _look_at(store, room, run, max_runs, direct=run.id == mine)
        won = [run.id for run, chosen in room.claimed if store.claim(run, chosen, identity.boot_clock())]
    for run, reason in broken:
        _close_cancelled(store, run, reason)
    return [store.reload(run) for run, _ in room.claimed if run.id in won]


def _look_at(store: Store, room: _Room, run: Run, max_runs: int, *, direct: bool) -> None:
    """Claim `run`, or say what it waits for."""
    limit = max_runs if max_runs > 0 else run.slots or math.inf
    why = None
    if room.paused and not direct:
        why = room.paused
    elif pending := _pending(store, run):
        why = f"waits for run {pending.id} ({pending.name})"
    elif run.attempt > 1 and lock.held(str(store.home.run(run.id).lock)):
        why = "waits for its last attempt's supervisor to leave"
    elif room.used >= limit:
        why = f"waits for a slot ({room.used} of {limit:g} taken)"
    elif run.gpus_wanted > (len(room.cards) if room.first_for_gpus is None else 0):
        behind = f", behind run {room.first_for_gpus}" if room.first_for_gpus else ""
        why = f"waits for {run.gpus_wanted} GPU{'s' if run.gpus_wanted > 1 else ''} ({len(room.cards)} free{behind})"
        room.first_for_gpus = room.first_for_gpus or run.id
    if why is None:
        chosen, room.cards = room.cards[: run.gpus_wanted], room.cards[run.gpus_wanted :]
        room.used += 1
        room.claimed.append((run, chosen))
    elif run.condition != why:
        store.set_condition(run, why)


def _pending(store: Store, run: Run) -> Run | None:
    """A run that has to complete before `run`, and may still."""
    for run_id in run.after:
        other = store.get(run_id)
        if other is not None and (other.active or other.to_be_retried):
            return other
    return None


def _cancel_broken(store: Store, run: Run) -> tuple[Run, str] | None:
    """Cancel a run that waits for one that will never complete, and say why; its folder is still to be told."""
    for run_id in run.after:
        other = store.get(run_id)
        reason = None
        if other is None:
            reason = f"dependency: run {run_id} was removed"
        elif other.status in ("failed", "cancelled") and not other.to_be_retried:
            reason = f"dependency: run {run_id} ({other.name}) {other.status}"
        if reason and store.cancel_waiting(run, ended_at=now(), reason=reason):
            return run, reason
    return None


def cancel(store: Store, run: Run, reason: str) -> bool:
    """End a run that waits, or is claimed and not yet launched; False if it is past that. Its folder says so too."""
    if store.cancel_waiting(run, ended_at=now(), reason=reason):
        _close_cancelled(store, run, reason)
        return True
    run = store.reload(run)
    if run.status != "queued" or run.waiting or not _close_cancelled(store, run, reason):
        return False
    return store.finish(run, status="cancelled", ended_at=now(), exit_code=None, signal=None, reason=reason)


def _close_cancelled(store: Store, run: Run, reason: str) -> bool:
    paths = store.home.run(run.id)
    closed = order.close_attempt(paths, run, "cancelled", reason)
    if closed:
        order.forget(paths, run.attempt)
    return closed


def give_up_retries(store: Store, run: Run) -> None:
    """No further attempt by itself, whichever one it has come to."""
    if run.retries:
        store.spend_retries(run)
        run = store.reload(run)
        order.write_facts(store.home.run(run.id), run)
    if run.started_at is not None or not run.active:
        order.forget(store.home.run(run.id), run.attempt, run.attempt + 1)


def _retry(store: Store, run: Run) -> None:
    """Put a failed run back as its next attempt, if that can help; what it left behind is ended first."""
    paths = store.home.run(run.id)
    asked = record.read_stop(str(paths.attempt(run.attempt).root))
    if run.started_at is None or (asked and asked.why) or run.attempt >= _LAST_ATTEMPT:
        give_up_retries(store, run)
    elif not leftovers.end(store, run).left:
        with suppress(OSError):  # a full disk: the next tick tries again
            if not order.pass_on(paths, run.attempt):
                give_up_retries(store, run)
            elif not order.requeue(store, run, retries=run.retries - 1, slots=run.slots):
                last = store.reload(run)
                if not last.active and not last.retries:  # stopped meanwhile
                    order.forget(paths, run.attempt, run.attempt + 1)


def state_of(store: Store, host: str) -> QueueState:
    """The state of a host's queue; paused if the machine was started anew while something waited."""
    state, boot = store.queue_state(host), _boot(store)
    if state.boot == boot:
        return state
    refresh_active(store)  # what the reboot ended may be retried, and so waits
    new = msgspec.structs.replace(state, boot=boot, changed_at=now())
    if state.boot is not None and store.any_waiting():
        copied = state.boot.startswith(identity.boot_id())
        why = "this home is a copy" if copied else "the machine was restarted"
        new = msgspec.structs.replace(new, paused=True, reason=why)
    store.set_queue_state(new)
    return new


def _boot(store: Store) -> str:
    """The boot and the very home: a copy of one that is looked at must not start what waits in the original."""
    return f"{identity.boot_id()} {os.stat(store.home.root).st_ino}"


def _pause_words(state: QueueState) -> str | None:
    return f"queue paused ({state.reason or 'by hand'})" if state.paused else None


def set_paused(store: Store, *, paused: bool, reason: str | None) -> QueueState:
    """Pause this host's queue, or let it go on. What runs is not touched."""
    host = socket.gethostname()
    state = msgspec.structs.replace(
        store.queue_state(host), paused=paused, reason=reason, boot=_boot(store), changed_at=now()
    )
    store.set_queue_state(state)
    return state


def move(store: Store, run: Run, *, before: Run | None = None, last: bool = False) -> bool:
    """Put a waiting run at the front, at the end, or before another; False if it does not wait any more."""
    with store.transaction():
        line = [other for other in store.waiting(run.host) if other.id != run.id]
        index = len(line) if last else 0 if before is None else _index(line, before)
        neighbour = line[min(index, len(line) - 1)] if line else run
        line.insert(index, run)
        moved = [other for other in line if other.id == run.id or other.priority == neighbour.priority]
        done = [store.move(other, priority=neighbour.priority, place=float(n)) for n, other in enumerate(moved)]
    for other in moved:
        order.write_facts(store.home.run(other.id), store.reload(other))
    return all(done)


def _index(runs: list[Run], wanted: Run) -> int:
    for index, run in enumerate(runs):
        if run.id == wanted.id:
            return index
    raise MlhubError(f"run {wanted.id} ({wanted.name}) is not waiting", "mlhub queue shows what is.")
