// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_GET_STATS_FD read: a header, descriptors with their names, and values, each where the header says (the kernel's
 * api.rst). No state.
 */
#include "stats.h"

#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define NAME_MAX_SIZE	256

static bool file_read(int file, void *to, size_t size, uint64_t offset)
{
	return pread(file, to, size, (off_t)offset) == (ssize_t)size;
}

static bool stats_find(int file, const char *name, uint64_t *value)
{
	struct kvm_stats_header header;
	struct {
		struct kvm_stats_desc desc;
		char name[NAME_MAX_SIZE + 1];
	} entry = { 0 };
	size_t size;

	if (!file_read(file, &header, sizeof(header), 0) || header.name_size > NAME_MAX_SIZE)
		return false;
	size = sizeof(entry.desc) + header.name_size;
	for (uint32_t i = 0; i < header.num_desc; i++) {
		if (!file_read(file, &entry, size, header.desc_offset + i * size))
			return false;
		if (!strcmp(entry.name, name))
			return file_read(file, value, sizeof(*value),
					 (uint64_t)header.data_offset + entry.desc.offset);
	}
	return false;
}

bool lodge_stats_read(int object, const char *name, uint64_t *value)
{
	int file = ioctl(object, KVM_GET_STATS_FD, 0);
	bool found;

	if (file < 0)
		return false;
	found = stats_find(file, name, value);
	close(file);
	return found;
}
