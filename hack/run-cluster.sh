#!/usr/bin/env bash
# run-cluster.sh [ports...] [flags of the hub...]: run hubs that are one hub, on
# the ports 8081 to 8083, in this terminal. They find each other by the bus
# inside them, which listens 1000 ports higher, on the loopback interface. Any
# of them may be killed; Ctrl-C ends all.
set -euo pipefail
cd "$(dirname "$0")/.."

ports=()
while [[ ${1-} =~ ^[0-9]+$ ]]; do
	ports+=("$1")
	shift
done
[ ${#ports[@]} -gt 0 ] || ports=(8081 8082 8083)
rooms='[{"pattern":"*","presence":true,"historySize":100}]'

# label NAME COLOUR: put the name before each line, to the last one.
label() {
	trap '' INT TERM
	local name=$1
	[ -t 1 ] && name=$'\e['"$2m$1"$'\e[0m'
	while IFS= read -r line; do printf '%s | %s\n' "$name" "$line"; done
}

pids=()
routes=
# start NAME PORT FLAGS...: run a hub that goes to those before it. It keeps the
# terminal as its input, by which it knows a Ctrl-C.
start() {
	local name=$1 port=$2 colour=$((36 - ${#pids[@]} % 6))
	shift 2
	bin/hub --page --rooms "$rooms" --node-id "$name" --address "127.0.0.1:$port" \
		--enable-cluster --bus-type embedded --embedded-cluster-address "127.0.0.1:$((port + 1000))" \
		${routes:+--embedded-routes "[$routes]"} --drain-delay 2s --drain-window 3s "$@" \
		<&0 > >(label "$name" "$colour") 2>&1 &
	pids+=($!)
	routes+="${routes:+,}\"127.0.0.1:$((port + 1000))\""
}

# knows PORT COUNT: the page there can go to as many hubs.
knows() {
	exec 3<>"/dev/tcp/127.0.0.1/$1" || return 1
	printf 'GET /page/stats HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n' >&3
	local count
	count=$(grep -o '"host":' <&3 | wc -l)
	exec 3>&- # not for the next hub
	[ "$count" -ge "$2" ]
} 2>/dev/null

# stop SIGNAL: end the hubs that are left.
stop() {
	trap 'kill -KILL "${pids[@]}" 2>/dev/null' INT TERM
	kill "-$1" "${pids[@]}" 2>/dev/null || true
	wait
}

# fail TEXT: say why, and end the hubs that are there.
fail() {
	echo "run-cluster: $1" >&2
	[ ${#pids[@]} -eq 0 ] || stop TERM
	exit 1
}

# await I COUNT: wait until the I-th hub knows as many; fail where it has ended.
await() {
	until knows "${ports[$1]}" "$2"; do
		if ! kill -0 "${pids[$1]}" 2>/dev/null; then
			fail "hub-$(($1 + 1)) has not started"
		fi
		sleep 0.1
	done
}

trap 'stop INT; exit 0' INT
trap 'stop TERM; exit 0' TERM

for i in "${!ports[@]}"; do
	if (exec 3<>"/dev/tcp/127.0.0.1/${ports[$i]}") 2>/dev/null; then
		fail "something listens on port ${ports[$i]} already"
	fi
	start "hub-$((i + 1))" "${ports[$i]}" "$@"
	await "$i" 1 # the next one goes to it
done
for i in "${!ports[@]}"; do
	await "$i" "${#ports[@]}"
done

echo
for i in "${!ports[@]}"; do
	printf '  hub-%d  http://localhost:%d  kill %d drains it, kill -9 %d ends it at once\n' \
		$((i + 1)) "${ports[$i]}" "${pids[$i]}" "${pids[$i]}"
done
printf '\nOpen two of them and join the same room. Ctrl-C ends all.\n\n'
wait 2>/dev/null # where the shell would tell of a hub that is killed
