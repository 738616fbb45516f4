#!/usr/bin/env bash
# Finds Chromium for the browser tests, or installs Debian's when it may. Prints where it is.
set -euo pipefail
find_it() {
  for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome-stable google-chrome; do
    if [ -n "$name" ] && command -v "$name" 2>/dev/null; then return; fi
  done
  return 1
}
find_it && exit
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "==> Installing Chromium for the browser tests" >&2
  apt-get update -qq >&2 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >&2 ||
    echo "Chromium could not be installed." >&2
  find_it && exit
fi
echo "No Chromium found, and the browser tests need one. Install it (Debian: apt-get install chromium) or set CHROMIUM" \
  "to its command, and run this again." >&2
exit 1
