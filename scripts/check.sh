#!/usr/bin/env bash
# Lint, types, generated files and Rasa's own validation.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH" PYTHONPATH="$PWD" RASA_TELEMETRY_ENABLED=false TF_CPP_MIN_LOG_LEVEL=3 \
  CUDA_VISIBLE_DEVICES=-1 SQLALCHEMY_SILENCE_UBER_WARNING=1 PYTHONWARNINGS=ignore
step() { printf '==> %s\n' "$1"; }
step "ruff";  ruff check .; ruff format --check .
step "mypy";  mypy
step "generated files"; python -m bot.generate --check
step "rasa data validate"; python -m bot.rasa_cli data validate --fail-on-warnings --quiet
