#!/usr/bin/env bash
# Asks PyPI's and npm's databases for known vulnerabilities of what the locks pin. Needs network, uv and npm.
# What docs/security.md has weighed is left out, so that whatever is shown is new.
set -euo pipefail
cd "$(dirname "$0")/.."
known=$(grep -oE 'CVE-[0-9]{4}-[0-9]+|GHSA(-[0-9a-z]{4}){3}' docs/security.md | sort -u | sed 's/^/--ignore-vuln /')
# shellcheck disable=SC2086
uvx pip-audit --requirement requirements/run.lock --require-hashes --disable-pip $known
npm --prefix bot/web audit --omit dev
