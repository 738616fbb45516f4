"""`make fuzz` finds a fault, counts branches, and knows all property tests."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))
import fuzz

PLANTED = """
from hypothesis import given, strategies as st

@given(st.binary(max_size=12))
def test_planted(data):
    if data[:1] == b"s":
        if data[1:2] > b"p":
            if len(data) > {longer_than}:
                raise ValueError("the planted fault")
"""


def test_all_property_tests_are_known():
    others = (path for path in Path(__file__).parent.rglob("test_*.py") if path != Path(__file__))
    written = sum(len(re.findall(r"^@given\(", path.read_text(encoding="utf-8"), re.M)) for path in others)
    assert len(fuzz.properties()) == written >= 10


@pytest.mark.skipif(not importlib.util.find_spec("atheris"), reason="Atheris exists for Linux on x86-64 only")
@pytest.mark.parametrize(("longer_than", "found"), [(0, True), (12, False)])
def test_a_planted_fault_is_found_and_told(tmp_path: Path, longer_than: int, found: bool):
    (tmp_path / "test_planted.py").write_text(PLANTED.format(longer_than=longer_than), encoding="utf-8")
    (path,) = fuzz.properties(tmp_path).values()
    outcome = fuzz.fuzz("test_planted", path, seconds=120 if found else 3, kept=tmp_path / "kept")
    assert outcome.inputs > 100 and outcome.last > 0
    assert bool(outcome.fault and "the planted fault" in outcome.fault) is found
