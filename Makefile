# SPDX-License-Identifier: GPL-2.0-only
#
# lodge: the module, the tool, their tests.
#
#	make			build/lodge and build/RELEASE/lodge.ko for each of KERNELS
#	make run		boots a guest in the lab, from nothing (CPUS=4, KERNEL=6.12)
#	make check		builds and runs every test
#	make check-lab		the same tests on every machine and kernel of the lab
#	make check-peers	judges lodge by programs written for KVM: the kernel tree's
#				own KVM selftests, Debian's QEMU, libvirt (PEERS="--anew NAME...")
#	make check-vtx		runs the behaviour tests on AMD-V and VT-x, writes build/vtx.json
#	make check-mutants	breaks what each test guards and expects it to notice
#	make bench		measures lodge against KVM, writes build/bench.json (BENCH="6.12 ROW...")
#	make style		the mechanical part of the house's style
#	make install		module, udev rule, tool, manual page, headers (DESTDIR, PREFIX)
#	make clean
#
# KERNELS: releases to build the module for. Default: the running kernel's if its
# headers are here, else every one installed or fetched into the lab's cache.
# KDIR: headers in another place, for one release. V=1 shows commands.
# LODGE_SELFTEST=1 makes the module run its unit tests when it is inserted.

MAKEFLAGS += --no-print-directory
TOP := $(CURDIR)
BUILD ?= $(TOP)/build
LAB := selftests/lab
Q := $(if $(V),,@)
PREFIX ?= /usr/local
RUNNING := $(shell uname -r)

ifdef KDIR
KERNELS ?= $(shell cat $(KDIR)/include/config/kernel.release)
export KDIR
else ifneq ($(wildcard /lib/modules/$(RUNNING)/build/Makefile),)
KERNELS ?= $(RUNNING)
else
KERNELS ?= $(shell $(LAB)/kernel-get --list)
endif

