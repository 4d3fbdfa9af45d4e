# SPDX-License-Identifier: GPL-2.0-only
#
# The lab machine "svm": QEMU's TCG emulation of an AMD CPU with nested paging.
# Sourced by the lab. machine_check says what is missing, machine_start starts
# the machine in the background and leaves its process in MACHINE_PID,
# machine_hang writes what it can find out about a machine that hangs. PULSE_PID is
# the process behind the pulse (see there), which the lab ends with the machine.

MACHINE_CPU=EPYC,+svm,+npt
MACHINE_PROGRAMS="qemu-system-x86_64 setpriv python3"

machine_check()
{
	local model=${LAB_CPU%%,*}

	qemu-system-x86_64 -cpu help 2>/dev/null | grep -q "^x86 $model\b" && return
	lab_say "no CPU model $model; known:"
	qemu-system-x86_64 -cpu help | sed -n 's/^x86 \([^ ]*\).*/\1/p' |
		tr '\n' ' ' | fold -sw 100 >&2
	echo >&2
	exit $LAB_REFUSED
}

# pulse FIFO: a byte a second to a port of the machine. The emulator's VM exit takes a bit
# out of the word of interrupts that wait without the lock under which its other threads
# add to that word, so that one can get lost, and is seen again only when another
# comes. If it was the timer's, none would come: the machine would stand still for good.
pulse()
{
	exec 8<> <(:) >"$1"
	while ! read -rt 1 -u 8; do
		printf .
	done
}

machine_start()
{
	local vmlinux initrd append khz
	local -a args

	# Five-level paging is switched on by the code that unpacks the kernel, and a kernel
	# with KASAN does not survive its PVH entry.
	if [[ ,$LAB_CPU, == *,+la57,* || $LAB_RELEASE == *-lodge-debug ]]; then
		vmlinux=$LAB_IMAGE
	else
		vmlinux=$(lab_vmlinux "$LAB_IMAGE") || lab_die "$LAB_IMAGE: not a kernel that can be unpacked"
	fi
	initrd=$(lab_initrd "$LAB_RELEASE" "$LAB_ROOT") || lab_die "no initrd for $LAB_RELEASE"

	append="console=ttyS0 quiet panic=-1 oops=panic softlockup_panic=1 tsc=reliable"
	append+=" nokaslr audit=0 cryptomgr.notests random.trust_cpu=on sysrq_always_enabled unknown_nmi_panic printk.devkmsg=on"
	# The check that the timer's interrupts come is against the clock of a build machine that has other work.
	append+=" no_timer_check"
	# From 6.12 on KVM would hold the CPU feature from its load, VM or not.
	append+=" kvm.enable_virt_at_load=0 lab.run=$RUN $LAB_APPEND"
	if [ -z "$LAB_ICOUNT" ]; then
		# The build machine's own counter is what the CPUs count.
		khz=$(lab_tool tsc-khz "$LAB_DIR/tsc-khz.c" gcc -O2 -Wall) || lab_die "no way to know the counter's rate"
		append+=" lab.pulse=y tsc_early_khz=$("$khz")"
	fi

	args=(-nodefaults -no-user-config -display none -no-reboot
		-M q35 -cpu "$LAB_CPU" -smp "$LAB_CPUS" -m "$LAB_MEMORY"
		-kernel "$vmlinux" -initrd "$initrd" -append "$append"
		-chardev "socket,id=console,path=$RUN/console,server=on,wait=off,logfile=$RUN/console.log"
		-serial chardev:console
		-qmp "unix:$RUN/qmp,server=on,wait=off"
		-virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap
		# Without ioeventfd a port's data has left the machine when the
		# write returns, so powering off cannot lose any.
		-device virtio-serial-pci,ioeventfd=off
		-chardev "file,id=status,path=$RUN/status"
		-device virtserialport,chardev=status,name=lab.status
		-chardev "file,id=stdout,path=$RUN/stdout"
		-device virtserialport,chardev=stdout,name=lab.stdout
		-chardev "file,id=stderr,path=$RUN/stderr"
		-device virtserialport,chardev=stderr,name=lab.stderr
		-chardev "file,id=bootlog,path=$RUN/boot.log"
		-device virtserialport,chardev=bootlog,name=lab.bootlog)
	if [ -n "$LAB_ICOUNT" ]; then
		args+=(-accel tcg,thread=single -icount shift=0,sleep=off
			-rtc base=2024-01-01T00:00:00,clock=vm)
	else
		mkfifo "$RUN/pulse"
		args+=(-accel "tcg,thread=${LAB_TCG_THREAD:-multi}"
			-chardev "pipe,id=pulse,path=$RUN/pulse" -device virtserialport,chardev=pulse,name=lab.pulse)
		setpriv --pdeathsig KILL bash -c "$(declare -f pulse); pulse \"\$0\"" "$RUN/pulse" </dev/null >/dev/null 2>&1 &
		PULSE_PID=$!
	fi
	# More for the emulator: a plugin, a trace.
	# shellcheck disable=SC2206
	args+=($LAB_QEMU_ARGS)
	if [ -n "$LAB_TTY" ]; then
		args+=(-chardev stdio,id=tty,signal=off -device virtconsole,chardev=tty)
		setpriv --pdeathsig KILL qemu-system-x86_64 "${args[@]}" \
			<&"$LAB_STDIN" 2>"$RUN/machine.log" &
	else
		setpriv --pdeathsig KILL qemu-system-x86_64 "${args[@]}" \
			</dev/null >"$RUN/machine.log" 2>&1 &
	fi
	MACHINE_PID=$!
}

machine_hang()
{
	timeout 20 python3 "$LAB_DIR/hang-report" "$RUN/qmp" "$RUN/console"
}
