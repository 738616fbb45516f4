"""npm for tests: skips, with the reason, where there is none or it reaches no registry."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

UNREACHABLE = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT", "ENETUNREACH", "ECONNRESET", "ENOTCACHED")


def npm(folder: Path, *arguments: str) -> str:
    """Runs npm in a folder and gives what it prints."""
    if not shutil.which("npm"):
        pytest.skip("npm is not installed: install Node.js 20.19 or later to run this test")
    command = ["npm", *arguments, "--prefer-offline", "--no-audit", "--no-fund"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, check=False)
    if result.returncode and any(code in result.stderr for code in UNREACHABLE):
        pytest.skip("npm reaches no registry from here, and the packages are not in its cache")
    assert result.returncode == 0, f"npm {arguments} failed:\n{result.stdout[-1500:]}\n{result.stderr[-1500:]}"
    return result.stdout
