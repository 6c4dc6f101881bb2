#!/usr/bin/env bash
# test.sh [go test flags]: run all tests with the race detector, in random
# order; the packages with an -engine flag once for each engine, and compare
# the lists of tests that passed. Results go to $OUT (test-results).
set -euo pipefail
cd "$(dirname "$0")/.."
OUT=${OUT:-test-results}
mkdir -p "$OUT"
hack/test-deps.sh
# The API server that the operator's tests run on, built once.
if [ "$(uname)" = Linux ]; then
	KUBEBUILDER_ASSETS=${KUBEBUILDER_ASSETS:-$(go run ./hack/cluster assets)}
	export KUBEBUILDER_ASSETS
fi

# Packages whose tests choose an engine.
engines=$(git grep --untracked -lE 'flag\.String\("engine"' -- '*_test.go' | xargs -n1 dirname | sort -u | sed 's|^|./|')
# Clusters that are broken on purpose want the machine to themselves.
chaos=$(go list -f '{{.Dir}}' ./test/chaos/... | sed "s|^$PWD|.|")
others=$(go list -f '{{.Dir}}' ./... | sed "s|^$PWD|.|" | grep -vxF "$engines" | grep -vxF "$chaos")

run() { # run NAME packages... -- flags...: print a tally, keep the events
	local name=$1
	shift
	go tool -modfile=hack/tools/go.mod gotestsum --format pkgname --format-hide-empty-pkg \
		--jsonfile "$OUT/$name.json" -- -race -shuffle=on -timeout=40m "$@"
}

# passed NAME: the tests that passed, one a line.
passed() {
	sed -nE 's/.*"Action":"pass","Package":"([^"]*)","Test":"(([^"\\]|\\.)*)".*/\1 \2/p' "$OUT/$1.json" | sort
}

status=0
run all "$@" $others || status=1
run chaos "$@" $chaos || status=1
run engine-auto "$@" $engines -engine=auto || status=1
run engine-goroutine "$@" $engines -engine=goroutine || status=1
(cd test/alerts && go test -shuffle=on ./...) || status=1 # a module of its own
if ! diff <(passed engine-auto) <(passed engine-goroutine) >"$OUT/engines.diff"; then
	echo "tests that passed on one engine only (< auto, > goroutine):" >&2
	cat "$OUT/engines.diff" >&2
	status=1
fi
echo "both engines: $(passed engine-auto | wc -l) tests"
exit $status
