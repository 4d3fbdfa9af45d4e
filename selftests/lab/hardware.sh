# SPDX-License-Identifier: GPL-2.0-only
#
# lab --hardware: the command runs on this very machine, on its own AMD-V or
# VT-x, with lodge inserted for as long as the command lives. Sourced by the lab.
# Options that shape an emulated machine mean nothing here and are refused by
# hardware_check where they would change what a test proves.

hardware_check()
{
	grep -qwE 'svm|vmx' /proc/cpuinfo ||
		lab_die "this machine has neither AMD-V nor VT-x (or its firmware hides it); leave --hardware out to emulate one"
	[ "$(id -u)" = 0 ] || lab_die "--hardware inserts a module: root only"
	[ -z "$LAB_ICOUNT" ] || lab_die "--icount needs the emulator"
	[ "$LAB_CPUS" -le "$(nproc)" ] || lab_die "this machine has $(nproc) CPUs, not $LAB_CPUS"
	lab_need insmod rmmod dmesg timeout
	[ "$LAB_MODULE" != build ] || LAB_MODULE=$LAB_TOP/build/$(uname -r)/lodge.ko
	[ -z "$LAB_MODULE" ] || [ -e "$LAB_MODULE" ] ||
		lab_die "$LAB_MODULE is not built; type: make KERNELS=$(uname -r)"
	[ -z "$LAB_MODULE" ] || [ ! -d /sys/module/lodge ] ||
		lab_die "lodge is inserted already; rmmod lodge first"
}

hardware_release()
{
	local try

	[ -n "$HARDWARE_INSERTED" ] || return 0
	HARDWARE_INSERTED=
	for try in {1..50}; do
		rmmod lodge 2>/dev/null && return
		sleep 0.1
	done
	lab_say "lodge could not be taken out: $(rmmod lodge 2>&1)"
	return 1
}

# hardware_run COMMAND...: does not return.
hardware_run()
{
	local mark status

	hardware_check
	mark="lodge-lab: $$ $EPOCHREALTIME"
	echo "$mark" >/dev/kmsg
	trap hardware_release EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	if [ -n "$LAB_MODULE" ]; then
		# shellcheck disable=SC2086
		insmod "$LAB_MODULE" $LAB_PARAMS || lab_die "lodge.ko was not accepted: $(dmesg | tail -n 3)"
		HARDWARE_INSERTED=y
	fi
	export LODGE_LAB=hardware LODGE_LAB_CPUS=$LAB_CPUS LODGE_LAB_KERNEL=$(uname -r) LODGE_LAB_ICOUNT=
	if [ -n "$LAB_TTY" ]; then
		"$@"
	else
		timeout -k 10 "$LAB_SECONDS" "$@" </dev/null
	fi
	status=$?
	hardware_release || status=$LAB_COMPLAINT
	if ! dmesg | awk -v mark="$mark" 'seen { print } index($0, mark) { seen = 1 }' |
	     "$LAB_DIR/complaints" >&2; then
		lab_say "the kernel complained, see above"
		status=$LAB_COMPLAINT
	fi
	exit $status
}
