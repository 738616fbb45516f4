#!/usr/bin/env bash
# Locks the requirements with hashes and without any index address. Needs uv.
set -euo pipefail
cd "$(dirname "$0")/../requirements"
inputs=$(cat run.in dev.in overrides.txt | sha256sum | cut -d' ' -f1)
compile() {
  uv pip compile --quiet --python-version 3.10 --override overrides.txt --generate-hashes \
    --no-emit-index-url --no-header "$@"
}
compile dev.in -o dev.lock
compile run.in -c dev.lock -o run.lock
uv pip compile --quiet --python-version 3.10 --generate-hashes --no-emit-index-url --no-header synapse.in -o synapse.lock
sed -i '1i # Made by `make lock`; do not edit.' synapse.lock
for lock in run.lock dev.lock; do
  { echo "# Made by \`make lock\`; do not edit. inputs: $inputs"; cat "$lock"; } > "$lock.new"
  mv "$lock.new" "$lock"
done
