# SPDX-License-Identifier: GPL-2.0-only
#
# Debian's kernels for the lab: image, modules and headers are taken from the
# archive's packages and unpacked into the cache; nothing is installed and the
# machine's own apt state is not touched. Sourced by kernel-get, which holds the
# cache's lock. A kernel whose kbuild tools need a newer C library than the
# build machine's comes with a small root of its own to build in.

KERNEL_DEBIAN_RECIPE=debian-3

kernel_debian_names()
{
	echo 6.1 6.12 newest
}

# debian_mirror [SUITE]: where this machine's own apt takes the suite from.
debian_mirror()
{
	local uri

	# shellcheck disable=SC2016
	uri=$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' |
		awk -v suite="$1" '$1 == suite { print $2; exit }')
	[ -n "$uri" ] && printf '%s\n' "${uri%/}"
}

# debian_apt_setup NAME SUITE...: a private apt state in the cache.
debian_apt_setup()
{
	local dir=$LAB_CACHE/apt/$1 suite main security uri

	shift
	main=$(debian_mirror bookworm || debian_mirror trixie) || main=http://deb.debian.org/debian
	security=$(debian_mirror bookworm-security) || security=${main%/debian}/debian-security
	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
	for suite; do
		case $suite in
		*-security)	uri=$security ;;
		*)		uri=$main ;;
		esac
		printf 'deb [signed-by=%s] %s %s main\n' \
			/usr/share/keyrings/debian-archive-keyring.gpg "$uri" "$suite"
	done >"$dir/sources.list"
	cat >"$dir/apt.conf" <<-C
	Dir::Etc::SourceList "$dir/sources.list";
	Dir::Etc::SourceParts "/dev/null";
	Dir::Etc::Preferences "/dev/null";
	Dir::Etc::PreferencesParts "/dev/null";
	Dir::State::Lists "$dir/lists";
	Dir::State::Status "/dev/null";
	Dir::Cache "$dir/cache";
	Acquire::Languages "none";
	Acquire::Retries "3";
	C
	[ "$(id -u)" != 0 ] || echo 'APT::Sandbox::User "root";' >>"$dir/apt.conf"
	export APT_CONFIG=$dir/apt.conf
	apt-get -q update >"$dir/log" 2>&1 || {
		tail -n 5 "$dir/log" >&2
		return 1
	}
}

# debian_releases SERIES-PATTERN: releases with headers, newest first.
debian_releases()
{
	apt-cache pkgnames linux-headers- |
		sed -nE "s/^linux-headers-($1[^ ]*-amd64)\$/\\1/p" |
		grep -vE -- '-(rt|cloud)-amd64$|^[0-9.]+-amd64$' | sort -rV
	# Debian 12 names its own kernels by ABI number: 6.1.0-56-amd64.
	apt-cache pkgnames linux-headers- |
		sed -nE "s/^linux-headers-($1[0-9]*-[0-9]+-amd64)\$/\\1/p" | sort -rV
}

