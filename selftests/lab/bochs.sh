# SPDX-License-Identifier: GPL-2.0-only
#
# What the lab's Bochs machines share; machine-bochs-*.sh source it and name the
# CPU model. Bochs has neither 9p nor virtio, so the build machine's root comes
# on three disks (system, kernel, tree: see bochs-payload), the kernel with its
# initial ram disk and the run's job on the one that boots (see bochs-disk), and
# output leaves through a port (see bochs-channel). The images are kept in the
# cache under a digest of what they hold; those long unused are removed.

MACHINE_PROGRAMS="setpriv python3 mksquashfs ldd tar gcc ld"
MACHINE_MODULES="ata_piix sd_mod squashfs"
# Instructions in a second of the machine's time. The CPU models claim the clock
# rate of the real ones; Linux must be told, or its clock runs slow.
BOCHS_IPS=100000000
# The walk through the page tables for pages that are writable and executable, twice with
# PTI, and PTI's own work are a fifth of a boot.
BOCHS_QUICK="rodata=off nopti"
BOCHS_PACKAGES="base-files base-passwd bash bc bsdutils busybox-static coreutils cpio dash debianutils
	diffutils findutils gawk grep gzip hostname ipxe-qemu kmod libc-bin libpython3-stdlib
	libpython3.11-minimal libpython3.11-stdlib libpython3.13-minimal libpython3.13-stdlib mawk mount
	ncurses-base procps python3 python3-minimal python3-yaml python3.11 python3.11-minimal python3.13
	python3.13-minimal qemu-system-common qemu-system-data qemu-system-x86 seabios sed tar
	util-linux util-linux-extra xz-utils zstd"
BOCHS_MODULES_SKIP='/(build|source)$|/sound/|/kernel/drivers/(accel|bluetooth|firewire|gpu|hid|hwmon|iio|infiniband|input|isdn|leds|md|media|mfd|misc|mmc|mtd|mux|nfc|ntb|nvme|platform|power|regulator|rtc|scsi|spi|staging|target|thunderbolt|usb|video|w1|watchdog)/|/drivers/net/(arcnet|can|dsa|ethernet|fddi|hamradio|ieee802154|phy|usb|wan|wireless|wwan)/|/drivers/ata/'

# bochs_image KIND SECONDS ARGUMENT...: prints the path of the image that
# bochs-payload makes of the arguments; others of its kind that nobody used for
# so long are removed.
bochs_image()
{
	local kind=$1 seconds=$2 dir=$LAB_CACHE/bochs-images out tmp

	shift 2
	mkdir -p "$dir"
	out=$dir/$kind-$({ "$LAB_DIR/bochs-payload" --key - "$@"; cat "$LAB_DIR/bochs-payload"; } |
		sha256sum | cut -c1-16)
	if [ ! -s "$out" ]; then
		tmp=$dir/tmp.$kind.$$
		"$LAB_DIR/bochs-payload" "$tmp" "$@" >&2 || { rm -f "$tmp"; return 1; }
		# Whole cylinders, for the disk's geometry.
		truncate -s "%$((16 * 63 * 512))" "$tmp"
		mv "$tmp" "$out"
	fi
	touch "$out"
	find "$dir" -name "$kind-*" ! -newermt "-$seconds seconds" -delete 2>/dev/null
	find "$dir" -maxdepth 1 -name 'tmp.*' ! -newermt '-1 hour' -exec rm -rf {} + 2>/dev/null
	printf '%s\n' "$out"
}

machine_check()
{
	local model=${LAB_CPU%%,*} models

	[ -z "$LAB_TTY" ] || lab_die "--shell needs a terminal, which $LAB_MACHINE does not have; use --machine svm"
	[ "$LAB_CPUS" -le 8 ] || lab_refuse "$LAB_MACHINE has 8 CPUs at most"
	BOCHS=$("$LAB_DIR/bochs-get") || exit $LAB_FAILED
	models=$("$BOCHS/bochs" --help cpu 2>&1 </dev/null | sed -n 's/^ \{0,4\}\([a-z0-9_]\+\)[ \t]*$/\1/p')
	grep -qx "$model" <<<"$models" && return
	lab_say "no CPU model $model; known:"
	tr '\n' ' ' <<<"$models" | fold -sw 100 >&2
	echo >&2
	exit $LAB_REFUSED
}

