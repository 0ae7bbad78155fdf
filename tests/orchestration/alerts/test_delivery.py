"""Incidents on the way of a message: a secret in a log, a header out of a file's name, a server that was not the one configured."""

import logging
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestration.alerts.alert import Alert, Item
from orchestration.alerts.delivery import Message, address_of, deliver, shown, without_secrets
from orchestration.alerts.due import Due
from orchestration.alerts.look import Company, look, try_out
from orchestration.alerts.messages import Lake as From
from orchestration.alerts.messages import of_alert, ui_address
from orchestration.alerts.rules import AlertRule
from orchestration.project import FILE, Project
from orchestration.settings import held_by
from tests.orchestration.alerts.conftest import held, rule
from tests.orchestration.alerts.receivers import Hook, mail_server, webhook
from transforms.adapters import load_provider
from transforms.errors import ConfigurationError
from transforms.lake.tables import Lake
from transforms.landing import drop, folder, register

# The test server asks for a password without TLS.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH:UserWarning")
PASSWORD = "Tr0ub4dor&3"
MESSAGE = Message("A title", "A text", "<p>A text</p>")
HOSTILE = "x\r\nBcc: victim@example.com\r\n\r\n<img src=//evil.example.com onerror=alert(1)>@everyone <!channel> [here](http://evil.example.com)\u202egnp.exe"


def test_a_wrong_password_is_told_without_it_wherever_it_could_stand(
    tmp_path: Path, company: Callable[..., Company], caplog: pytest.LogCaptureFixture
) -> None:
    with mail_server(login=("shelf", "the right one")) as server:
        address = server.address("shelf:Tr0ub4dor%263@")
        secret = tmp_path / "address"
        secret.write_text(f"{address}\n")
        here = company(rule("", "ops", to_variable="SHELFCAST_ALERTS_OPS"))
        with caplog.at_level(logging.DEBUG):
            row = try_out(here, here.rules[0], datetime.now(UTC), lambda _: secret.read_text().strip())
    assert row["outcome"] == "failed"
    assert "535" in row["failure"]
    lake = b"".join(path.read_bytes() for path in here.lake.path().rglob("*") if path.is_file())
    for form in (PASSWORD, "Tr0ub4dor%263", "Tr0ub4dor"):
        assert form not in f"{row} {caplog.text}"
        assert form.encode() not in lake


def test_a_good_password_gets_the_message_through(company: Callable[..., Company]) -> None:
    with mail_server(login=("shelf", PASSWORD)) as server:
        assert deliver(server.address("shelf:Tr0ub4dor%263@"), MESSAGE) == ""
        assert server.subjects == ["A title"]


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("mailtos://shelf:secret%21x@mail.example.com:465?to=a@b.c", "mailtos://mail.example.com:465"),
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ", "slack://***"),
        ("https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ", "https://***"),
        ("json://u:passw0rd@hook.example.com/tok3n", "json://hook.example.com"),
        ("json://[bad/tok3n", "json://***"),
        ("no address", "***"),
        ("tok3n-T1JJ3T3L2-A1BRTD4JD-T://x", "***"),
    ],
)
def test_what_is_said_of_an_address_holds_no_secret_of_it(address: str, said: str) -> None:
    assert shown(address) == said
    told = without_secrets(f"cannot reach {address} at all", address)
    assert not [secret for secret in ("secret", "T1JJ", "A1BR", "TIia", "passw0rd", "tok3n") if secret in told]


@pytest.mark.parametrize(
    "address",
    ["nonsense", "foo://bar", "slack://T1JJ3T3L2secret", "mailto://", "json://", "json://127.0.0.1:99999/x", "://", "mailto://shelf:p@[bad"],
)
def test_an_address_that_nobody_can_read_is_a_sentence_and_no_traceback(address: str) -> None:
    told = deliver(address, MESSAGE)
    assert told
    assert "Traceback" not in told
    assert "T1JJ3T3L2secret" not in told


def test_a_redirection_is_not_followed(hook: Hook) -> None:
    with webhook() as other:
        hook.status, hook.location = 302, f"http://127.0.0.1:{other.port}/stolen"
        assert "302" in deliver(hook.address, MESSAGE)
        assert (hook.asked, other.asked) == (["POST /hook"], [])


def test_a_server_that_takes_a_message_and_never_answers_holds_up_nobody_for_long(hook: Hook) -> None:
    import threading

    stop = threading.Event()
    hook.before_answering = lambda: stop.wait(30)
    begun = datetime.now(UTC)
    assert "did not take it" in deliver(f"{hook.address}?rto=1", MESSAGE)
    assert (datetime.now(UTC) - begun).total_seconds() < 10
    stop.set()


def test_nothing_of_the_user_is_read_and_nothing_written(hook: Hook, tmp_path: Path) -> None:
    """The command of apprise reads addresses from the user's folder: whoever stands there would have been told too."""
    with webhook() as other:
        config = tmp_path / ".config" / "apprise"
        config.mkdir(parents=True)
        (tmp_path / ".apprise").write_text(other.address)
        (config / "apprise.yml").write_text(f"urls:\n  - {other.address}\n")
        code = f"from orchestration.alerts.delivery import Message, deliver\nprint(deliver({hook.address!r}, Message('t', 'x', 'x')))"
        environment = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / ".config"), "PATH": "/usr/bin", "PYTHONPATH": str(Path.cwd())}
        before = set(tmp_path.rglob("*"))
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=60)
        assert (done.stdout.strip(), done.stderr) == ("", "")
        assert (len(hook.posted), other.asked) == (1, [])
        assert set(tmp_path.rglob("*")) == before


