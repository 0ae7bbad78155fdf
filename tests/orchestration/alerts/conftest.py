"""Receivers of a module's tests, and a small lake with nothing wrong."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestration.alerts.look import Company
from orchestration.alerts.rules import AlertRule, Expected
from orchestration.project import Project
from tests.orchestration.alerts.receivers import Hook, MailServer, mail_server, webhook
from transforms.adapters import load_provider
from transforms.lake.tables import Lake

NOW = datetime(2024, 7, 10, 6, tzinfo=UTC)


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture
def hook() -> Iterator[Hook]:
    with webhook() as server:
        yield server


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """An empty lake of the provider `sample`."""
    root = tmp_path / "lake"
    Project(provider="sample").save(root)
    return Lake(str(root))


@pytest.fixture
def company(lake: Lake) -> Callable[..., Company]:
    """The lake with rules."""
    return lambda *rules: Company(lake, load_provider("sample"), 0.45, tuple(rules), Expected(), "https://shelf.example.com")


def rule(to: str, name: str = "ops", **more: object) -> AlertRule:
    return AlertRule.model_validate({"name": name, "to": to, **more})


def held(_: str) -> str:
    """No variable holds anything."""
    return ""