# bochs_cpu_options: the features in LAB_CPU (model,+name,-name), and those that
# would make two runs differ when the instructions are to be counted.
bochs_cpu_options()
{
	local word add= exclude=

	[ -z "$LAB_ICOUNT" ] || exclude=rdrand,rdseed
	for word in ${LAB_CPU//,/ }; do
		case $word in
		+*)	add+=,${word#+} ;;
		-*)	exclude+=,${word#-} ;;
		esac
	done
	[ -z "$add" ] || printf ', add_features="%s"' "${add#,}"
	[ -z "$exclude" ] || printf ', exclude_features="%s"' "${exclude#,}"
}

# bochs_config MEBIBYTES: of more memory than 2 GiB Bochs keeps on disk what does not fit.
bochs_config()
{
	local memory=$1 n=0 disk
	local -a slots=(ata0-master ata0-slave ata1-master ata1-slave)

	cat <<-C
	config_interface: textconfig
	display_library: nogui
	cpu: model=${LAB_CPU%%,*}, count=$LAB_CPUS, ips=$BOCHS_IPS, quantum=16, reset_on_triple_fault=0, ignore_bad_msrs=1$(bochs_cpu_options)
	memory: guest=$memory, host=$((memory < 2048 ? memory : 2048)), block_size=1024
	romimage: file=$BOCHS/bios.bin, options=fastboot
	vgaromimage: file=$BOCHS/vgabios.bin
	vga: extension=vbe, update_freq=1
	pci: enabled=1, chipset=i440fx
	clock: sync=none, time0=1704067200
	ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
	ata1: enabled=1, ioaddr1=0x170, ioaddr2=0x370, irq=15
	boot: disk
	com1: enabled=1, mode=file, dev=$RUN/console.log
	port_e9_hack: enabled=1
	speaker: enabled=0
	mouse: enabled=0
	log: $(bochs_log)
	panic: action=fatal
	error: action=report
	info: action=report
	debug: action=ignore
	C
	for disk in boot system kernel tree; do
		printf '%s: type=disk, path=%s, mode=flat, cylinders=%d, heads=16, spt=63, model=lodge-%s\n' \
			"${slots[n]}" "$RUN/$disk.img" \
			"$(($(stat -Lc %s "$RUN/$disk.img") / (16 * 63 * 512)))" "$disk"
		n=$((n + 1))
	done
}

# bochs_job: the run's own files, as an archive for the initial ram disk.
bochs_job()
{
	local job=$RUN/initrd.job

	mkdir -p "$job/job$RUN" "$job/job$PWD"
	cp "$RUN/job" "$RUN/job.env" "$job/job$RUN/"
	(cd "$job" && find . | cpio -o -H newc --quiet)
	rm -rf "$job"
}

# bochs_tree ARGUMENT...: what a command may need of the work tree, and files
# outside of it that the lab's options, the environment or the command name.
bochs_tree()
{
	local d

	for d in selftests uapi kmod/selftest Documentation build/lodge build/selftests build/run.disk \
		 "build/$LAB_RELEASE/lodge.ko"; do
		[ ! -e "$LAB_TOP/$d" ] || printf '%s\n' "$LAB_TOP/$d"
	done
	[ -z "$LAB_MODULE" ] || printf '%s\n' "$LAB_MODULE"
	tr ':' '\n' <<<"$LODGE_PAYLOAD" | sed '/^$/d'
	for d; do
		case $d in
		"$LAB_TOP"/*) ;;
		*)	if [[ $d == */* && -f $d ]]; then realpath -s "$d"; else command -v -- "$d"; fi ;;
		esac
	done | sed -n '/^\//p'
}

