#!/bin/bash
# cluster.sh [nats] [jetstream] [redis] [embedded]: measure three hubs on a bus
# (all of them when none is named): latency from hub to hub, messages at the
# broker, a storm of joins, histories, and what 200,000 rooms cost.
#
#   PORT=9500   first of the loopback ports used
#   OUT=out     where binaries go
#
# Needs Linux, Go, and redis-server for redis; nats-server is built.
set -euo pipefail
cd "$(dirname "$0")"

OUT=$(mkdir -p "${OUT:-out}" && cd "${OUT:-out}" && pwd)
(cd .. && CGO_ENABLED=0 go build -o "$OUT/" ./cmd/hub github.com/nats-io/nats-server/v2)
go build -o "$OUT/" ./cmd/cluster
[ $# -gt 0 ] || set -- nats jetstream redis embedded
ulimit -n "$(ulimit -Hn)"
for bus in "$@"; do
	broker=$OUT/nats-server
	[ "$bus" = redis ] && broker=redis-server
	"$OUT/cluster" -hub "$OUT/hub" -bus "$bus" -broker "$broker" -port "${PORT:-9500}"
done
