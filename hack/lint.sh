#!/usr/bin/env bash
# lint.sh: formatting, go vet (also for systems without epoll), staticcheck,
# errcheck; in the main module, and vet in those below it.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

tool() { go tool -modfile="$root/hack/tools/go.mod" "$@"; }

unformatted=$(git ls-files -co --exclude-standard '*.go' | xargs gofmt -l)
if [ -n "$unformatted" ]; then
	printf 'not formatted with gofmt:\n%s\n' "$unformatted" >&2
	exit 1
fi
go vet -tags e2e ./...
GOOS=darwin go vet ./internal/hub/... ./server ./cmd/...
GOOS=windows go vet ./internal/hub/conn
tool staticcheck -tags e2e ./...
tool errcheck -exclude hack/errcheck.txt -ignoretests ./...
(cd bench && go vet ./...)
(cd test/alerts && go vet ./...)
echo "lint: ok"
