// SPDX-License-Identifier: GPL-2.0-only
/*
 * What both kernel formats have in common: the file, the memory map, initrd
 * and command line in guest memory. Runs before any vCPU; no lock.
 */
#include "boot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "acpi.h"
#include "file.h"
#include "layout.h"
#include "tool.h"

#define IMAGE_MAX	(1ULL << 30)	/* no kernel is larger; a mistaken disk image is */
#define PAGE		0x1000ULL

enum { MAP_RAM = 1, MAP_RESERVED = 2 };

void lodge_image_read(struct lodge_image *image, const char *path)
{
	uint64_t size;
	int fd = lodge_file_open(path, "kernel", &size);

	if (!size || size > IMAGE_MAX)
		lodge_fail(STATUS_IMAGE, "%s is not a kernel image: it has %llu bytes", path,
			   (unsigned long long)size);
	image->path = path;
	image->size = size;
	image->bytes = malloc(size);
	if (!image->bytes)
		lodge_fail(STATUS_MEMORY, "the host has no memory left for kernel %s", path);
	if (lodge_file_read(fd, image->bytes, size, 0))
		lodge_fail(STATUS_FILE, "cannot read kernel %s: %s", path, strerror(errno));
	close(fd);
}

static void boot_map_add(struct lodge_boot *boot, uint64_t gpa, uint64_t size, uint32_t type)
{
	if (size)
		boot->map[boot->map_entries++] = (struct lodge_map_entry) {
			.gpa = gpa, .size = size, .type = type,
		};
}

static void boot_map_build(struct lodge_boot *boot)
{
	const struct lodge_memory *memory = boot->memory;

	boot_map_add(boot, 0, LAYOUT_LOW_RAM_END, MAP_RAM);
	boot_map_add(boot, LAYOUT_ACPI, LAYOUT_ACPI_SIZE, MAP_RESERVED);
	boot_map_add(boot, LAYOUT_HIGH_RAM, memory->low - LAYOUT_HIGH_RAM, MAP_RAM);
	boot_map_add(boot, LAYOUT_ECAM, LAYOUT_ECAM_SIZE, MAP_RESERVED);
	boot_map_add(boot, LAYOUT_RAM_RESUME, memory->size - memory->low, MAP_RAM);
}

void *lodge_boot_need(const struct lodge_boot *boot, uint64_t gpa, uint64_t size)
{
	void *address = lodge_memory_at(boot->memory, gpa, size);

	if (!address)
		lodge_fail(STATUS_MEMORY,
			   "kernel %s needs memory up to %llu MiB and the guest has %llu MiB: raise --memory",
			   boot->image->path, (unsigned long long)((gpa + size) >> 20) + 1,
			   (unsigned long long)(boot->memory->size >> 20));
	return address;
}

void lodge_boot_place_initrd(struct lodge_boot *boot, uint64_t kernel_end, uint64_t limit)
{
	uint64_t end = limit < boot->memory->low ? limit : boot->memory->low;

	if (boot->initrd < 0 || !boot->initrd_size)
		return;
	kernel_end = (kernel_end + PAGE - 1) & ~(PAGE - 1);
	if (end < kernel_end || boot->initrd_size > end - kernel_end)
		lodge_fail(STATUS_MEMORY,
			   "initrd %s (%llu MiB) and kernel do not fit into %llu MiB: raise --memory",
			   boot->initrd_path, (unsigned long long)(boot->initrd_size >> 20) + 1,
			   (unsigned long long)(boot->memory->size >> 20));
	boot->initrd_gpa = (end - boot->initrd_size) & ~(PAGE - 1);
	if (lodge_file_read(boot->initrd, lodge_boot_need(boot, boot->initrd_gpa, boot->initrd_size),
			    boot->initrd_size, 0))
		lodge_fail(STATUS_FILE, "cannot read initrd %s: %s", boot->initrd_path,
			   strerror(errno));
}

void lodge_boot_place_command_line(struct lodge_boot *boot, uint32_t limit)
{
	size_t length = strlen(boot->command_line);

	if (limit >= LAYOUT_COMMAND_LINE_MAX)
		limit = LAYOUT_COMMAND_LINE_MAX - 1;
	if (length > limit)
		lodge_fail(STATUS_USAGE,
			   "the command line has %zu characters and kernel %s takes %u: shorten --cmdline",
			   length, boot->image->path, limit);
	memcpy(lodge_boot_need(boot, LAYOUT_COMMAND_LINE, length + 1), boot->command_line,
	       length + 1);
}

void lodge_boot_load(struct lodge_boot *boot, unsigned int cpus, struct lodge_entry *entry)
{
	boot_map_build(boot);
	boot->rsdp = lodge_acpi_build(boot->memory, cpus);
	if (lodge_bzimage_is(boot->image))
		lodge_bzimage_load(boot, entry);
	else if (lodge_pvh_is(boot->image))
		lodge_pvh_load(boot, entry);
	else
		lodge_fail(STATUS_IMAGE,
			   "%s is not a kernel image: give a bzImage such as /boot/vmlinuz-*",
			   boot->image->path);
}
