# Runs as root inside the small Linux. $SERVER, $CONNS and $PROTO come with it (see run.sh).
# All connections of a process and all of its clients in one process each, in one room.
ulimit -n 4000000
case $SERVER in
gohub)
	# The machine is emulated, 10 to 30 times slower: pings at their usual pace would be all it does.
	hubsrv -ping 5m -read-timeout 30m &
	;;
*) peer -kind "$SERVER" & ;;
esac
pid=$!
sleep 3
failed=0
common="-pid $pid -server $SERVER -proto $PROTO -workers 1 -patience 120s"
load -set "One process, $CONNS connections, one room" $common -mode fanout -conns "$CONNS" -bursts 3 -turn 10m -dur 10m || failed=1
if [ "$SERVER" = gohub ]; then
	load -set "Join and leave, room of $CONNS, emulated" $common -mode join -small 100 -conns "$CONNS" -dur 1s || failed=1
fi
kill $pid
exit $failed
