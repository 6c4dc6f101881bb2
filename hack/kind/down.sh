#!/usr/bin/env bash
# down.sh: remove the cluster of up.sh.
set -euo pipefail
exec kind delete cluster --name "${KIND_CLUSTER:-gohub}"
