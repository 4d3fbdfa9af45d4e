#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: cpus=1 seconds=120 flags=lodge
#
# `lodge list` and `lodge events`: every VM of whatever process shows, as a table
# and as JSON; each change is a line; refusals are a sentence and a status of
# their own. VMs are held by small Python programs that know nothing of the tool.

cd "$(dirname "$0")/.." || exit 1
LODGE=${LODGE:-$PWD/build/lodge}
export LODGE_DEVICE=${LODGE_DEVICE:-/dev/lodge}
WORK=$(mktemp -d)
HOLDERS=()
TESTS=0 FAILED=0

cleanup()
{
	local pid

	for pid in "${HOLDERS[@]}"; do
		kill "$pid" 2>/dev/null
	done
	wait
	rm -rf "$WORK"
}
trap cleanup EXIT

# result NAME STATUS; LODGE_TEST_UNTIL names a case behind which the script stops.
result()
{
	TESTS=$((TESTS + 1))
	if [ "$2" = 0 ]; then
		echo "ok $TESTS $1"
	else
		echo "not ok $TESTS $1"
		FAILED=$((FAILED + 1))
	fi
	[ "$1" != "$LODGE_TEST_UNTIL" ] || finish
}

finish()
{
	echo "1..$TESTS"
	[ $FAILED = 0 ]
	exit
}

# hold NAME MEGABYTES VCPUS: a process that has a VM until it is killed
hold()
{
	python3 - "$@" 3>"$WORK/ready" <<-'P' &
		import ctypes, fcntl, mmap, os, signal, struct, sys
		name, megabytes, vcpus = sys.argv[1].encode(), int(sys.argv[2]), int(sys.argv[3])
		device = os.open(os.environ["LODGE_DEVICE"], os.O_RDWR)
		vm = fcntl.ioctl(device, 0xae01, 0)
		fcntl.ioctl(vm, 0x4048b701, struct.pack("II64s", 72, 0, name))
		memory = mmap.mmap(-1, megabytes << 20)
		address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
		fcntl.ioctl(vm, 0x4020ae46, struct.pack("IIQQQ", 0, 0, 0, megabytes << 20, address))
		fds = [fcntl.ioctl(vm, 0xae41, i) for i in range(vcpus)]
		os.write(3, b"ready\n")
		os.close(3)
		signal.pause()
	P
	HELD=$!
	HOLDERS+=("$HELD")
	for _ in {1..300}; do
		[ ! -s "$WORK/ready" ] || break
		sleep 0.1
	done
	[ -s "$WORK/ready" ] || echo "# the VM \"$1\" was not made"
	rm -f "$WORK/ready"
}

drop()
{
	kill "$1"
	wait "$1" 2>/dev/null
}

# Destruction may be finished a moment after the process is gone.
list_empties()
{
	for _ in {1..50}; do
		[ "$("$LODGE" list | wc -l)" != 1 ] || return 0
		sleep 0.1
	done
	return 1
}

# says STATUS TEXT COMMAND...: the command ends so, with one line on stderr that holds TEXT
says()
{
	local status=$1 text=$2 got

	shift 2
	"$@" >"$WORK/out" 2>"$WORK/err"
	got=$?
	if [ $got != "$status" ] || [ "$(wc -l <"$WORK/err")" != 1 ] || ! grep -qF -- "$text" "$WORK/err"; then
		echo "# status $got instead of $status: $(cat "$WORK/err")"
		return 1
	fi
}

# json FILE EXPRESSION: of j, the parsed file; of lines, its lines parsed one by one
json()
{
	python3 - "$@" <<-'P'
		import json, sys
		text = open(sys.argv[1]).read()
		lines = j = None
		try:
		    j = json.loads(text)
		except ValueError:
		    pass
		try:
		    lines = [json.loads(line) for line in text.splitlines()]
		except ValueError:
		    pass
		if not eval("(" + sys.argv[2] + ")"):
		    print("# not so:", sys.argv[2], "\n# ", text.replace("\n", "\n# "))
		    sys.exit(1)
	P
}

# listen FILE ARGUMENT...: `lodge events` in the background, and wait until it is subscribed
listen()
{
	local file=$1

	shift
	"$LODGE" events "$@" >"$file" 2>"$file.err" &
	LISTENER=$!
	# Columns: sk, protocol (16 is generic netlink), port, groups.
	for _ in {1..100}; do
		[ "$(awk '$2 == 16 && $4 != "00000000"' /proc/net/netlink | wc -l)" = 0 ] || return 0
		sleep 0.1
	done
	echo "# nobody listens"
}

list_of_none()
{
	"$LODGE" list >"$WORK/list" && [ "$(wc -l <"$WORK/list")" = 1 ] &&
		grep -qE '^ *ID +NAME +PID +VCPUS +MEMORY +STATE +REASON$' "$WORK/list" &&
		"$LODGE" list -j >"$WORK/list" && json "$WORK/list" 'j == []'
}