machine_start()
{
	local vmlinux initrd boot channel memory append image
	local -a tree

	memory=${LAB_MEMORY%[MGmg]}
	case $LAB_MEMORY in *[Gg]) memory=$((memory * 1024)) ;; esac
	channel=$(lab_tool channel "$LAB_DIR/bochs-channel.c" gcc -O2 -Wall -static) ||
		lab_die "bochs-channel.c could not be built"
	boot=$(lab_tool boot "$LAB_DIR/bochs-boot.S" gcc -m32 -nostdlib -static -no-pie \
		-Wl,-Ttext=0x7c00,--oformat=binary,--build-id=none) ||
		lab_die "bochs-boot.S could not be built"
	MACHINE_INIT="$LAB_DIR/bochs-init $channel"
	vmlinux=$(lab_vmlinux "$LAB_IMAGE") || lab_die "$LAB_IMAGE: not a kernel that can be unpacked"
	initrd=$(lab_initrd "$LAB_RELEASE" "$LAB_ROOT") || lab_die "no initrd for $LAB_RELEASE"
	{ cat "$initrd"; bochs_job; } >"$RUN/initrd"

	# shellcheck disable=SC2086
	image=$(bochs_image system 604800 $(printf -- '--package %s ' $BOCHS_PACKAGES) \
		/etc/passwd /etc/group /etc/nsswitch.conf /etc/hosts /etc/ld.so.cache /etc/ld.so.conf \
		/etc/ld.so.conf.d /etc/modprobe.d) || lab_die "no image of the system's programs"
	ln -s "$image" "$RUN/system.img"
	image=$(bochs_image kernel 604800 --skip "$BOCHS_MODULES_SKIP" "$LAB_IMAGE" \
		"${LAB_ROOT%/}/lib/modules/$LAB_RELEASE") || lab_die "no image of the kernel's modules"
	ln -s "$image" "$RUN/kernel.img"
	mapfile -t tree < <(bochs_tree "${LAB_COMMAND[@]}")
	image=$(bochs_image tree 1800 --skip '/build/selftests/(obj|unit|lib)(/|$)' "${tree[@]}") ||
		lab_die "no image of the work tree"
	ln -s "$image" "$RUN/tree.img"

	append="console=ttyS0,115200 quiet panic=-1 oops=panic softlockup_panic=1 tsc=reliable"
	append+=" tsc_early_khz=$((BOCHS_IPS / 1000)) nokaslr audit=0 cryptomgr.notests"
	append+=" random.trust_cpu=on unknown_nmi_panic printk.devkmsg=on $BOCHS_QUICK lab.run=$RUN $LAB_APPEND"
	"$LAB_DIR/bochs-disk" "$vmlinux" "$RUN/initrd" "$memory" "$append" "$RUN/boot.img" <"$boot" ||
		lab_die "no boot disk"
	rm -f "$RUN/initrd"
	bochs_config "$memory" >"$RUN/bochsrc"

	BXSHARE=$BOCHS setpriv --pdeathsig KILL "$LAB_DIR/bochs-run" "$RUN/bochs.pid" \
		"$RUN/status" "$RUN/stdout" "$RUN/stderr" "$RUN/boot.log" -- \
		"$BOCHS/bochs" -q -f "$RUN/bochsrc" </dev/null >"$RUN/machine.log" 2>&1 &
	MACHINE_PID=$!
}

bochs_log()
{
	if [ -n "$LAB_LOG" ]; then echo "$LAB_LOG.bochs"; else echo "$RUN/bochs.log"; fi
}

# Bochs writes its CPUs' state to its log when it ends by a signal.
machine_hang()
{
	kill -INT "$(cat "$RUN/bochs.pid")"
	sleep 2
	grep -E 'RIP=|CPU is in' "$(bochs_log)" | tail -n 20
}

# machine_notes: refused VM entries and what ended Bochs, each once.
machine_notes()
{
	awk '/soft power off/ { next }
		/VMFAIL|FAILED VMENTRY|VMENTRY FAIL|[0-9]p\[|PANIC|shutdown state|triple fault/ {
			what = $0
			sub(/^[0-9]+[a-z]\[[^]]*\] */, "", what)
			if (!n[what]++) { order[++count] = what; tick[what] = $0 + 0 }
		}
		END { for (i = 1; i <= count && i <= 20; i++)
			printf "%6d %14.0f %s\n", n[order[i]], tick[order[i]], order[i] }' "$(bochs_log)" 2>/dev/null
}
