"""Incidents of telling people: a flood of messages for one fault, a recovery that nobody heard of, a message that was lost or doubled."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestration.alerts.look import Company, look, try_out, unknown_regions
from orchestration.project import Project
from tests.dashboard.lakes import put
from tests.orchestration.alerts.conftest import NOW, held, rule
from tests.orchestration.alerts.receivers import Hook, MailServer
from transforms.contracts.operations import ALERTS
from transforms.lake.tables import Lake

FLEET = [f"region_{number:02}" for number in range(14)]
DATA = {"delta_versions": "{}", "checks": "[]"}
At = Callable[..., Company]


def step(lake: Lake, name: str, state: str, minutes: float, regions: str | None = "north_texas", job: str = "weekly_cycle", **more: Any) -> None:
    at = NOW - timedelta(hours=5) + timedelta(minutes=minutes)
    row = {"run_id": f"run-{minutes}", "step": name, "job": job, "regions": regions, "state": state, "ended_at": at, "started_by": "schedule"}
    put(lake, "gold/pipeline_steps", {"error": "Out of memory." if state == "failed" else None, **row, **more})


def rows(lake: Lake) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = lake.read(ALERTS.name).sort_by("event_time").to_pylist() if lake.exists(ALERTS.name) else []
    return found


def text_of(mail: Any, kind: str = "plain") -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def test_nothing_is_sent_or_recorded_while_nothing_is_wrong(company: At, lake: Lake, mail: MailServer, hook: Hook) -> None:
    step(lake, "ensembles", "succeeded", 1)
    assert look(company(rule(mail.address()), rule(hook.address, "hook")), NOW, held).told == []
    assert (mail.mails, hook.asked, rows(lake)) == ([], [], [])


def test_one_failed_run_of_14_regions_is_one_message_by_mail_and_one_to_the_webhook_and_its_end_is_told(
    company: At, lake: Lake, mail: MailServer, hook: Hook
) -> None:
    step(lake, "ensembles", "failed", 1, ",".join(FLEET))
    step(lake, "scoring", "skipped", 1, ",".join(FLEET), run_id="run-1")
    here = company(rule(mail.address()), rule(hook.address, "hook"))
    for _ in range(3):
        look(here, NOW, held)
    assert mail.subjects == ["Shelfcast sample: Run failed: weekly_cycle: 14 regions"]
    assert hook.titles == mail.subjects
    assert "https://shelf.example.com/runs/run-1" in text_of(mail.mails[0])
    assert hook.posted[0]["type"] == "failure"
    step(lake, "ensembles", "succeeded", 30, ",".join(FLEET[:13]))
    look(here, NOW, held)
    assert len(mail.mails) == 1
    step(lake, "ensembles", "succeeded", 60, FLEET[13])
    look(here, NOW, held)
    look(here, NOW, held)
    assert mail.subjects[1:] == hook.titles[1:] == ["Shelfcast sample: Over: Run failed: weekly_cycle: 14 regions"]
    assert hook.posted[1]["type"] == "success"


def test_what_comes_back_after_it_was_over_is_told_again(company: At, lake: Lake, hook: Hook) -> None:
    here = company(rule(hook.address))
    for state, minutes in [("failed", 1), ("succeeded", 2), ("failed", 3), ("succeeded", 4)]:
        step(lake, "ensembles", state, minutes)
        look(here, NOW, held)
    assert [title.removeprefix("Shelfcast sample: ")[:4] for title in hook.titles] == ["Run ", "Over", "Run ", "Over"]


def test_a_cause_that_grows_is_told_with_what_is_new_and_one_that_shrinks_is_not(company: At, lake: Lake, hook: Hook) -> None:
    here = company(rule(hook.address))
    for minutes, name in enumerate(["ensembles", "scoring"]):
        step(lake, name, "failed", minutes + 1)
        look(here, NOW, held)
    assert hook.titles[1] == "Shelfcast sample: More of Run failed: weekly_cycle: north_texas"
    lines = [line for line in hook.posted[1]["message"].splitlines() if line.startswith("- ")]
    assert [line.split(":")[0] for line in lines] == ["- new", "- ensembles"]
    step(lake, "scoring", "succeeded", 10)
    look(here, NOW, held)
    assert len(hook.posted) == 2
    assert [row["state"] for row in rows(lake) if row["rule"] is None] == ["opened", "grew", "shrank"]


def test_a_step_that_failed_in_the_newest_week_is_not_made_good_by_a_backfill_of_a_past_one(company: At, lake: Lake, hook: Hook) -> None:
    step(lake, "ensembles", "failed", 1, first_week=_monday(24), last_week=_monday(24))
    step(lake, "ensembles", "succeeded", 2, first_week=_monday(3), last_week=_monday(3))
    here = company(rule(hook.address))
    look(here, NOW, held)
    assert len(hook.posted) == 1
    step(lake, "ensembles", "succeeded", 3, first_week=_monday(24), last_week=_monday(24))
    look(here, NOW, held)
    assert hook.titles[1].startswith("Shelfcast sample: Over: ")


def _monday(day: int) -> Any:
    return NOW.replace(month=6, day=day).date()


def test_a_run_that_was_killed_between_steps_is_told_of(company: At, lake: Lake, hook: Hook) -> None:
    step(lake, "ensembles", "succeeded", 1)
    step(lake, "scoring", "skipped", 1, run_id="run-1", error="The process that executed this run is gone.")
    look(company(rule(hook.address)), NOW, held)
    assert "scoring: The process that executed this run is gone." in hook.posted[0]["message"]


def test_a_rule_of_some_regions_hears_of_them_alone_and_of_what_is_no_regions(company: At, lake: Lake, hook: Hook, mail: MailServer) -> None:
    put(lake, "gold/dataset_versions", *({**DATA, "region": region, "dataset_version": f"{region}-1"} for region in FLEET))
    here = company(rule(hook.address, "texas", regions=["region_03"]), rule(mail.address(), "other", regions=["elsewhere"]))
    look(here, NOW, held)
    assert hook.titles == ["Shelfcast sample: New data wait for approval: region_03"]
    assert "region_04" not in hook.posted[0]["message"]
    assert mail.mails == []
    decided = {"dataset_version": "region_03-1", "region": "region_03", "event": "approved"}
    put(lake, "gold/dataset_events", decided)
    look(here, NOW, held)
    assert hook.titles[1:] == ["Shelfcast sample: Over: New data wait for approval: region_03"]


def test_a_rule_of_urgent_things_or_of_one_kind_hears_of_no_other(company: At, lake: Lake, hook: Hook, mail: MailServer) -> None:
    put(lake, "gold/dataset_versions", {**DATA, "region": "north_texas"})
    look(company(rule(hook.address, at_least="critical"), rule(mail.address(), "runs", kinds=["run_failed"])), NOW, held)
    assert (hook.asked, mail.mails) == ([], [])
    assert [row["title"] for row in rows(lake)] == ["New data wait for approval: north_texas"]


def test_a_rule_that_asks_for_less_than_before_is_not_told_that_something_has_ended(company: At, lake: Lake, hook: Hook) -> None:
    step(lake, "ensembles", "failed", 1)
    look(company(rule(hook.address)), NOW, held)
    look(company(rule(hook.address, kinds=["drift"])), NOW, held)
    assert len(hook.posted) == 1


def test_a_cause_that_stays_is_told_again_where_a_rule_asks_for_it(company: At, lake: Lake, hook: Hook) -> None:
    step(lake, "ensembles", "failed", 1)
    here = company(rule(hook.address, remind_after_days=2))
    for days in (0, 1, 2.1, 3, 4.2):
        look(here, NOW + timedelta(days=days), held)
    assert [row["state"] for row in rows(lake) if row["rule"]] == ["opened", "reminded", "reminded"]
    assert hook.titles[1] == "Shelfcast sample: Still: Run failed: weekly_cycle: north_texas"


def test_a_rollback_is_told_once_and_no_recovery(company: At, lake: Lake, hook: Hook) -> None:
    for region in FLEET:
        event = {"region": region, "model_version": f"{region}-1", "event": "rolled back", "actor": "run 7", "reason": "live MAPE fell short"}
        put(lake, "gold/model_events", {**event, "event_time": NOW - timedelta(hours=1)})
    here = company(rule(hook.address))
    for days in (0, 1, 30):
        look(here, NOW + timedelta(days=days), held)
    assert hook.titles == ["Shelfcast sample: Models rolled back by run 7: 14 regions"]


def test_a_message_that_a_server_refused_is_on_record_with_the_reason_and_sent_at_a_later_look(company: At, lake: Lake, mail: MailServer) -> None:
    step(lake, "ensembles", "failed", 1)
    here = company(rule(mail.address()))
    mail.refuse = "452 mailbox full"
    assert len(look(here, NOW, held).failed) == 1
    [failed] = [row for row in rows(lake) if row["rule"]]
    assert (failed["outcome"], failed["state"]) == ("failed", "opened")
    assert "mailbox full" in failed["failure"]
    assert f"mailto://127.0.0.1:{mail.port}" in failed["failure"]
    mail.refuse = ""
    assert look(here, NOW + timedelta(seconds=20), held, patient=True).left == 1
    assert mail.mails == []
    assert look(here, NOW + timedelta(minutes=2), held, patient=True).failed == []
    assert len(mail.mails) == 1
    assert look(here, NOW + timedelta(minutes=4), held, patient=True).told == []


def test_what_came_and_went_while_nobody_took_a_message_is_told_with_its_end(company: At, lake: Lake, hook: Hook) -> None:
    step(lake, "ensembles", "failed", 1)
    here = company(rule(hook.address))
    hook.status = 503
    look(here, NOW, held)
    step(lake, "ensembles", "succeeded", 2)
    look(here, NOW, held)
    hook.status = 200
    for _ in range(2):
        look(here, NOW, held)
    assert hook.titles == ["Shelfcast sample: Over: Run failed: weekly_cycle: north_texas"]
    assert "Open since 2024-07-10 06:00 UTC." in hook.posted[0]["message"]


def test_a_rule_of_a_region_that_there_is_not_is_told_by_name(company: At, lake: Lake) -> None:
    put(lake, "bronze/stores", {"region": "north_texas"})
    here = company(rule("json://127.0.0.1:9/x", regions=["north_texas", "nort_texas"]))
    assert unknown_regions(here) == ["Rule ops: nort_texas has no stores in the lake; expected some of north_texas."]


def test_a_server_that_is_gone_holds_up_no_other_rule(company: At, lake: Lake, hook: Hook) -> None:
    for job in ("weekly_cycle", "conditioning", "reference_data"):
        step(lake, "ensembles", "failed", 1, job=job)
    looked = look(company(rule("json://127.0.0.1:9/hook", "gone"), rule(hook.address, "there")), NOW, held)
    assert len(hook.posted) == 3
    assert [row["rule"] for row in looked.failed] == ["gone", "gone"]
    assert looked.left == 1


def test_a_rule_whose_variable_is_not_set_is_told_so_on_record_and_the_others_are_sent(company: At, lake: Lake, hook: Hook) -> None:
    step(lake, "ensembles", "failed", 1)
    unset = rule("", "chat", to_variable="SHELFCAST_ALERTS_CHAT")
    [failed] = look(company(unset, rule(hook.address)), NOW, held).failed
    assert failed["failure"].startswith("Rule chat: SHELFCAST_ALERTS_CHAT is not set. Set it to the address, or SHELFCAST_ALERTS_CHAT_FILE")
    assert len(hook.posted) == 1


def sender(lake: Lake, to: str) -> subprocess.Popen[bytes]:
    """`shelfcast alerts send` in a process of its own, with a rule for an address."""
    Project(provider="sample", alerts=(rule(to),)).save(lake.path())
    command = [sys.executable, "-m", "orchestration", "alerts", "send", "--root", lake.root]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def test_a_sender_that_is_killed_between_sending_and_recording_loses_nothing(lake: Lake, hook: Hook) -> None:
    for job in ("weekly_cycle", "conditioning"):
        step(lake, "ensembles", "failed", 1, job=job)
    first = sender(lake, hook.address)
    hook.before_answering = first.kill
    assert first.wait(60) == -signal.SIGKILL
    assert len(hook.posted) == 1
    assert [row for row in rows(lake) if row["rule"]] == []
    hook.before_answering = None
    assert sender(lake, hook.address).wait(60) == 0
    assert len(hook.posted) == 3
    assert len({*hook.titles}) == 2
    assert [row["outcome"] for row in rows(lake) if row["rule"]] == ["delivered"] * 2


def test_two_who_send_at_once_send_each_message_once(lake: Lake, hook: Hook) -> None:
    for job in ("weekly_cycle", "conditioning", "reference_data"):
        step(lake, "ensembles", "failed", 1, job=job)
    senders = [sender(lake, hook.address) for _ in range(2)]
    assert [process.wait(60) for process in senders] == [0, 0]
    assert len(hook.posted) == len({*hook.titles}) == 3
    assert sorted(process.communicate()[0].count(b"taken by") for process in senders) == [0, 3]


def test_what_cannot_be_read_is_an_alert_and_no_recovery_of_what_was_there(company: At, lake: Lake, hook: Hook) -> None:
    """A table that was damaged looked like a table in which all is well."""
    step(lake, "ensembles", "failed", 1)
    here = company(rule(hook.address))
    look(here, NOW, held)
    files = list(Path(lake.uri("gold/pipeline_steps")).glob("*.parquet"))
    kept = files[0].read_bytes()
    files[0].write_bytes(b"")
    look(here, NOW, held)
    assert hook.titles[1:] == ["Shelfcast sample: What alerts are made from cannot be read: run_failed"]
    files[0].write_bytes(kept)
    look(here, NOW, held)
    assert hook.titles[2:] == ["Shelfcast sample: Over: What alerts are made from cannot be read: run_failed"]


def test_a_test_message_says_whether_it_was_taken_and_is_on_record(company: At, lake: Lake, hook: Hook) -> None:
    here = company(rule(hook.address))
    assert try_out(here, here.rules[0], NOW, held)["outcome"] == "delivered"
    hook.status = 500
    assert "error=500" in try_out(here, here.rules[0], NOW, held)["failure"]
    assert [(row["kind"], row["outcome"]) for row in rows(lake)] == [("test", "delivered"), ("test", "failed")]
    assert look(here, NOW, held).told == []


@pytest.mark.parametrize("seconds", [10.0])
def test_a_look_that_has_little_time_leaves_the_rest_to_the_next_one(company: At, lake: Lake, hook: Hook, seconds: float) -> None:
    step(lake, "ensembles", "failed", 1)
    begun = time.monotonic()
    assert look(company(rule(hook.address)), NOW, held, seconds=seconds).left == 1
    assert time.monotonic() - begun < seconds
    assert look(company(rule(hook.address)), NOW, held).left == 0


def test_whoever_sends_nothing_loads_nothing_of_apprise() -> None:
    code = "import sys, orchestration.alerts.look, orchestration.views.alerts; sys.exit('apprise' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
