#!/bin/bash
# run.sh [idle] [fanout] [mixed] [join] [echo] [churn]: measure GoHub beside a
# bare server and other libraries (all comparisons when none is named), print
# tables and write out/performance.md; exit 1 when a requirement is missed.
#
#   QUICK=1           short runs: to see that it works, not for figures
#   ROUNDS=3          repetitions; the report takes medians
#   SERVERS="..."     which servers take part, of: gohub bare gorilla melody gws centrifuge
#   PORT=9300         first of the loopback ports used
#   OUT=out           where binaries and results go
#
# Needs Linux, Go, and about 2 GiB of memory.
set -euo pipefail
cd "$(dirname "$0")"

OUT=$(mkdir -p "${OUT:-out}" && cd "${OUT:-out}" && pwd)
PORT=${PORT:-9300}
ROUNDS=${ROUNDS:-1}
SERVERS=${SERVERS:-gohub bare gorilla melody gws centrifuge}
MEMBERS=10000 IDLE=19000 CYCLES=10000 DUR=8s HOLD=55s # HOLD: two ping intervals and more
if [ -n "${QUICK:-}" ]; then
	MEMBERS=2000 IDLE=2000 CYCLES=1000 DUR=2s HOLD=2s
fi
RESULTS=$OUT/results.jsonl
declare -A PID
NEXT=$PORT

has() { [[ " $SERVERS " == *" $1 "* ]]; }

build() {
	go build -o "$OUT/" ./cmd/load ./cmd/peer ./cmd/report
	if has gohub; then go build -o "$OUT/" ./cmd/hubsrv; fi
}

# flags SERVER: the load tool's flags that lead to a running server.
declare -A FLAGS
flags() { echo "-server $1 ${FLAGS[$1]}"; }

# start SERVER...: each on ports of its own. "bare-joined" is bare with one write for all that is queued.
start() {
	local s addr probe
	for s in "$@"; do
		addr=127.0.0.1:$NEXT probe=127.0.0.1:$((NEXT + 1))
		NEXT=$((NEXT + 2))
		case $s in
		gohub) "$OUT/hubsrv" -addr $addr -probe $probe & ;;
		bare-joined) "$OUT/peer" -kind bare -coalesce -addr $addr -probe $probe & ;;
		*) "$OUT/peer" -kind "$s" -addr $addr -probe $probe & ;;
		esac
		PID[$s]=$!
		FLAGS[$s]="-addr $addr -probe $probe -pid $! -proto $(protocol "$s")"
		listening "${addr##*:}" && listening "${probe##*:}"
	done
}

protocol() {
	case $1 in
	gohub | centrifuge) echo "$1" ;;
	*) echo raw ;;
	esac
}

listening() {
	for _ in $(seq 100); do
		if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then return; fi
		sleep 0.05
	done
	echo "nothing listens on port $1" >&2
	return 1
}

stop() {
	local s
	for s in "${!PID[@]}"; do
		kill "${PID[$s]}" 2>/dev/null || true
		wait "${PID[$s]}" 2>/dev/null || true
	done
	PID=() FLAGS=() NEXT=$PORT
}
trap stop EXIT

# load SET FLAGS...: one server. The line of results goes to the file, what happens to the screen.
load() {
	local set=$1
	shift
	echo "- $set: $(date +%T)" >&2
	"$OUT/load" -set "$set" -round "$ROUND" "$@" >>"$RESULTS"
}

# side_by_side SET "SERVER..." FLAGS...: all in one run, turn by turn. EXTRA_server adds flags for one of them.
side_by_side() {
	local set=$1 servers=$2 s extra beside=()
	shift 2
	start $servers
	for s in $servers; do
		extra=EXTRA_${s//-/_}
		beside+=("$(flags "$s") ${!extra:-}")
	done
	local first=${beside[0]} more=()
	for s in "${beside[@]:1}"; do more+=(-beside "$s"); done
	load "$set" "$@" $first "${more[@]}"
	stop
}

# among SERVER...: those that take part.
among() {
	local s out=()
	for s in "$@"; do if has "${s%-joined}"; then out+=("$s"); fi; done
	echo "${out[*]}"
}

idle() {
	local s
	for s in $(among gohub bare gorilla melody gws centrifuge); do
		start "$s"
		load "Idle, anonymous, $IDLE connections" $(flags "$s") -mode idle -conns $IDLE -rooms 0 \
			-hold "$([ "$s" = gohub ] && echo $HOLD || echo 2s)"
		stop
	done
	if has gohub; then
		start gohub
		load "Idle, with id and a room, $IDLE connections" $(flags gohub) -mode idle -conns $IDLE -rooms 1 -ids -hold $HOLD
		stop
	fi
}

fanout() {
	local n
	for n in 1 10 100; do
		side_by_side "Fan-out, $n queued, $MEMBERS members, 128 B" \
			"$(among gohub bare $([ $n = 1 ] || echo bare-joined) gorilla melody gws centrifuge)" \
			-mode fanout -conns $MEMBERS -burst $n -dur $DUR
	done
}

# The bare server knows neither subprotocol nor compression: it sets the scale.
mixed() {
	EXTRA_gohub="-v1 10 -deflate 10" EXTRA_bare="-v1 0 -deflate 0" side_by_side "Fan-out, 100 senders, 100 queued, $MEMBERS members, 10% gohub.v1, 10% compressed" \
		"$(among gohub bare)" -mode fanout -conns $MEMBERS -burst 100 -senders 100 -dur $DUR
}

join() {
	if ! has gohub; then return; fi
	start gohub
	load "Join and leave" $(flags gohub) -mode join -small 100 -conns $IDLE -dur $DUR
	stop
}

# All but centrifuge echo the same bytes: the others' raw mode takes the hub's messages as they are.
echo_() {
	local -x EXTRA_bare="-proto gohub" EXTRA_gorilla="-proto gohub" EXTRA_melody="-proto gohub" EXTRA_gws="-proto gohub"
	local servers
	servers=$(among gohub bare gorilla melody gws centrifuge)
	side_by_side "Echo, 1,000/s over 100 connections" "$servers" -mode echo -conns 100 -rooms 0 -rate 1000 -dur $DUR
	side_by_side "Echo, closed loop over 100 connections" "$servers" -mode echo -conns 100 -rooms 0 -dur $DUR
}

churn() {
	local s
	for s in $(among gohub gorilla melody gws centrifuge); do
		start "$s"
		load "Churn: connect, join, send, leave rudely" $(flags "$s") -mode churn -cycles $CYCLES
		stop
	done
}

[ $# -gt 0 ] || set -- idle fanout mixed join echo churn
for what in "$@"; do
	case $what in
	idle | fanout | mixed | join | echo | churn) ;;
	*)
		echo "run.sh: $what: want idle, fanout, mixed, join, echo or churn" >&2
		exit 2
		;;
	esac
done
ulimit -n "$(ulimit -Hn)"
build
: >"$RESULTS"
for ROUND in $(seq "$ROUNDS"); do
	for what in "$@"; do
		if [ "$what" = echo ]; then echo_; else $what; fi
	done
done
"$OUT/report" -check -md "$OUT/performance.md" "$RESULTS"