MANUALS := $(wildcard userspace/man/*.[1-8])
HEADERS := uapi/lodge.h uapi/lodge_netlink.h
COMPLETION := $(firstword $(wildcard userspace/completion/lodge*))
MODULES := $(KERNELS:%=$(BUILD)/%/lodge.ko)

all: tool modules

tool:
	$(Q)$(MAKE) -C userspace BUILD=$(BUILD)

modules: $(MODULES)
	$(if $(MODULES),,@echo "no kernel headers here: install linux-headers-$(RUNNING), or $(LAB)/install-deps" >&2; false)

tests:
	$(Q)$(MAKE) -C selftests BUILD=$(BUILD)

# The module is built in a mirror of symbolic links, one a release: kbuild writes
# its objects beside the sources, and releases must not share objects.
# A release with -selftest appended is the same with the unit tests inside.
$(BUILD)/%/lodge.ko: FORCE
	$(Q)mkdir -p $(@D)
	$(Q)cp -rsfT $(TOP)/kmod $(@D)/kmod
	$(Q)cp -rsfT $(TOP)/uapi $(@D)/uapi
	$(Q)ln -sf $(TOP)/Kbuild $(@D)/Kbuild
	$(Q)find $(@D) -xtype l -delete
	+$(Q)$(LAB)/kernel-make $(*:-selftest=) M=$(@D) W=1 CONFIG_DEBUG_INFO_BTF_MODULES= \
		$(if $(filter %-selftest,$*),LODGE_SELFTEST=1) $(KBUILD_ARGS) modules
	$(Q)kmod/compat/check-symbols $(@D)/kmod/lodge.ko "$(NEWEST_SYMVERS)" \
		"$$($(LAB)/kernel-get --symvers $(*:-selftest=))"
	$(Q)cmp -s $(@D)/kmod/lodge.ko $@ || cp $(@D)/kmod/lodge.ko $@

# Helpers of tests that only a module can give them.
test-modules: $(KERNELS:%=$(BUILD)/selftests/vmxoff-%.ko) $(KERNELS:%=$(BUILD)/bench/floor-%.ko)

$(BUILD)/selftests/vmxoff-%.ko: selftests/vmxoff/vmxoff.c selftests/vmxoff/Kbuild
	$(Q)mkdir -p $(BUILD)/vmxoff-$*
	$(Q)cp $^ $(BUILD)/vmxoff-$*
	+$(Q)$(LAB)/kernel-make $* M=$(BUILD)/vmxoff-$* W=1 CONFIG_DEBUG_INFO_BTF_MODULES= modules
	$(Q)mkdir -p $(@D) && cp $(BUILD)/vmxoff-$*/vmxoff.ko $@

# The ruler's floor: the module's own way into a guest, in a bare loop.
FLOOR_SHARED := return_buffer.h svm/enter.S svm/vmcb.h
$(BUILD)/bench/floor-%.ko: selftests/bench/floor/bare.c selftests/bench/floor/Kbuild $(FLOOR_SHARED:%=kmod/%)
	$(Q)mkdir -p $(BUILD)/floor-$*/svm
	$(Q)cp selftests/bench/floor/bare.c selftests/bench/floor/Kbuild $(BUILD)/floor-$*
	$(Q)for file in $(FLOOR_SHARED); do cp kmod/$$file $(BUILD)/floor-$*/$$file || exit 1; done
	+$(Q)$(LAB)/kernel-make $* M=$(BUILD)/floor-$* W=1 CONFIG_DEBUG_INFO_BTF_MODULES= modules
	$(Q)mkdir -p $(@D) && cp $(BUILD)/floor-$*/floor.ko $@

# What the newest kernel fetched keeps for KVM alone, besides the committed list.
NEWEST_SYMVERS = $(shell $(LAB)/kernel-get --symvers newest)

refresh-kvm-only:
	$(Q)$(LAB)/kernel-get newest
	$(Q)kmod/compat/kvm-only-symbols $$($(LAB)/kernel-get --symvers newest) > kmod/compat/kvm-only.txt

run:
	$(Q)$(LAB)/run-guest

check:
	$(Q)$(LAB)/check

check-lab:
	$(Q)$(LAB)/check-lab

check-peers:
	$(Q)selftests/peers/check $(PEERS)

check-vtx:
	$(Q)$(LAB)/check-vtx

bench:
	$(Q)mkdir -p $(BUILD)
	$(Q)selftests/bench/run $(BENCH)

check-mutants:
	$(Q)selftests/mutants/run $(MUTANTS)

style:
	$(Q)$(LAB)/style

install: all
	$(Q)for release in $(KERNELS); do \
		install -D -m 644 $(BUILD)/$$release/lodge.ko \
			$(DESTDIR)/lib/modules/$$release/updates/lodge.ko && \
		{ [ -n "$(DESTDIR)" ] || depmod $$release; } || exit 1; \
	done
	$(Q)install -D -m 755 $(BUILD)/lodge $(DESTDIR)$(PREFIX)/bin/lodge
	$(Q)install -D -m 644 -t $(DESTDIR)$(PREFIX)/include $(HEADERS)
	$(Q)for page in $(MANUALS); do \
		install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man$${page##*.} $$page || exit 1; \
	done
	$(Q)[ -z "$(COMPLETION)" ] || install -D -m 644 $(COMPLETION) $(DESTDIR)$(PREFIX)/share/bash-completion/completions/lodge
	$(Q)install -D -m 644 -t $(DESTDIR)/usr/lib/udev/rules.d kmod/60-lodge.rules
	$(Q)[ -n "$(DESTDIR)" ] || ! command -v udevadm >/dev/null || udevadm control --reload || true

uninstall:
	$(Q)for release in $(KERNELS); do \
		rm -f $(DESTDIR)/lib/modules/$$release/updates/lodge.ko; \
		[ -n "$(DESTDIR)" ] || depmod $$release; \
	done
	$(Q)rm -f $(DESTDIR)$(PREFIX)/bin/lodge $(DESTDIR)/usr/lib/udev/rules.d/60-lodge.rules
	$(Q)rm -f $(HEADERS:uapi/%=$(DESTDIR)$(PREFIX)/include/%)
	$(Q)rm -f $(foreach page,$(MANUALS),$(DESTDIR)$(PREFIX)/share/man/man$(subst .,,$(suffix $(page)))/$(notdir $(page)))
	$(Q)rm -f $(DESTDIR)$(PREFIX)/share/bash-completion/completions/lodge

clean:
	rm -rf $(BUILD)

FORCE:

.PHONY: all tool modules tests test-modules refresh-kvm-only run check check-lab check-peers check-vtx check-mutants bench style install uninstall clean FORCE
