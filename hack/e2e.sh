#!/usr/bin/env bash
# e2e.sh [flags of the tests...]: run test/e2e on a real cluster of two nodes
# (hack/cluster), and end it. Needs root and Linux. E2E_KEEP=1 leaves the cluster
# for a look (make cluster-down ends it). After a failure the logs of all pods
# and programs are in $OUT (test-results/e2e).
#
# The tests see: KUBECONFIG, kubectl and helm in PATH, the names of Services, and
#   E2E_TAG    the tag of the images ghcr.io/chenxilol/gohub-{hub,operator,image}
#   E2E_CHART  the chart's folder
#   CLUSTER    a program that knows the cluster (CLUSTER load IMAGE.tar)
set -euo pipefail
cd "$(dirname "$0")/.."
OUT=${OUT:-test-results/e2e}
chart=$PWD/charts/gohub
rm -rf "$OUT"
mkdir -p "$OUT" bin

# Everything is built before: there is no network inside.
go build -o bin/cluster ./hack/cluster
tag=$(sed -nE 's/^appVersion: *"?([^"]*)"?$/\1/p' "$chart/Chart.yaml" 2>/dev/null || true)
tag=${tag:-e2e}
go run ./hack/image -version e2e -tags "$tag" -platforms "linux/$(go env GOARCH)" ./cmd/... ./examples/image | tee "$OUT/images.txt"
if grep -q helm.sh/helm hack/tools/go.mod; then
	ln -sf "$(go tool -modfile=hack/tools/go.mod -n helm)" bin/helm # as test/chart runs it, so built once
fi
tests=()
for package in ./hack/cluster/smoke ./test/e2e; do
	if [ -d "$package" ]; then
		name=bin/$(basename "$package").e2e
		CGO_ENABLED=0 go test -c -trimpath -tags e2e -o "$name" "$package"
		tests+=("$name $package")
	fi
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
export E2E_TAG=$tag E2E_CHART=$chart CLUSTER=$PWD/bin/cluster PATH=$PWD/bin:$PATH
for test in "${tests[@]}"; do
	read -r program package <<<"$test"
	(cd "$package" && "$CLUSTER" exec "$OLDPWD/$program" -test.v -test.timeout=60m "$@") 2>&1 | tee "$OUT/$(basename "$program").txt"
done
