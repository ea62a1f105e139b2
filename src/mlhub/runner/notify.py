"""Telling people through apprise URLs (Slack, Discord, mail …): a process of its own a message, so that a hanging
network costs a run nothing.

`python -P -m mlhub.runner.notify` takes one message as JSON on stdin and answers with JSON. The URLs hold secrets: they
stand in no argument list, no file of ours and no message; a service is named by its scheme alone. When something is
worth telling is for `mlhub.runner.sample` to say.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: a service that has not answered by then has not got it
SECONDS = 30.0
#: for the process to start and import apprise, 1 s on a quiet machine
_START_SECONDS = 20.0
_LONGEST = 4000
_MODULE = ("-P", "-m", "mlhub.runner.notify")


@dataclass(frozen=True, slots=True)
class Message:
    """What is told. `kind` is apprise's: info, success, warning, failure."""

    title: str
    body: str
    kind: str = "info"


@dataclass(frozen=True, slots=True)
class Delivery:
    """How it went with one service, named by its scheme; `detail` says what is wrong, without the URL."""

    service: str
    sent: bool
    detail: str = ""


def split_urls(text: str) -> list[str]:
    """The URLs in the setting `notify`: spaces, line breaks or commas between them; a URL may have commas itself."""
    return [url for url in re.split(r",?\s+|,(?=[A-Za-z0-9+.-]+://)", text.strip()) if url]


def scheme_of(url: str) -> str:
    """`slack://`, and nothing else of the URL."""
    match = re.match(r"[A-Za-z][A-Za-z0-9+.-]{0,15}://", url)
    return match.group().lower() if match else "not a URL"


def send_later(urls: str, message: Message) -> subprocess.Popen[bytes]:
    """Hand `message` to a process of its own and return at once; what fails is noted on our stderr. Raises OSError."""
    process = subprocess.Popen(
        [sys.executable, *_MODULE],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
    )
    assert process.stdin is not None  # noqa: S101 - PIPE above
    with process.stdin as pipe:
        pipe.write(_encode(urls, message, SECONDS))
    return process


def send(urls: str, message: Message, seconds: float = SECONDS) -> list[Delivery]:
    """Send and wait; how it went, a service each. Never raises for what a service does."""
    try:
        done = subprocess.run(
            [sys.executable, *_MODULE],
            input=_encode(urls, message, seconds),
            capture_output=True,
            cwd="/",
            timeout=seconds + _START_SECONDS,
            check=False,
        )
        return [Delivery(**entry) for entry in json.loads(done.stdout)]
    except (subprocess.TimeoutExpired, ValueError, TypeError):
        return [Delivery(scheme_of(url), sent=False, detail="the sending process failed") for url in split_urls(urls)]


def _encode(urls: str, message: Message, seconds: float) -> bytes:
    cut = {"title": message.title[:200], "body": message.body[:_LONGEST], "kind": message.kind}
    return json.dumps({"urls": split_urls(urls), "seconds": seconds, **cut}).encode()


def _deliver(tree: dict[str, Any]) -> list[Delivery]:
    """Send to every service at once; those that haven't answered in time are given up."""
    try:
        import apprise
    except ImportError:
        detail = "apprise is not installed: pip install 'mlhub[notify]'"
        return [Delivery(scheme_of(url), sent=False, detail=detail) for url in tree["urls"]]
    results: dict[int, Delivery] = {}

    def deliver(index: int, url: str) -> None:
        scheme = scheme_of(url)
        try:
            service = apprise.Apprise()
            if not service.add(url):
                results[index] = Delivery(scheme, sent=False, detail="apprise does not understand this URL")
                return
            sent = service.notify(title=tree["title"], body=tree["body"], notify_type=apprise.NotifyType(tree["kind"]))
            results[index] = Delivery(scheme, bool(sent), "" if sent else "refused, or not reached")
        except Exception as error:  # a plugin's; its text may hold the URL, so only its kind is told
            results[index] = Delivery(scheme, sent=False, detail=type(error).__name__)

    threads = [threading.Thread(target=deliver, args=item, daemon=True) for item in enumerate(tree["urls"])]
    for thread in threads:
        thread.start()
    late = threading.Event()
    timer = threading.Timer(tree["seconds"], late.set)
    timer.daemon = True
    timer.start()
    while any(thread.is_alive() for thread in threads) and not late.is_set():
        for thread in threads:
            thread.join(0.05)
    silent = f"no answer within {tree['seconds']:g} s"
    return [results.get(i) or Delivery(scheme_of(url), sent=False, detail=silent) for i, url in enumerate(tree["urls"])]


def main() -> None:
    """One message from stdin; the answer on stdout, and what failed on stderr, which may be a run's supervisor.log."""
    import logging

    logging.disable(logging.CRITICAL)  # apprise logs URLs
    deliveries = _deliver(json.load(sys.stdin))
    for delivery in deliveries:
        if not delivery.sent:
            print(f"notice not sent: {delivery.service}: {delivery.detail}", file=sys.stderr)  # noqa: T201
    print(json.dumps([asdict(delivery) for delivery in deliveries]), flush=True)  # noqa: T201
    os._exit(0)  # a thread that still waits for the network is not waited for


if __name__ == "__main__":
    main()
