#!/usr/bin/env bash
# e2e.sh [flags of the tests...]: run test/e2e on a real cluster of two nodes
# (hack/cluster), and end it. Needs root and Linux. E2E_KEEP=1 leaves the cluster
# for a look (make cluster-down ends it). After a failure the logs of all pods
# and programs are in $OUT (test-results/e2e).
#
# The tests see: KUBECONFIG, kubectl and helm in PATH, the names of Services, and
#   E2E_TAG    the tag of the images ghcr.io/chenxilol/gohub-{hub,operator,image,probe};
#              with -next behind it they are the same
#   E2E_CHART  the chart's folder
#   E2E_OUT    a folder for what is kept of failures
#   CLUSTER    a program that knows the cluster (CLUSTER kill POD-UID)
set -euo pipefail
cd "$(dirname "$0")/.."
OUT=${OUT:-test-results/e2e}
chart=$PWD/charts/gohub
rm -rf "$OUT"
mkdir -p "$OUT" bin

# Everything is built before: there is no network inside.
go build -o bin/cluster ./hack/cluster
tag=$(sed -nE 's/^appVersion: *"?([^"]*)"?$/\1/p' "$chart/Chart.yaml")
go run ./hack/image -version e2e -tags "$tag,$tag-next" -platforms "linux/$(go env GOARCH)" \
	./cmd/... ./examples/image ./test/e2e/probe | tee "$OUT/images.txt"
ln -sf "$(go tool -modfile=hack/tools/go.mod -n helm)" bin/helm # as test/chart runs it, so built once
tests=()
for package in ./hack/cluster/smoke ./test/e2e; do
	name=bin/$(basename "$package").e2e
	CGO_ENABLED=0 go test -c -trimpath -tags e2e -o "$name" "$package"
	tests+=("$name $package")
done

finish() {
	local status=$?
	trap - EXIT
	if [ "$status" -ne 0 ]; then
		bin/cluster logs "$OUT/cluster" || true
		echo "e2e: failed; logs are in $OUT" >&2
	fi
	if [ "${E2E_KEEP-}" = 1 ]; then
		echo "e2e: the cluster is left; make cluster-down ends it"
	else
		bin/cluster down || status=1
	fi
	exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

bin/cluster down # of a run that was killed
mapfile -t archives < <(cut -d' ' -f1 "$OUT/images.txt")
bin/cluster up -nodes 2 "${archives[@]}"
export E2E_TAG=$tag E2E_CHART=$chart E2E_OUT=$(realpath "$OUT") CLUSTER=$PWD/bin/cluster PATH=$PWD/bin:$PATH
for test in "${tests[@]}"; do
	read -r program package <<<"$test"
	(cd "$package" && "$CLUSTER" exec "$OLDPWD/$program" -test.v -test.timeout=60m "$@") 2>&1 | tee "$OUT/$(basename "$program").txt"
done