# debian_unpack DIR PACKAGE...: downloads the packages and unpacks them in DIR.
debian_unpack()
{
	local dir=$1 deb

	shift
	mkdir -p "$dir/debs"
	(cd "$dir/debs" && apt-get -q download "$@" >../log 2>&1) || {
		tail -n 3 "$dir/log" >&2
		return 1
	}
	for deb in "$dir"/debs/*.deb; do
		dpkg -x "$deb" "$dir" || return 1
	done
	rm -rf "$dir/debs"
}

# debian_relocate DIR FINAL RELEASE: makes an unpacked kernel usable from FINAL.
debian_relocate()
{
	local dir=$1 final=$2 release=$3 headers link

	[ -d "$dir/lib/modules" ] || { mkdir -p "$dir/lib" && ln -s ../usr/lib/modules "$dir/lib/modules"; }
	[ -e "$dir/boot/vmlinuz-$release" ] || {
		mkdir -p "$dir/boot"
		cp "$dir/lib/modules/$release/vmlinuz" "$dir/boot/vmlinuz-$release" || return 1
	}
	headers=usr/src/linux-headers-$release
	sed -i "s|/usr/src/|$final/usr/src/|g; s|/usr/lib/linux-kbuild|$final/usr/lib/linux-kbuild|g" \
		"$dir/$headers/Makefile"
	for link in "$dir/$headers"/* "$dir/usr/src"/*/*; do
		case $(readlink "$link") in
		/usr/*)	ln -sfn "$final$(readlink "$link")" "$link" ;;
		esac
	done
	ln -sfn "$final/$headers" "$dir/lib/modules/$release/build"
	rm -f "$dir/lib/modules/$release/source"
	depmod -b "$dir" "$release"
}

# debian_chroot SUITE: a root with the suite's compiler, for kernel-make.
debian_chroot()
{
	local suite=$1 dir=$LAB_CACHE/chroots/$1 tmp main

	[ "$(cat "$dir/complete" 2>/dev/null)" != "$KERNEL_DEBIAN_RECIPE" ] || return 0
	[ "$(id -u)" = 0 ] || { lab_say "a root with $suite's compiler can be made by root only"; return 1; }
	command -v mmdebstrap >/dev/null || { lab_say "not installed: mmdebstrap"; return 1; }
	main=$(unset APT_CONFIG; debian_mirror bookworm) || main=http://deb.debian.org/debian
	rm -rf "$dir"
	mkdir -p "$LAB_CACHE/chroots"
	tmp=$(mktemp -d "$LAB_CACHE/chroots/tmp.XXXXXX")
	(unset APT_CONFIG; mmdebstrap --quiet --variant=apt --include=gcc,make,libc6-dev,kmod,pahole,libelf1t64,bc,python3-minimal \
		"$suite" "$tmp" "$main") >"$tmp.log" 2>&1 </dev/null || {
		tail -n 5 "$tmp.log" >&2
		rm -rf "$tmp" "$tmp.log"
		return 1
	}
	rm -f "$tmp.log"
	chmod 755 "$tmp"
	echo "$KERNEL_DEBIAN_RECIPE" >"$tmp/complete"
	mv "$tmp" "$dir"
}

# kernel_debian_fetch NAME: a series, newest, or a release of the archive.
kernel_debian_fetch()
{
	local name=$1 pattern chroot= release packages tmp final abi kbuild

	case $name in
	6.1|6.1.*)
		debian_apt_setup bookworm bookworm bookworm-security || return 1
		pattern=6\\.1\\. ;;
	6.12|6.12.*)
		debian_apt_setup bookworm bookworm bookworm-backports bookworm-security || return 1
		pattern=6\\.12\\. ;;
	newest|[7-9].*)
		debian_apt_setup trixie trixie trixie-backports || return 1
		pattern='[7-9]\.'
		chroot=trixie ;;
	*)	return 2 ;;
	esac
	case $name in
	6.1|6.12|newest) ;;
	*)	pattern=${name//./\\.}; pattern=${pattern//+/\\+}; pattern=${pattern%-amd64} ;;
	esac
	for release in $(debian_releases "$pattern" | head -n 3); do
		final=$LAB_CACHE/kernels/$release
		if [ "$(cat "$final/complete" 2>/dev/null)" = "$KERNEL_DEBIAN_RECIPE" ]; then
			[ -z "$chroot" ] || debian_chroot "$chroot" || return 1
			[ "$name" = "$release" ] || echo "$release" >"$LAB_CACHE/kernels/$name.name"
			return 0
		fi
		abi=${release%-amd64}
		packages="linux-headers-$release linux-headers-$abi-common"
		# The image is one package, or kernel and modules apart.
		if apt-cache show "linux-binary-$release" >/dev/null 2>&1; then
			packages+=" linux-binary-$release linux-modules-$release linux-base-$release"
		else
			packages+=" linux-image-$release"
		fi
		kbuild=$(apt-cache depends "linux-headers-$release" |
			sed -n 's/^ *Depends: \(linux-kbuild-.*\)/\1/p')
		tmp=$(mktemp -d "$LAB_CACHE/kernels/tmp.XXXXXX")
		# shellcheck disable=SC2086
		if debian_unpack "$tmp" $packages $kbuild && debian_relocate "$tmp" "$final" "$release"; then
			[ -z "$chroot" ] || debian_chroot "$chroot" || { rm -rf "$tmp"; return 1; }
			[ -z "$chroot" ] || echo "$chroot" >"$tmp/chroot"
			echo "$KERNEL_DEBIAN_RECIPE" >"$tmp/complete"
			chmod 755 "$tmp"
			rm -rf "$final"
			mv "$tmp" "$final"
			[ "$name" = "$release" ] || echo "$release" >"$LAB_CACHE/kernels/$name.name"
			return 0
		fi
		rm -rf "$tmp"
	done
	lab_say "the archive has no usable kernel $name"
	return 1
}