def test_a_hostile_name_of_a_file_stays_a_text_in_mail_chat_and_record(hook: Hook, company: Callable[..., Company], lake: Lake) -> None:
    alert = Alert("file_refused", "shipments", "Files of shipments refused", (Item(HOSTILE, f"{HOSTILE}: expected units"),), "shelfcast status")
    with mail_server() as server:
        here = company(rule(server.address()))
        message = of_alert(Due(here.rules[0], alert, "opened", alert.keys, None, 0), From("sam\nBcc: x@y", "/lake", "https://ui"))
        assert deliver(server.address(), message) == ""
        assert deliver(hook.address, message) == ""
        [mail] = server.mails
        assert server.recipients == [["ops@example.com"]]
    assert {name.lower() for name in mail} & {"bcc", "cc"} == set()
    html = mail.get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert "<img" not in html
    text = hook.posted[0]["message"]
    for taken_for_more in ("@everyone", "<!channel>", "http://evil", "](http", "\u202e", "\r"):
        assert taken_for_more not in text
    assert len(text.splitlines()) == text.count("\n") + 1


def test_a_file_with_a_hostile_name_that_really_landed_is_one_message_that_says_what_to_do(shop: Path, tmp_path: Path, hook: Hook) -> None:
    root = tmp_path / "root"
    lake, provider = Lake(str(root)), load_provider(str(shop / "corner_shop.yaml"))
    root.mkdir()
    drop(lake, provider, shop)
    top = folder(lake, provider)
    name = "<b>@everyone 2022-05-23.csv"
    (top / "shipments" / name).write_text("id,sku,week,units\n1,A,2022-05-23,many\n")
    (top / "shipments/2022-05-30.csv").write_text("no,such,columns\n1,2,3\n")
    register(lake, provider, datetime.now(UTC))
    here = Company(lake, provider, 0.45, (rule(hook.address, kinds=["file_refused"]),), Project(provider="sample").expected)
    look(here, datetime.now(UTC), held)
    look(here, datetime.now(UTC), held)
    [posted] = hook.posted
    assert "Files of shipments refused" in posted["title"]
    assert "drop it again" in posted["message"]
    (top / "shipments/2022-05-30.csv").unlink()
    (top / "shipments" / name).unlink(missing_ok=True)
    look(here, datetime.now(UTC), held)
    assert hook.titles[1].startswith("Shelfcast corner_shop: Over: Files of shipments refused")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("to: 'mailto://ops:secret99@example.com'", "expected an address without a password or token"),
        ("to: 'json://example.com/hook?+X-Token=secret99'", "expected an address without a password or token"),
        ("to: 'slack://secret99/A/B'", "expected an address that begins with one of mailto, mailtos"),
        ("to: 'https://hooks.slack.com/services/secret99'", "expected an address that begins with one of"),
        ("to: 'mailto://?to=ops@example.com'", "expected a server in the address"),
        ("to: 'mailto://[secret99'", "came one that cannot be read"),
        ("to: 'mailto://example.com', to_variable: SHELFCAST_ALERTS_OPS", "expected an address, by 'to' or by 'to_variable', and not both"),
        ("at_least: info", "expected an address, by 'to' or by 'to_variable'"),
        ("to_variable: AWS_SECRET_ACCESS_KEY", "begins with SHELFCAST_ALERTS_"),
        ("to: 'mailto://example.com', kinds: [secret99]", "expected some of run_failed, file_refused"),
        ("to: 'mailto://example.com', regions: ['North Texas']", "is not a region key"),
        (
            "to: 'mailto://example.com', weekly_summary: boss",
            "expected one of data scientist, data engineer, operations, stakeholder, planner, came boss",
        ),
        ("to: 'mailto://example.com', at_least: urgent", "'info', 'warning' or 'critical'"),
        ("to: 'mailto://example.com', name2: x", "name2"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_by_what_was_expected_without_its_secret(tmp_path: Path, line: str, told: str) -> None:
    (tmp_path / FILE).write_text(f"provider: sample\nalerts:\n  - {{name: ops, {line}}}\n")
    with pytest.raises(ConfigurationError) as caught:
        Project.load(tmp_path)
    assert told in str(caught.value)
    assert "line 3" in str(caught.value)
    assert "kinds" in line or "secret99" not in str(caught.value)


def test_two_rules_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(
        "provider: sample\nalerts:\n  - {name: ops, to: 'mailto://a.example.com'}\n  - {name: ops, to: 'json://b.example.com'}\n"
    )
    with pytest.raises(ConfigurationError, match="expected each rule under a name of its own, came ops twice"):
        Project.load(tmp_path)


def test_a_project_keeps_its_rules_and_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "ops"
    secret.write_text("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ\n")
    monkeypatch.setenv("SHELFCAST_ALERTS_OPS_FILE", str(secret))
    made = Project(provider="sample", alerts=(AlertRule(name="ops", to_variable="SHELFCAST_ALERTS_OPS", weekly_summary="planner"),))
    made.save(tmp_path)
    assert Project.load(tmp_path) == made
    assert "T1JJ" not in (tmp_path / FILE).read_text()
    assert address_of(made.alerts[0], held_by).startswith("slack://T1JJ3T3L2")


def test_links_lead_to_the_teams_address_and_are_paths_where_none_is_known() -> None:
    assert ui_address("https://forecasts.example.com/", "/reports") == "https://forecasts.example.com"
    assert ui_address("", "https://ui.example.com/shelf/reports") == "https://ui.example.com/shelf"
    assert ui_address("", "/reports") == ""
    assert From("x", "/lake").link("/pages/monitoring") == "/pages/monitoring of the UI (shelfcast ui --address)"
