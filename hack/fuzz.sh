#!/usr/bin/env bash
# fuzz.sh: run every fuzz target for FUZZTIME (10s).
set -euo pipefail
cd "$(dirname "$0")/.."
git grep --untracked -oE '^func Fuzz[A-Za-z0-9_]+' -- '*_test.go' | while IFS=: read -r file func; do
	target=${func#func }
	echo "fuzz ./$(dirname "$file") $target"
	go test -run='^$' -fuzz="^$target\$" -fuzztime="${FUZZTIME:-10s}" "./$(dirname "$file")" </dev/null
done
