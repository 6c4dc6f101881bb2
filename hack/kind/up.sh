#!/usr/bin/env bash
# up.sh: a cluster in Docker with the images of this checkout, the chart and a
# sample. What is there is kept and brought up to date. For machines without
# Docker there is hack/cluster.
set -euo pipefail
cd "$(dirname "$0")/../.."
name=${KIND_CLUSTER:-gohub}
sample=${SAMPLE:-config/samples/minimal.yaml}

for program in docker kind kubectl helm; do
	if ! command -v "$program" >/dev/null; then
		echo "kind-up: $program is missing; without Docker, make cluster-up" >&2
		exit 1
	fi
done

# The names that the chart uses where none are given.
version=$(sed -nE 's/^appVersion: *"?([^"]*)"?$/\1/p' charts/gohub/Chart.yaml)
images=$(go run ./hack/image -version "$version" -platforms "linux/$(go env GOARCH)")

if ! kind get clusters | grep -qxF "$name"; then
	kind create cluster --name "$name" --config hack/kind/cluster.yaml --wait 120s
fi
echo "$images" | while read -r archive _; do
	kind load image-archive --name "$name" "$archive"
done
context=kind-$name
helm upgrade --install gohub charts/gohub --kube-context "$context" \
	--namespace gohub-system --create-namespace --wait --timeout 120s
kubectl --context "$context" apply -f "$sample"
kubectl --context "$context" wait --for=condition=Ready --timeout=180s -f "$sample"
kubectl --context "$context" get ghc
