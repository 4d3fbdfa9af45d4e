/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From a kernel file to a guest that is ready to run: what both image formats
 * have in common. The formats are in bzimage.c and pvh.c.
 */
#ifndef LODGE_BOOT_H
#define LODGE_BOOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memory.h"
#include "vcpu.h"

#define LODGE_MAP_ENTRIES 8

/**
 * struct lodge_image - a kernel file in the tool's memory
 * @path: its name
 * @bytes: its contents
 * @size: how many
 */
struct lodge_image {
	const char *path;
	uint8_t *bytes;
	size_t size;
};

/**
 * struct lodge_boot - what a kernel is told
 * @memory: guest RAM
 * @image: the kernel
 * @command_line: its command line
 * @initrd: descriptor of the initrd, or -1
 * @initrd_path: its name, for messages
 * @initrd_size: bytes of it
 * @initrd_gpa: where lodge_boot_place_initrd() put it
 * @rsdp: GPA of the ACPI root pointer
 * @map: memory map: type 1 is RAM, 2 is reserved
 * @map_entries: entries of it
 */
struct lodge_boot {
	const struct lodge_memory *memory;
	const struct lodge_image *image;
	const char *command_line;
	int initrd;
	const char *initrd_path;
	uint64_t initrd_size;
	uint64_t initrd_gpa;
	uint64_t rsdp;
	struct lodge_map_entry {
		uint64_t gpa, size;
		uint32_t type;
	} map[LODGE_MAP_ENTRIES];
	unsigned int map_entries;
};

/**
 * lodge_image_read() - read a kernel file
 * @image: filled in
 * @path: its name
 *
 * Ends the tool when it cannot be read.
 */
void lodge_image_read(struct lodge_image *image, const char *path);

/**
 * lodge_image_release() - the release that a kernel file names, as `uname -r`
 * @image: kernel
 * @release: room
 * @size: of @release
 *
 * Return: whether the file names one.
 */
bool lodge_image_release(const struct lodge_image *image, char *release, size_t size);

/**
 * lodge_boot_load() - put tables, kernel, initrd and command line into guest memory
 * @boot: with memory, image, command_line and initrd set
 * @cpus: vCPUs, for the tables
 * @entry: where the first vCPU begins
 *
 * Ends the tool when the image is none, or does not fit.
 */
void lodge_boot_load(struct lodge_boot *boot, unsigned int cpus, struct lodge_entry *entry);

/* For the formats. */

/**
 * lodge_boot_place_initrd() - read the initrd into guest memory, as high as allowed
 * @boot: boot
 * @kernel_end: first GPA after the kernel and what it unpacks to
 * @limit: highest GPA that the initrd may end at
 */
void lodge_boot_place_initrd(struct lodge_boot *boot, uint64_t kernel_end, uint64_t limit);

/**
 * lodge_boot_place_command_line() - write the command line
 * @boot: boot
 * @limit: bytes that the kernel takes, without NUL
 */
void lodge_boot_place_command_line(struct lodge_boot *boot, uint32_t limit);

/**
 * lodge_boot_need() - guest memory that the kernel must have
 * @boot: boot
 * @gpa: first byte
 * @size: bytes
 *
 * Return: host address; ends the tool with STATUS_MEMORY when it is not there.
 */
void *lodge_boot_need(const struct lodge_boot *boot, uint64_t gpa, uint64_t size);

/** lodge_bzimage_is() - is it a bzImage? */
bool lodge_bzimage_is(const struct lodge_image *image);
/** lodge_bzimage_load() - load one; see lodge_boot_load() */
void lodge_bzimage_load(struct lodge_boot *boot, struct lodge_entry *entry);
/** lodge_pvh_is() - is it an ELF file? */
bool lodge_pvh_is(const struct lodge_image *image);
/** lodge_pvh_load() - load one that has a PVH entry; see lodge_boot_load() */
void lodge_pvh_load(struct lodge_boot *boot, struct lodge_entry *entry);

#endif
