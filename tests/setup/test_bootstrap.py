"""The bootstrap: finds Python 3.10 and tells clearly when it cannot do its work."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def bootstrap():
    spec = importlib.util.spec_from_file_location("bootstrap", ROOT / "scripts" / "bootstrap.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_python_310_is_told(bootstrap, monkeypatch):
    monkeypatch.setattr(bootstrap, "is_310", lambda python: False)
    monkeypatch.setattr(bootstrap, "works", lambda command: False)
    with pytest.raises(bootstrap.Stop, match=r"No Python 3\.10 was found.*pyenv install 3\.10.*uv"):
        bootstrap.find_python()


def test_this_machine_has_a_python_310(bootstrap):
    assert bootstrap.is_310(bootstrap.find_python())


def test_uv_is_asked_when_nothing_else_is_found(bootstrap, monkeypatch):
    asked = []
    monkeypatch.setattr(bootstrap, "is_310", lambda python: python == "/from/uv")
    monkeypatch.setattr(bootstrap, "works", lambda command: command[0] == "uv")
    monkeypatch.setattr(bootstrap, "output", lambda command: "/from/uv" if "find" in command else None)
    monkeypatch.setattr(bootstrap.subprocess, "call", lambda command: asked.append(command) or 0)
    assert bootstrap.find_python() == "/from/uv" and asked == [["uv", "python", "install", "3.10"]]


def test_committed_locks_fit_their_inputs(bootstrap):
    for kind in ("run", "dev"):
        bootstrap.check_lock(str(ROOT / "requirements" / f"{kind}.lock"))


def test_lock_that_does_not_fit_is_told(bootstrap, tmp_path):
    lock = tmp_path / "run.lock"
    lock.write_text("# inputs: other\n")
    with pytest.raises(bootstrap.Stop, match=r"The lock does not match.*make lock"):
        bootstrap.check_lock(str(lock))


def test_wrong_hash_is_told(bootstrap, monkeypatch):
    monkeypatch.setattr(bootstrap, "works", lambda command: "pip" in command)
    monkeypatch.setattr(bootstrap.subprocess, "call", lambda command: 1)
    with pytest.raises(bootstrap.Stop, match="hash does not match"):
        bootstrap.make_environment("x.lock")


def test_environment_is_made_again_when_the_lock_changes(bootstrap, monkeypatch, tmp_path):
    stamp, python = tmp_path / "stamp", tmp_path / "python"
    python.write_text("")
    monkeypatch.setattr(bootstrap, "STAMP", str(stamp))
    monkeypatch.setattr(bootstrap, "PYTHON", str(python))
    lock = ROOT / "requirements" / "dev.lock"
    stamp.write_text(bootstrap.digest(str(lock)) + " dev")
    assert bootstrap.installed("dev") and bootstrap.installed("run")
    stamp.write_text("other dev")
    assert not bootstrap.installed("dev")
