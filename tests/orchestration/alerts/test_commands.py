"""Incidents of the commands: a test message that was said to be taken and was not, an open alert that a list left out."""

from typer.testing import CliRunner

from orchestration.cli.app import app
from orchestration.project import Project
from tests.dashboard.lakes import put
from tests.orchestration.alerts.conftest import rule
from tests.orchestration.alerts.receivers import Hook
from transforms.lake.tables import Lake


def shelfcast(lake: Lake, *arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["alerts", *arguments, "--root", lake.root], env={"COLUMNS": "200"})
    return done.exit_code, " ".join(done.output.split())


def test_a_test_message_ends_with_what_the_server_said(lake: Lake, hook: Hook) -> None:
    Project(provider="sample", alerts=(rule(hook.address), rule("json://127.0.0.1:9/x", "gone"))).save(lake.path())
    code, output = shelfcast(lake, "test", "ops")
    assert (code, hook.titles) == (0, ["Shelfcast sample: Test of the rule ops"])
    assert f"taken by ops (json://127.0.0.1:{hook.port})" in output
    code, output = shelfcast(lake, "test")
    assert code == 1
    assert "not taken by gone (json://127.0.0.1:9): json://127.0.0.1:9 did not take it" in output
    assert shelfcast(lake, "test", "boss") == (1, "Error: Rule boss is not in shelfcast.yaml: expected one of ops, gone.")


def test_the_list_names_what_is_open_who_hears_of_it_and_what_was_not_delivered_and_sends_nothing(lake: Lake, hook: Hook) -> None:
    put(lake, "gold/pipeline_steps", {"job": "weekly_cycle", "state": "failed", "error": "[red]Out of memory.", "regions": "iowa"})
    code, output = shelfcast(lake, "list")
    assert code == 0
    assert "has no rule under 'alerts'" in output
    assert "critical Run failed: weekly_cycle: iowa - x: [red]Out of memory." in output
    Project(provider="sample", alerts=(rule(hook.address, kinds=["drift"]),)).save(lake.path())
    assert "iowa; no rule asks for it" in shelfcast(lake, "list")[1]
    Project(provider="sample", alerts=(rule("json://127.0.0.1:9/x"),)).save(lake.path())
    code, output = shelfcast(lake, "send")
    assert (code, "not taken by ops" in output) == (1, True)
    assert "failed: json://127.0.0.1:9 did not take it" in shelfcast(lake, "list")[1]
    assert hook.asked == []
