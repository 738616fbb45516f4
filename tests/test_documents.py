"""Documents name only what exists."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(("page", "mark"), [("hazard-log.md", "| H"), ("security.md", "| T")])
def test_every_control_names_tests_that_exist(page: str, mark: str):
    rows = [line for line in (ROOT / "docs" / page).read_text().splitlines() if re.match(rf"{re.escape(mark)}\d", line)]
    assert len(rows) >= 10
    for row in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row)
        assert named, f"no test proves the control in: {row[:60]}"
        missing = [f"{file}::{test}" for file, test in named if f"def {test}(" not in (ROOT / file).read_text()]
        assert not missing, f"named in docs/{page}, but not there: {missing}"


def test_vulnerabilities_are_weighed_for_the_versions_that_are_locked():
    weighed = re.findall(r"`([\w.-]+==[\w.]+)`", (ROOT / "docs" / "security.md").read_text())
    locked = set(re.findall(r"^[\w.-]+==[^\s;\\]+", (ROOT / "requirements" / "run.lock").read_text(), re.M))
    assert len(weighed) > 20 and not [pin for pin in weighed if pin not in locked]


def test_the_bill_of_materials_fits_the_locks_and_names_no_machine():
    done = subprocess.run([sys.executable, "scripts/sbom.py", "--check"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    text = (ROOT / "deploy" / "sbom.cdx.json").read_text()
    bill = json.loads(text)
    assert "://" not in text and str(ROOT) not in text
    names = {component["name"] for component in bill["components"]}
    assert {"rasa", "sanic", "lit", "socket.io-client"} <= names and not names & {"pytest", "vite"}
    refs = {component["bom-ref"] for component in bill["components"]} | {bill["metadata"]["component"]["bom-ref"]}
    assert all(ref in refs for row in bill["dependencies"] for ref in (row["ref"], *row["dependsOn"]))