list_of_three()
{
	"$LODGE" list >"$WORK/list" && "$LODGE" list -j >"$WORK/json" || return
	[ "$(wc -l <"$WORK/list")" = 4 ] || return
	grep -qE "^ *[0-9]+  first +$FIRST +1 +16M  created +-$" "$WORK/list" &&
		grep -qE "^ *[0-9]+  a \"second\" +$SECOND +2 +3M  created +-$" "$WORK/list" &&
		json "$WORK/json" "[(v['name'], v['pid'], v['vcpus'], v['memory'], v['state'], v['reason']) for v in j] == [
			('first', $FIRST, 1, 16 << 20, 'created', None), ('a \"second\"', $SECOND, 2, 3 << 20, 'created', None),
			('third', $THIRD, 0, 1 << 20, 'created', None)] and j[0]['id'] < j[1]['id'] < j[2]['id']"
}

list_loses_the_killed()
{
	kill -9 "$SECOND"
	wait "$SECOND" 2>/dev/null
	for _ in {1..50}; do
		"$LODGE" list -j >"$WORK/json"
		[ "$(grep -c '"id"' "$WORK/json")" != 2 ] || break
		sleep 0.1
	done
	json "$WORK/json" "[v['pid'] for v in j] == [$FIRST, $THIRD]"
}

events_tell_life()
{
	listen "$WORK/events" --count 2 --timeout 30
	hold visitor 2 1
	drop "$HELD"
	wait "$LISTENER" || return
	[ "$(wc -l <"$WORK/events")" = 2 ] || return
	sed -n 1p "$WORK/events" | grep -qE "^[0-9-]+T[0-9:.]+Z  +[0-9]+  - +$HELD +0 +0  created +-$" &&
		sed -n 2p "$WORK/events" | grep -qE "^[0-9-]+T[0-9:.]+Z  +[0-9]+  visitor +$HELD +1 +2M  destroyed +-$"
}

events_in_json()
{
	listen "$WORK/events" -j --count 2 --timeout 30
	hold visitor 2 1
	drop "$HELD"
	wait "$LISTENER" || return
	json "$WORK/events" "[(v['state'], v['pid']) for v in lines] == [('created', $HELD), ('destroyed', $HELD)] and
		lines[0]['id'] == lines[1]['id'] and all('time' in v for v in lines)"
}

# A line can be read while the tool still listens.
events_are_flushed()
{
	listen "$WORK/events" --timeout 60
	hold visitor 2 1
	for _ in {1..50}; do
		[ "$(wc -l <"$WORK/events")" = 0 ] || break
		sleep 0.1
	done
	drop "$HELD"
	[ "$(wc -l <"$WORK/events")" != 0 ] && kill -0 "$LISTENER" && kill "$LISTENER"
}

wrong_words()
{
	says 2 '--jso' "$LODGE" list --jso && says 2 'extra' "$LODGE" list extra &&
		says 2 '--count' "$LODGE" events --count && says 2 '"0"' "$LODGE" events --count 0 &&
		says 2 '"1x"' "$LODGE" events --timeout 1x && says 2 '-x' "$LODGE" events -x
}

no_capability()
{
	local nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)

	says 6 CAP_NET_ADMIN "${nobody[@]}" "$LODGE" list && says 6 CAP_NET_ADMIN "${nobody[@]}" "$LODGE" events --timeout 1
}

[ -x "$LODGE" ] || { echo "1..0 # SKIP there is no $LODGE: make tool"; exit 4; }
[ -d /sys/module/lodge ] || { echo "1..0 # SKIP the module lodge is not loaded"; exit 4; }

list_of_none; result "an empty list has its headings, or is []" $?
hold first 16 1; FIRST=$HELD
hold 'a "second"' 3 2; SECOND=$HELD
hold third 1 0; THIRD=$HELD
list_of_three; result "three VMs of three processes show" $?
list_loses_the_killed; result "a VM of a killed process is gone, the others stay" $?
drop "$FIRST"; drop "$THIRD"
list_empties; result "the list empties" $?
events_tell_life; result "events: created and destroyed" $?
events_in_json; result "events: a JSON object per line" $?
events_are_flushed; result "events: a line comes when it happens" $?
says 1 "0 of 1 events" "$LODGE" events --count 1 --timeout 1; result "events: a count that is not reached is a failure" $?
"$LODGE" events --timeout 1; result "events: a timeout alone is not" $?
wrong_words; result "words that are not known are refused" $?
no_capability; result "without CAP_NET_ADMIN: a sentence and status 6" $?
says 7 "first network namespace" unshare -n "$LODGE" list; result "in another network namespace: a sentence and status 7" $?
says 1 "No space left" sh -c '"$0" list >/dev/full' "$LODGE"; result "a list that cannot be written is a failure" $?

finish
