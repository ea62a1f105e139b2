from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlhub.runner.notify import Message, scheme_of, send, send_later, split_urls
from tests.conftest import Cli, wait_until
from tests.notices import Receiver

COMMAND = [sys.executable, "-P", "-m", "mlhub.runner.notify"]
HELLO = Message("title", "body", "failure")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def silent() -> Iterator[Receiver]:
    receiver = Receiver(status=0)
    yield receiver
    receiver.close()


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("", []),
        (" a://x \n b://y ", ["a://x", "b://y"]),
        ("a://x,b://y, c://z", ["a://x", "b://y", "c://z"]),
        ("mailto://me@x?to=a@b,c@d", ["mailto://me@x?to=a@b,c@d"]),
    ],
)
def test_several_urls_stand_in_one_setting(text: str, urls: list[str]) -> None:
    assert split_urls(text) == urls


@pytest.mark.parametrize(
    ("url", "shown"),
    [("Slack://T/B/x", "slack://"), ("secret", "not a URL"), ("a b://x", "not a URL"), ("", "not a URL")],
)
def test_of_a_url_only_the_scheme_is_shown(url: str, shown: str) -> None:
    assert scheme_of(url) == shown


def test_a_message_arrives(receiver: Receiver) -> None:
    (delivery,) = send(receiver.url, HELLO)
    assert (delivery.service, delivery.sent, delivery.detail) == ("json://", True, "")
    (notice,) = receiver.notices
    assert (notice["title"], notice["message"], notice["type"]) == ("title", "body", "failure")


def test_one_service_that_fails_keeps_no_other_from_its_message(receiver: Receiver) -> None:
    deliveries = send(f"json://127.0.0.1:9/ {receiver.url} slack://nonsense what", HELLO)
    assert [(one.service, one.sent) for one in deliveries] == [
        ("json://", False), ("json://", True), ("slack://", False), ("not a URL", False)
    ]  # fmt: skip
    assert len(receiver.notices) == 1


def test_a_service_that_refuses_has_not_got_it() -> None:
    receiver = Receiver(status=403)
    assert [one.sent for one in send(receiver.url, HELLO)] == [False]
    receiver.close()


def test_a_service_that_hangs_is_given_up(receiver: Receiver, silent: Receiver) -> None:
    hanging, fine = send(f"{silent.url}?rto=50 {receiver.url}", HELLO, seconds=5)
    assert (hanging.sent, hanging.detail) == (False, "no answer within 5 s")
    assert fine.sent


def test_sending_later_does_not_wait_for_the_network(silent: Receiver) -> None:
    process = send_later(f"{silent.url}?rto=50", HELLO)
    assert process.poll() is None
    process.kill()
    process.wait()


def order(url: str, seconds: float = 5) -> str:
    return json.dumps({"urls": [url, "Token8"], "seconds": seconds, "title": "", "body": "x", "kind": "info"})


def test_what_fails_is_told_by_scheme_and_nothing_holds_the_url(silent: Receiver) -> None:
    process = subprocess.Popen(
        COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    seen = [Path(f"/proc/{process.pid}/{name}").read_text(errors="replace") for name in ("cmdline", "environ")]
    out, err = process.communicate(order(f"{silent.url}?rto=50", 2), timeout=60)
    assert "notice not sent: json://: no answer within 2 s" in err
    assert not any(word in text for text in (*seen, out, err) for word in ("Secret7", "Token8"))


def test_without_apprise_it_is_said_how_to_get_it(tmp_path: Path, receiver: Receiver) -> None:
    (tmp_path / "apprise.py").write_text("raise ImportError\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        COMMAND, env=environment, input=order(receiver.url), check=True, capture_output=True, text=True
    )
    assert "pip install 'mlhub[notify]'" in done.stderr


def test_a_failed_run_is_told_of_even_if_it_was_short(cli: Cli, receiver: Receiver) -> None:
    cli("run", "--name", "otter", "--", "sh", "-c", "exit 3", MLHUB_NOTIFY=receiver.url)
    wait_until(lambda: receiver.notices)
    assert receiver.notices[0]["title"] == "mlhub: run 1 (otter) failed"
    assert "exit code 3" in receiver.notices[0]["message"]


def test_a_completed_run_is_told_of_if_wished(cli: Cli, receiver: Receiver) -> None:
    cli("run", "--name", "quiet", "--wait", "--", "true", MLHUB_NOTIFY=receiver.url)
    cli("run", "--name", "told", "--", "true", MLHUB_NOTIFY=receiver.url, MLHUB_NOTIFY_ON="completed")
    wait_until(lambda: receiver.notices)
    assert [notice["title"] for notice in receiver.notices] == ["mlhub: run 2 (told) completed"]


def test_the_file_s_urls_count_as_well(cli: Cli, receiver: Receiver) -> None:
    cli.home.mkdir(mode=0o700)
    (cli.home / "config.toml").write_text(f'notify = "{receiver.url}"\n')
    cli("run", "--", "sh", "-c", "exit 3")
    wait_until(lambda: receiver.notices)


def test_an_alert_is_told_while_the_run_goes_on(cli: Cli, receiver: Receiver) -> None:
    cli.environment.update({"MLHUB_NOTIFY": receiver.url, "MLHUB_SAMPLE_SECONDS": "0.2"})
    record = '{"step":5,"time":1.0,"val/loss":"NaN"}'
    cli("run", "--name", "otter", "--", "sh", "-c", f"echo '{record}' >> $MLHUB_RUN_DIR/metrics.jsonl; exec sleep 60")
    wait_until(lambda: receiver.notices)
    assert receiver.notices[0]["title"] == "mlhub: run 1 (otter) nan"
    assert receiver.notices[0]["message"].startswith("val/loss is NaN at step 5")


def test_no_url_is_left_in_a_run_s_folder_or_shown(cli: Cli) -> None:
    url = "json://user:Secret7@127.0.0.1:9/Token8"
    cli.environment.update({"MLHUB_NOTIFY": url, "MLHUB_SAMPLE_SECONDS": "0.2"})
    cli("run", "--wait", "--", "sh", "-c", "sleep 2; exit 3", code=1)
    folder = cli.home / "runs" / "1"
    log = folder / "attempts" / "1" / "supervisor.log"
    wait_until(lambda: "notice not sent: json://" in log.read_text())
    texts = [path.read_bytes() for path in [*folder.rglob("*"), cli.home / "mlhub.db"] if path.is_file()]
    said = [cli(*words, code=None) for words in (["show"], ["show", "--json"], ["logs"], ["doctor"])]
    texts += [(done.stdout + done.stderr).encode() for done in said]
    assert not any(word in text for text in texts for word in (b"Secret7", b"Token8"))
