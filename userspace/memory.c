// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory: created once, read-only bookkeeping afterwards, so no lock.
 * Memslots are registered in vm.c.
 */
#include "memory.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>

#include "layout.h"
#include "tool.h"

#define HUGE_PAGE (2ULL << 20)

void lodge_memory_create(struct lodge_memory *memory, uint64_t size)
{
	uint64_t reserve = size + HUGE_PAGE;
	struct sysinfo host;
	uint8_t *map;

	/*
	 * Without MAP_NORESERVE, so that the host's overcommit policy speaks
	 * now and not through the OOM killer later.
	 */
	map = reserve < size ? MAP_FAILED :
	      mmap(NULL, reserve, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED) {
		sysinfo(&host);
		lodge_fail(STATUS_MEMORY,
			   "the host cannot give %llu MiB of memory (it has %llu MiB, %llu MiB of it free): "
			   "ask for less with --memory",
			   (unsigned long long)(size >> 20),
			   (unsigned long long)host.totalram * host.mem_unit >> 20,
			   (unsigned long long)host.freeram * host.mem_unit >> 20);
	}

	/* Host and guest addresses must agree modulo 2 MiB for huge pages to map whole. */
	memory->base = map + (-(uintptr_t)map & (HUGE_PAGE - 1));
	memory->size = size;
	memory->low = size < LAYOUT_RAM_HOLE ? size : LAYOUT_RAM_HOLE;
	/* Advice only: a kernel without huge pages answers EINVAL. */
	madvise(memory->base, size, MADV_HUGEPAGE);
}

void *lodge_memory_at(const struct lodge_memory *memory, uint64_t gpa, uint64_t length)
{
	uint64_t high = memory->size - memory->low;

	if (gpa < memory->low)
		return length <= memory->low - gpa ? memory->base + gpa : NULL;
	if (gpa < LAYOUT_RAM_RESUME || gpa - LAYOUT_RAM_RESUME >= high)
		return NULL;
	gpa -= LAYOUT_RAM_RESUME;
	return length <= high - gpa ? memory->base + memory->low + gpa : NULL;
}
