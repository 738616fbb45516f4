"""The pages on channels keep to the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.errors import ConfigError
from bot.settings import read_settings

ROOT = Path(__file__).resolve().parents[2]
MATRIX = {"MATRIX_HOMESERVER": "http://h", "MATRIX_USER": "@b:h", "MATRIX_PASSWORD": "p"}


def test_example_is_short():
    page = (ROOT / "docs" / "adding-a-channel.md").read_text()
    lines = page.split("```python\n", 1)[1].split("```", 1)[0].splitlines()
    assert len([line for line in lines if line.strip()]) <= 40


def test_every_setting_is_in_the_readme():
    names = re.findall(r'"([A-Z]+(?:_[A-Z]+)*)"', (ROOT / "bot" / "settings.py").read_text())
    readme = (ROOT / "README.md").read_text()
    assert len(names) > 10 and not [name for name in names if f"`{name}`" not in readme]


@pytest.mark.parametrize("name", ["rest", "web", "telegram", "matrix", "twilio_whatsapp"])
def test_every_channel_is_on_the_page_of_channels(name: str):
    assert f"bot/channels/{name}.py" in (ROOT / "docs" / "channels.md").read_text()
    assert f"bot.channels.{name}." in (ROOT / "credentials.yml").read_text()


def test_channels_are_off_by_default():
    settings = read_settings({})
    assert (settings.telegram, settings.matrix, settings.whatsapp) == (None, None, None)


def test_half_a_configuration_is_told():
    assert read_settings(MATRIX).matrix.user == "@b:h"
    with pytest.raises(ConfigError, match="MATRIX_HOMESERVER is set, but MATRIX_USER and MATRIX_PASSWORD is not"):
        read_settings({"MATRIX_HOMESERVER": "http://h"})


def test_secrets_are_not_shown():
    shown = repr(read_settings({**MATRIX, "TELEGRAM_BOT_TOKEN": "1:secret", "MATRIX_PASSWORD": "hidden"}))
    assert "1:secret" not in shown and "hidden" not in shown


def test_nothing_is_sent_unasked():
    """Reminders would need an output channel outside a turn; in Rasa's Telegram connector they raise."""
    code = [path.read_text() for folder in ("bot", "actions") for path in (ROOT / folder).rglob("*.py")]
    assert len(code) > 50 and not [text for text in code if "ReminderScheduled" in text or "trigger_intent" in text]


def test_every_defect_has_tests_that_exist():
    page = (ROOT / "docs" / "channels.md").read_text().split("## Defects", 1)[1]
    named = set(re.findall(r"`(test_\w+)`", page))
    tests = [path.read_text() for folder in ("channels", "setup") for path in (ROOT / "tests" / folder).glob("*.py")]
    missing = {name for name in named if not any(f"def {name}(" in text for text in tests)}
    assert len(named) > 30 and not missing
