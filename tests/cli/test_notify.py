from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import Cli
from tests.notices import Receiver

DEAD = "json://user:Secret7@127.0.0.1:9/Token8"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


def test_a_test_notice_arrives(cli: Cli, receiver: Receiver) -> None:
    done = cli("notify", "test", MLHUB_NOTIFY=receiver.url)
    assert done.stdout.split() == ["service", "notice", "why", "json://", "sent"]
    assert receiver.notices[0]["title"] == "mlhub: a test"


def test_one_that_fails_makes_the_exit_status_1_and_shows_no_secret(cli: Cli, receiver: Receiver) -> None:
    done = cli("notify", "test", code=1, MLHUB_NOTIFY=f"{DEAD} {receiver.url}")
    assert done.stdout.splitlines()[1].split()[:2] == ["json://", "failed"]
    assert len(receiver.notices) == 1
    assert not any(word in done.stdout + done.stderr for word in ("Secret7", "Token8", "127.0.0.1"))


def test_it_has_json(cli: Cli, receiver: Receiver) -> None:
    cli.environment["MLHUB_NOTIFY"] = receiver.url
    assert cli.json("notify", "test") == {
        "ok": True, "services": [{"service": "json://", "sent": True, "detail": ""}]
    }  # fmt: skip


def test_with_no_service_set_it_says_how_to_set_one(cli: Cli) -> None:
    done = cli("notify", "test", code=1)
    assert "no service is set" in done.stderr
    assert "MLHUB_NOTIFY" in done.stderr
