"""Rasa's own story tests, with the flags without which they cannot fail."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = {"CONVERSATIONS_URL": "sqlite://", "RETENTION_DAYS": "0", "REDIS_URL": ""}


def rasa_test(stories: Path, model: str, out: Path) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable, "-m", "bot.rasa_cli", "test", "core", "--e2e", "--stories", str(stories), "--model", model,
        "--fail-on-prediction-errors", "--out", str(out), "--quiet",
    ]  # fmt: skip
    environment = {**os.environ, "ACTION_ENDPOINT_URL": "http://127.0.0.1:1/webhook", **SETTINGS}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.model
def test_stories_pass(model: str, tmp_path: Path):
    result = rasa_test(ROOT / "tests" / "test_stories.yml", model, tmp_path)
    assert result.returncode == 0, (result.stdout + result.stderr)[-3000:]


@pytest.mark.model
def test_a_wrong_story_fails(model: str, tmp_path: Path):
    story = tmp_path / "test_wrong.yml"
    story.write_text(
        'version: "3.1"\nstories:\n  - story: wrong\n    steps:\n'
        "      - intent: greet\n      - action: action_decline\n"
    )
    assert rasa_test(story, model, tmp_path).returncode == 1
