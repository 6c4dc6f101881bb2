#!/usr/bin/env bash
# test-deps.sh: install what the tests need besides Go: Debian's packages when
# root, npm packages in the tests' folders. What cannot be installed is left
# out: its tests are skipped by name, and fail where CI=true.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=()
need() { command -v "$1" >/dev/null || packages+=("$2"); }
need node nodejs
need npm npm
need chromium chromium
need redis-server redis-server
/usr/bin/python3 -c 'import websockets' 2>/dev/null || packages+=(python3-websockets)

if [ ${#packages[@]} -gt 0 ]; then
	if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
		apt-get update -qq
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
	else
		echo "test-deps: not root or no apt-get; missing: ${packages[*]}" >&2
	fi
fi
if command -v npm >/dev/null; then
	git ls-files 'test/*package-lock.json' | while read -r lock; do
		dir=$(dirname "$lock")
		if [ ! -e "$dir/node_modules/.package-lock.json" ] || [ "$lock" -nt "$dir/node_modules/.package-lock.json" ]; then
			(cd "$dir" && npm ci --no-audit --no-fund --silent)
		fi
	done
fi
