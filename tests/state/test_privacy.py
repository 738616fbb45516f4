"""Nobody's words get about: not into logs, other files or dumps, whatever people do and whatever breaks."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bot import discretion
from bot.errors import ConfigError
from bot.train import ROOT
from tests.state.day import WORD

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def lonely() -> list[str]:
    """What runs a program in a network without a way out; empty where that is not permitted."""
    command = [shutil.which("unshare") or "unshare", "--net"]
    try:
        subprocess.run([*command, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return []
    return command


@pytest.fixture(scope="module")
def day(model: str, lonely: list[str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A day of the bot: its folder and what happened."""
    folder = tmp_path_factory.mktemp("day")
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "support")])
    result = subprocess.run(
        [*lonely, sys.executable, "-m", "tests.state.day", str(folder)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": path, "ALONE": "1" if lonely else "0"},
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr[-3000:]
    return folder, json.loads(result.stdout.splitlines()[-1])


@pytest.mark.model
def test_the_day_was_an_eventful_one(day: tuple[Path, dict[str, Any]]):
    folder, told = day
    assert {"answer", "emergency", "crisis", "decline", "smalltalk", "fallback"} <= set(told["kinds"])
    assert told["kept"], "the store did not have the word, so the search would find nothing anywhere"
    assert told["alarm_without_store"] == "emergency"
    assert told["answered_without_store"]
    log = (folder / "bot.log").read_text()
    assert "OperationalError" in log, "the store's failure was not logged"
    assert "rasa_sdk" in log, "the action server's failure was not logged"


@pytest.mark.model
def test_nobodys_words_are_in_the_log_or_in_other_files(day: tuple[Path, dict[str, Any]]):
    folder, _ = day
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("conversations.db")]
    assert {"bot.log", "channels.db", "feedback.db"} <= {path.name for path in files}
    for path in files:
        found = path.read_bytes().lower().find(WORD.encode())
        assert found < 0, f"{path.name}: {path.read_bytes()[max(0, found - 300) : found + 50]!r}"


@pytest.mark.model
def test_no_process_may_dump_its_memory(day: tuple[Path, dict[str, Any]]):
    limits = day[1]["limits"]
    assert len(limits) >= 2 and set(limits) == {"0"}


@pytest.mark.model
def test_the_bot_needs_no_network_and_tries_none(day: tuple[Path, dict[str, Any]], lonely: list[str]):
    if not lonely:
        pytest.skip("a network of its own cannot be made here (unshare --net is not permitted)")
    told = day[1]
    assert told["unreachable"] == 0
    assert told["unreachable_when_tried"] > 0, "the counter does not count"


@pytest.mark.parametrize("option", ["-v", "-vv", "--verbose", "--debug", "--deb", "--logging-config-file=x.yml"])
@pytest.mark.parametrize("command", [["bot.rasa_cli", "run"], ["bot.serve"]])
def test_debug_messages_are_refused_where_the_bot_talks_with_people(command: list[str], option: str):
    with pytest.raises(ConfigError, match="people's words"):
        discretion.refuse_debugging([*command, option], {})


@pytest.mark.parametrize(
    "variable", [{"LOG_LEVEL": "DEBUG"}, {"LOG_LEVEL_LIBRARIES": "debug"}, {"LOG_LEVEL": "NOTSET"}]
)
def test_debug_levels_of_the_environment_are_refused(variable: dict[str, str]):
    with pytest.raises(ConfigError, match="people's words"):
        discretion.refuse_debugging([], variable)


def test_what_production_needs_is_not_refused():
    discretion.refuse_debugging(
        ["--quiet", "--model", "debug.tar.gz", "-p", "5005"], {"LOG_LEVEL": "INFO", "X": "DEBUG"}
    )


@pytest.mark.parametrize("module", ["bot.serve", "bot.rasa_cli"])
def test_refusing_is_one_paragraph_and_an_error(module: str):
    command = [sys.executable, "-m", module, *(["run"] if module == "bot.rasa_cli" else []), "--debug"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 1 and result.stderr.strip().startswith("--debug would let debug messages into the log")
    assert "\n" not in result.stderr.strip()


@pytest.fixture
def discreet(monkeypatch: pytest.MonkeyPatch):
    before = logging.getLogRecordFactory(), sys.excepthook
    logging.setLogRecordFactory(discretion._record)
    yield
    logging.setLogRecordFactory(before[0])


def test_messages_of_libraries_say_only_where_they_come_from(discreet, caplog):
    logger = logging.getLogger("rasa.core.processor")
    logger.error(f"could not parse {WORD}")
    logger.warning("could not parse %s", WORD, stack_info=True)
    try:
        try:
            int(f"100% {WORD}")
        except ValueError as error:
            raise KeyError(WORD) from error
    except KeyError:
        logger.exception(WORD)
        logging.getLogger("bot.somewhere").exception("a turn failed: %s", "KeyError")
    assert WORD not in caplog.text and WORD not in repr([vars(record) for record in caplog.records])
    assert "rasa.core.processor: test_privacy.py:" in caplog.text and "a turn failed: KeyError" in caplog.text
    assert "KeyError < test_privacy.py:" in caplog.text and "; from ValueError < test_privacy.py:" in caplog.text


def test_what_nothing_caught_is_told_by_kind(discreet, caplog):
    discretion._uncaught(ValueError, ValueError(WORD), None)
    assert "ValueError" in caplog.text and WORD not in caplog.text
