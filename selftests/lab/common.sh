# SPDX-License-Identifier: GPL-2.0-only
#
# What every program of the lab shares: messages, the cache directory, and how a
# name given to --kernel becomes a kernel image and a module directory. It is
# sourced, never run. The cache lies outside the tree; what is put there appears
# by rename, so that an interrupted run never leaves half a file behind.

LAB_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
LAB_TOP=$(cd "$LAB_DIR/../.." && pwd -P)
LAB_CACHE=${LODGE_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/lodge}

# Exit statuses of the lab itself; a command's own status is passed on.
LAB_COMPLAINT=123	# the kernel of the lab complained
LAB_TIMEOUT=124		# the time limit cut the run
LAB_FAILED=125		# the lab could not run the command
LAB_REFUSED=2		# what was asked for makes no sense

lab_say()
{
	printf 'lab: %s\n' "$*" >&2
}

lab_die()
{
	lab_say "$@"
	exit $LAB_FAILED
}

# lab_refuse WORDS: a name that nobody knows, or an option's bad value.
lab_refuse()
{
	lab_say "$@"
	exit $LAB_REFUSED
}

# lab_need PROGRAM...: ends with one sentence when a program is missing.
lab_need()
{
	local prog missing=

	for prog; do
		command -v "$prog" >/dev/null || missing+=" $prog"
	done
	[ -z "$missing" ] ||
		lab_die "not installed:$missing; run $LAB_DIR/install-deps"
}

# lab_machines: the machines that have a file here.
lab_machines()
{
	local f

	for f in "$LAB_DIR"/machine-*.sh; do
		f=${f##*/machine-}
		printf '%s ' "${f%.sh}"
	done
}

# lab_kernel_roots: directories that may hold boot/vmlinuz-* and lib/modules/*.
lab_kernel_roots()
{
	local d

	printf '/\n'
	for d in "$LAB_CACHE"/kernels/*/; do
		[ ! -e "$d/complete" ] || printf '%s\n' "${d%/}"
	done
}

# lab_kernel_list: the releases that could boot now, one a line.
lab_kernel_list()
{
	local root image release

	lab_kernel_roots | while read -r root; do
		for image in "${root%/}"/boot/vmlinuz-*; do
			release=${image##*/vmlinuz-}
			[ ! -d "${root%/}/lib/modules/$release" ] || printf '%s\n' "$release"
		done
	done | sort -uV
}

# lab_kernel_release NAME: prints the release that NAME means (a release, a
# series such as 6.1, or a name that kernel-get gave to one): the newest that
# lodge is built for, else the newest. Fails when none is here.
lab_kernel_release()
{
	local name=$1 release newest= built=

	[ ! -s "$LAB_CACHE/kernels/$name.name" ] || name=$(cat "$LAB_CACHE/kernels/$name.name")
	while read -r release; do
		case $release in
		"$name")
			printf '%s\n' "$release"
			return ;;
		*-lodge-*)
			# Built for the lab: meant only when named in full.
			;;
		"$name".*|"$name"-*)
			newest=$release
			[ ! -e "$LAB_TOP/build/$release/lodge.ko" ] || built=$release ;;
		esac
	done < <(lab_kernel_list)
	[[ $name =~ ^[0-9]+\.[0-9]+$ && -n $newest ]] && printf '%s\n' "${built:-$newest}"
}

# lab_kernel_root RELEASE: the root directory that holds the release.
lab_kernel_root()
{
	local root

	while read -r root; do
		[ ! -e "${root%/}/boot/vmlinuz-$1" ] || {
			printf '%s\n' "${root%/}"
			return
		}
	done < <(lab_kernel_roots)
	return 1
}

# lab_kernel_build RELEASE: the directory to build modules in, as kernel-make
# sees it; fails when the headers are not here.
lab_kernel_build()
{
	local root

	while read -r root; do
		[ ! -e "${root%/}/lib/modules/$1/build/Makefile" ] || {
			printf '%s\n' "${root%/}/lib/modules/$1/build"
			return
		}
	done < <(lab_kernel_roots)
	return 1
}

# lab_slower RELEASE: how many times as long everything may take on a kernel that checks.
lab_slower()
{
	case $1 in
	debug|*-lodge-debug)	echo 6 ;;
	*)			echo 1 ;;
	esac
}

# lab_tool NAME SOURCE COMMAND...: prints the path of a small program made of
# SOURCE by COMMAND, which writes to the name appended to it.
lab_tool()
{
	local name=$1 source=$2 out

	shift 2
	out=$LAB_CACHE/tools/$name-$({ cat "$source"; echo "$@"; } | sha256sum | cut -c1-16)
	if [ ! -s "$out" ]; then
		mkdir -p "$LAB_CACHE/tools"
		"$@" "$source" -o "$out.$$" >&2 && mv "$out.$$" "$out" || return 1
	fi
	printf '%s\n' "$out"
}

