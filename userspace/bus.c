// SPDX-License-Identifier: GPL-2.0-only
/*
 * Port and MMIO dispatch. The lists are built before the first vCPU runs and
 * do not change afterwards, so lookups take no lock; devices lock themselves.
 */
#include "bus.h"

void lodge_bus_add(struct lodge_bus *bus, struct lodge_range *range)
{
	range->next = bus->ranges;
	bus->ranges = range;
}

bool lodge_bus_access(const struct lodge_bus *bus, uint64_t address,
		      struct lodge_access *access)
{
	struct lodge_range *range;

	for (range = bus->ranges; range; range = range->next) {
		if (address < range->base || address - range->base >= range->size)
			continue;
		if (access->length > range->size - (address - range->base))
			continue;
		access->offset = address - range->base;
		range->access(range, access);
		return true;
	}
	return false;
}
