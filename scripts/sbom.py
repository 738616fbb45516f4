"""Writes the bill of materials (CycloneDX 1.6) from the locks: `make sbom`; `--check` compares it with the file.

Only what runs is listed: the packages of requirements/run.lock and those that are built into the widget. The same
locks always give the same file: it has no time and no machine in it.
"""

from __future__ import annotations

import json
import re
import sys
import uuid
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RUN = ROOT / "requirements" / "run.lock"
WIDGET = ROOT / "bot" / "web" / "package-lock.json"
BILL = ROOT / "deploy" / "sbom.cdx.json"
NAME = "muscle-spasm-assistant"
_PINNED = re.compile(r"^([\w.-]+)(?:\[[^\]]*\])?==([^\s;\\]+)")
_VIA = re.compile(r"^    #(?: via| {2})\s+(-r run\.in|[\w.-]+)$")

Component = dict[str, Any]


def bill() -> dict[str, Any]:
    """Gives the bill of materials."""
    python, needs = python_packages()
    components = [*python, *widget_packages()]
    main = {"type": "application", "bom-ref": NAME, "name": NAME, "version": _version()}
    dependencies = [{"ref": ref, "dependsOn": sorted(needs[ref])} for ref in sorted(needs)]
    content = json.dumps([main, components, dependencies])
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, content)}",
        "version": 1,
        "metadata": {"component": main},
        "components": components,
        "dependencies": dependencies,
    }


def python_packages() -> tuple[list[Component], dict[str, set[str]]]:
    """Gives the locked packages and what needs what."""
    versions: dict[str, str] = {}
    wanted_by: dict[str, set[str]] = {}
    name = ""
    for line in RUN.read_text(encoding="utf-8").splitlines():
        if found := _PINNED.match(line):
            name = found.group(1)
            versions[name], wanted_by[name] = found.group(2), set()
        elif found := _VIA.match(line):
            wanted_by[name].add(found.group(1))
    refs = {name: f"pkg:pypi/{name}@{version}" for name, version in versions.items()}
    needs: dict[str, set[str]] = {ref: set() for ref in (NAME, *refs.values())}
    for name, others in wanted_by.items():
        for other in others:
            needs[NAME if other == "-r run.in" else refs[other]].add(refs[name])
    return [_component(name, versions[name], refs[name]) for name in sorted(versions)], needs


def widget_packages() -> list[Component]:
    """Gives the packages built into the widget; those that only build it are left out."""
    locked = json.loads(WIDGET.read_text(encoding="utf-8"))["packages"]
    used = {
        path.removeprefix("node_modules/"): entry for path, entry in locked.items() if path and not entry.get("dev")
    }
    return [
        _component(
            name, entry["version"], f"pkg:npm/{name.replace('@', '%40')}@{entry['version']}", entry.get("license")
        )
        for name, entry in sorted(used.items())
    ]


def _component(name: str, version: str, purl: str, license: str | None = None) -> Component:
    found: Component = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
    return {**found, "licenses": [{"expression": license}]} if license else found


def _version() -> str:
    found = re.search(r'__version__ = "([^"]+)"', (ROOT / "bot" / "__init__.py").read_text(encoding="utf-8"))
    assert found, "bot/__init__.py names no version"
    return found.group(1)


def main() -> int:
    """Writes or checks the file."""
    text = json.dumps(bill(), indent=1) + "\n"
    if "--check" in sys.argv:
        fits = BILL.exists() and BILL.read_text(encoding="utf-8") == text
        print("" if fits else f"{BILL.relative_to(ROOT)} does not fit the locks. Run `make sbom`.", end="")
        return 0 if fits else 1
    BILL.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