# lab_vmlinux IMAGE: prints the path of the ELF kernel inside a bzImage, kept in
# the cache. Starting the ELF through its PVH entry saves the emulated machine
# four seconds of decompression. See Documentation/arch/x86/boot.rst of Linux
# for the header's fields.
lab_vmlinux()
{
	local image=$1 key out setup off len magic tmp

	key=$(stat -Lc '%n %s %Y' "$image" | sha256sum | cut -c1-16)
	out=$LAB_CACHE/vmlinux/${image##*/vmlinuz-}-$key
	if [ ! -s "$out" ]; then
		mkdir -p "$LAB_CACHE/vmlinux"
		setup=$(od -An -tu1 -j497 -N1 "$image")
		off=$(od -An -tu4 -j584 -N4 "$image")
		len=$(od -An -tu4 -j588 -N4 "$image")
		off=$(((setup + 1) * 512 + off))
		tmp=$(mktemp "$LAB_CACHE/vmlinux/tmp.XXXXXX")
		magic=$(od -An -tx1 -j$off -N4 "$image" | tr -d ' ')
		# The payload ends with four bytes that hold its unpacked size: gzip's own
		# last four, and after those that have none.
		case $magic in
		1f8b*)	;;
		*)	len=$((len - 4)) ;;
		esac
		tail -c +$((off + 1)) "$image" | head -c $len |
		case $magic in
		fd377a58)	xz -dc ;;
		28b52ffd)	zstd -dcq ;;
		1f8b*)		gzip -dc ;;
		7f454c46)	cat ;;
		*)		false ;;
		esac >"$tmp" || { rm -f "$tmp"; return 1; }
		mv "$tmp" "$out"
	fi
	printf '%s\n' "$out"
}

# lab_initrd RELEASE ROOT: prints the path of the initial ram disk for a kernel:
# busybox, the modules that reach the build machine's root, and init.
lab_initrd()
{
	local release=$1 root=$2 mod f n=0 key out tmp
	local -a files=()

	while read -r f; do
		files+=("$f")
	done < <(for mod in ${MACHINE_MODULES:-virtio_pci 9p 9pnet_virtio virtio_console} overlay; do
		modprobe -d "$root/" -S "$release" --show-depends $mod 2>/dev/null
	done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++')
	key=$({ cat "$LAB_DIR/init" "$LAB_DIR/common.sh"
		stat -Lc '%n %s %Y' /bin/busybox "${files[@]}" $MACHINE_INIT; } |
		sha256sum | cut -c1-16)
	out=$LAB_CACHE/initrd/$release-$key
	if [ ! -s "$out" ]; then
		mkdir -p "$LAB_CACHE/initrd"
		tmp=$(mktemp -d "$LAB_CACHE/initrd/tmp.XXXXXX")
		mkdir -p "$tmp"/root/{bin,dev,proc,sys,modules,host,rw,top}
		cp /bin/busybox "$tmp/root/bin/"
		cp "$LAB_DIR/init" "$tmp/root/init"
		# A machine's own part of init, and a program that it needs.
		# shellcheck disable=SC2086
		set -- $MACHINE_INIT
		[ -z "$1" ] || cp "$1" "$tmp/root/machine"
		[ -z "$2" ] || cp "$2" "$tmp/root/bin/bochs-channel"
		for f in "${files[@]}"; do
			n=$((n + 1))
			mod=$(printf '%s/root/modules/%02d-%s' "$tmp" $n "${f##*/}")
			case $f in
			*.xz)	xz -dc "$f" >"${mod%.xz}" ;;
			*.zst)	zstd -dcq "$f" >"${mod%.zst}" ;;
			*.gz)	gzip -dc "$f" >"${mod%.gz}" ;;
			*)	cp "$f" "$mod" ;;
			esac
		done
		# Most of a module's loading is the check of its signature, its type information,
		# and the names of its local functions, by which ftrace looks up each of them.
		! command -v strip >/dev/null || [ $n = 0 ] ||
			strip --strip-unneeded -R .BTF "$tmp"/root/modules/* || { rm -rf "$tmp"; return 1; }
		(cd "$tmp/root" && find . | LC_ALL=C sort |
			cpio -o -H newc --quiet) >"$tmp/initrd" &&
			mv "$tmp/initrd" "$out"
		rm -rf "$tmp"
	fi
	[ -s "$out" ] && printf '%s\n' "$out"
}
