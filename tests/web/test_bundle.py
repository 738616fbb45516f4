"""The committed bundle is what the sources build to, small, and talks to nobody else."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from pathlib import Path

import pytest

from bot.feedback import REASONS
from tests.web.npm import npm

WEB = Path(__file__).resolve().parents[2] / "bot" / "web"
BUNDLE = WEB / "dist" / "widget.js"
LIMIT = 35_000
# A name of XML vocabularies, and an address inside an error message; neither is ever fetched.
NO_REQUESTS = {"www.w3.org", "socket.io"}


def test_bundle_equals_a_fresh_build(tmp_path: Path):
    sources = shutil.copytree(WEB, tmp_path / "web", ignore=shutil.ignore_patterns("node_modules", "dist"))
    npm(sources, "ci", "--no-progress")
    npm(sources, "run", "build")
    assert (sources / "dist" / "widget.js").read_bytes() == BUNDLE.read_bytes(), (
        "bot/web/dist/widget.js is not what bot/web/src builds to: run `npm ci && npm run build` there and commit it"
    )


def test_bundle_is_small():
    assert len(gzip.compress(BUNDLE.read_bytes(), 9)) <= LIMIT


def test_bundle_names_no_other_host():
    hosts = set(re.findall(r"https?://([\w.-]+)", BUNDLE.read_text()))
    assert hosts <= NO_REQUESTS, hosts


def test_no_registry_is_written_down():
    lock = json.loads((WEB / "package-lock.json").read_text())
    packages = [package for name, package in lock["packages"].items() if name]
    assert packages and not [package for package in packages if "resolved" in package]
    assert all(package.get("integrity") for package in packages)


def test_versions_are_exact():
    manifest = json.loads((WEB / "package.json").read_text())
    wanted = {**manifest["dependencies"], **manifest["devDependencies"]}
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted.values())


def test_every_reason_has_a_label():
    labels = (WEB / "src" / "labels.ts").read_text().split("reasons: {")[1].split("}")[0]
    assert set(re.findall(r"^\s+(\w+):", labels, re.M)) == REASONS - {""}


def test_every_drawn_part_is_in_the_knowledge_base(knowledge):
    drawn = set(re.findall(r"id: '(\w+)'", (WEB / "src" / "body.ts").read_text()))
    assert len(drawn) >= 12 and drawn <= set(knowledge.body_parts)


@pytest.mark.parametrize("source", sorted(path.name for path in (WEB / "src").glob("*.ts")))
def test_nothing_puts_markup_in(source: str):
    text = (WEB / "src" / source).read_text()
    assert not re.search(r"(inner|outer|insertAdjacent|unsafe)HTML|document\.write|\beval\(|new Function", text)
