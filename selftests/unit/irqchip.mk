# SPDX-License-Identifier: GPL-2.0-only
irqchip-core := $(addprefix selftests/unit/,kernel.c irqchip-host.c) kmod/selftest/irqchip_machine.c kmod/io_bus.c \
	$(addprefix kmod/irqchip/,irqchip.c lapic.c lapic_timer.c lapic_state.c ioapic.c pic.c pit.c routing.c)

UNITS += pic pit ioapic lapic routing
pic-sources := kmod/selftest/pic.c $(irqchip-core)
pit-sources := kmod/selftest/pit.c $(irqchip-core)
ioapic-sources := kmod/selftest/ioapic.c $(irqchip-core)
lapic-sources := kmod/selftest/lapic.c $(irqchip-core)
routing-sources := kmod/selftest/routing.c $(irqchip-core)
