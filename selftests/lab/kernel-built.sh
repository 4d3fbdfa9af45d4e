# SPDX-License-Identifier: GPL-2.0-only
#
# Kernels that are built for the lab from Debian's source package of 6.1: one for
# each config-NAME here, its configuration being config-common and config-NAME
# over allnoconfig; lines "#make VARIABLE=VALUE" there are for make. Sourced by
# kernel-get, which holds the cache's lock. Source and builds are kept in the
# cache; a kernel whose fragments or whose source have changed since is of another
# recipe, and so is built anew.

BUILT_SOURCE=$LAB_CACHE/source/linux-source-6.1

kernel_built_names()
{
	local f

	for f in "$LAB_DIR"/config-*; do
		f=${f##*/config-}
		[ "$f" = common ] || printf "%s " "$f"
	done
}

# built_recipe NAME: one word that stands for all that the kernel is made from.
built_recipe()
{
	local sum

	sum=$(cat "$LAB_DIR/config-common" "$LAB_DIR/config-$1" "$BUILT_SOURCE/debian.version" 2>/dev/null |
		sha256sum)
	echo "built-2-$1-${sum:0:16}"
}

KERNEL_BUILT_RECIPE=$(for built in $(kernel_built_names); do built_recipe "$built"; done | tr '\n' ' ')

# built_tools DIR: what only building a kernel needs is installed when it is needed.
# DIR is for the log.
built_tools()
{
	local tool missing=

	for tool in bc bison flex; do
		command -v $tool >/dev/null || missing+=" $tool"
	done
	[ -e /usr/include/gelf.h ] || missing+=" libelf-dev"
	[ -n "$missing" ] || return 0
	if [ "$(id -u)" != 0 ]; then
		lab_say "packages are missing; paste this:"
		echo "sudo apt-get install --no-install-recommends -y$missing" >&2
		return 1
	fi
	# shellcheck disable=SC2086
	(unset APT_CONFIG; DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 \
		install --no-install-recommends -y $missing) >"$1/log" 2>&1 </dev/null || {
		tail -n 5 "$1/log" >&2
		return 1
	}
}

# built_source: the source package, unpacked in the cache with its version beside.
built_source()
{
	local tmp dir

	[ -n "$refresh" ] || [ ! -s "$BUILT_SOURCE/debian.version" ] || return 0
	debian_apt_setup bookworm bookworm bookworm-security || return 1
	mkdir -p "$LAB_CACHE/source"
	rm -rf "$LAB_CACHE"/source/tmp.*
	tmp=$(mktemp -d "$LAB_CACHE/source/tmp.XXXXXX")
	dir=$tmp/linux-source-6.1
	if debian_unpack "$tmp" linux-source-6.1 &&
	   tar -C "$tmp" -xf "$tmp/usr/src/linux-source-6.1.tar.xz" &&
	   zcat "$tmp/usr/share/doc/linux-source-6.1/changelog.Debian.gz" |
		sed -n '1s/.*(\(.*\)).*/\1/p' >"$dir/debian.version" && [ -s "$dir/debian.version" ]; then
		# The same version again: what was built from it stays good.
		if ! cmp -s "$dir/debian.version" "$BUILT_SOURCE/debian.version"; then
			rm -rf "$BUILT_SOURCE"
			mv "$dir" "$BUILT_SOURCE"
		fi
		rm -rf "$tmp"
		return 0
	fi
	rm -rf "$tmp"
	lab_say "Debian's linux-source-6.1 cannot be had here"
	return 1
}

# built_make DIR ARGUMENT...: make for the kernel whose objects are in DIR, with what
# the fragments say to it. An empty LOCALVERSION keeps the state of a repository
# around out of the release. It ends with this shell, which is why there is none
# in between.
built_make()
{
	local dir=$1 words

	shift
	mapfile -t words < <(sed -n 's/^#make //p' "$dir/fragments")
	env -u MAKEFLAGS -u MFLAGS -u KBUILD_OUTPUT setpriv --pdeathsig TERM \
		nice make -s -C "$BUILT_SOURCE" O="$dir" LOCALVERSION= -j"$(nproc)" "${words[@]}" "$@" \
		>>"$dir/log" 2>&1 </dev/null
}

# built_configure NAME DIR: every line of the fragments must have had its effect.
built_configure()
{
	local name=$1 dir=$2 line lost=

	cat "$LAB_DIR/config-common" "$LAB_DIR/config-$name" >"$dir/fragments"
	built_make "$dir" KCONFIG_ALLCONFIG="$dir/fragments" allnoconfig || return 1
	while read -r line; do
		case $line in
		CONFIG_*=n)	! grep -q "^${line%n}" "$dir/.config" || lost+=" $line" ;;
		CONFIG_*)	grep -qxF -- "$line" "$dir/.config" || lost+=" $line" ;;
		esac
	done <"$dir/fragments"
	[ -z "$lost" ] || {
		echo "without effect in config-common or config-$name:$lost" >>"$dir/log"
		return 1
	}
}

