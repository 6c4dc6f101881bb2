#!/usr/bin/env bash
# fuzz.sh: run every fuzz target for FUZZTIME: a time (10s) or a number of
# inputs (20000x), as go test takes it. A time can end in a failure of go test
# itself, "context deadline exceeded" (golang/go#75804), so CI takes a number.
set -euo pipefail
cd "$(dirname "$0")/.."
git grep --untracked -oE '^func Fuzz[A-Za-z0-9_]+' -- '*_test.go' | while IFS=: read -r file func; do
	target=${func#func }
	echo "fuzz ./$(dirname "$file") $target"
	go test -run='^$' -fuzz="^$target\$" -fuzztime="${FUZZTIME:-10s}" "./$(dirname "$file")" </dev/null
done