# built_install ROOT FINAL: the layout of a fetched kernel, which has no modules: a
# fragment's =m is there for what it selects. Of the objects only what building a
# module needs is kept.
built_install()
{
	local root=$1 final=$2 release

	release=$(cat "$root/build/include/config/kernel.release") || return 1
	rm -rf "$root/lib" "$root/boot"
	mkdir -p "$root/boot" "$root/lib/modules/$release"
	cp "$root/build/vmlinux.symvers" "$root/build/Module.symvers" &&
		cp "$root/build"/modules.builtin{,.modinfo} "$root/lib/modules/$release" &&
		: >"$root/lib/modules/$release/modules.order" &&
		depmod -b "$root" "$release" >>"$root/build/log" 2>&1 &&
		cp "$root/build/arch/x86/boot/bzImage" "$root/boot/vmlinuz-$release" || return 1
	ln -s "$final/build" "$root/lib/modules/$release/build"
	find "$root/build" \( -name '*.[oa]' -o -name '.*.cmd' -o -name '*.ko' -o -name '*.mod.c' \
		-o -name 'vmlinux*' -o -name '.tmp_*' -o -name 'bzImage' \) -type f -delete
}

# kernel_built_fetch NAME: a name that has a config-NAME, or the release of one. A
# build that was cut off goes on where it was, as make leaves no half-written
# object behind that it would take for whole; one that failed is thrown away.
kernel_built_fetch()
{
	local name=${1##*-lodge-} recipe work final old status

	case $name in
	''|common|*/*)	return 2 ;;
	esac
	[ -e "$LAB_DIR/config-$name" ] || return 2
	built_source || return 1
	recipe=$(built_recipe "$name")
	work=$LAB_CACHE/source/$recipe
	for old in "$LAB_CACHE"/source/built-*-"$name"-*; do
		[ "$old" = "$work" ] || rm -rf "$old"
	done
	mkdir -p "$work/build"
	lab_say "building the kernel $name from $(cat "$BUILT_SOURCE/debian.version")"
	: >"$work/build/log"
	built_tools "$work" && built_configure "$name" "$work/build" &&
		built_make "$work/build" bzImage modules_prepare
	status=$?
	if [ $status = 0 ]; then
		final=$LAB_CACHE/kernels/$(cat "$work/build/include/config/kernel.release")
		if built_install "$work" "$final"; then
			echo "$recipe" >"$work/complete"
			rm -rf "$LAB_CACHE"/kernels/*-lodge-"$name"
			mv "$work" "$final"
			echo "${final##*/}" >"$LAB_CACHE/kernels/$name.name"
			return 0
		fi
	fi
	tail -n 15 "$work/build/log" >&2
	[ $status -gt 128 ] || rm -rf "$work"
	return 1
}
