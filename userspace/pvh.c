// SPDX-License-Identifier: GPL-2.0-only
/*
 * PVH: an ELF kernel whose note names a 32-bit entry point (Xen's
 * docs/misc/pvh.pandoc and public/arch-x86/hvm/start_info.h). Linux's vmlinux
 * has one when built with CONFIG_PVH. Runs before any vCPU; no lock.
 */
#include <elf.h>
#include <string.h>

#include "boot.h"
#include "layout.h"
#include "tool.h"

#define NOTE_PHYS32_ENTRY	18
#define START_MAGIC		0x336ec578
#define START_VERSION		1

/* The protocol leaves the limit open; this is what Linux takes. */
#define COMMAND_LINE_LIMIT	2047

#define CR0_PE			(1ULL << 0)
#define CR0_ET			(1ULL << 4)

struct start_info {
	uint32_t magic, version, flags, modules;
	uint64_t module_list, command_line, rsdp, memory_map;
	uint32_t memory_map_entries, reserved;
};

struct start_module {
	uint64_t gpa, size, command_line, reserved;
};

struct start_memory {
	uint64_t gpa, size;
	uint32_t type, reserved;
};

struct start_area {
	struct start_info info;
	struct start_module module;
	struct start_memory map[LODGE_MAP_ENTRIES];
};

bool lodge_pvh_is(const struct lodge_image *image)
{
	const Elf64_Ehdr *elf = (const Elf64_Ehdr *)image->bytes;

	return image->size >= sizeof(*elf) && !memcmp(elf->e_ident, ELFMAG, SELFMAG);
}

static void __attribute__((noreturn)) pvh_fail(const struct lodge_image *image, const char *why)
{
	lodge_fail(STATUS_IMAGE, "kernel %s %s: give a bzImage or a vmlinux with CONFIG_PVH",
		   image->path, why);
}

/* Bytes of the image, if the file has them. */
static const void *image_range(const struct lodge_image *image, uint64_t offset, uint64_t size)
{
	if (offset > image->size || size > image->size - offset)
		pvh_fail(image, "is cut short");
	return image->bytes + offset;
}

static const Elf64_Phdr *pvh_program(const struct lodge_image *image, unsigned int index)
{
	const Elf64_Ehdr *elf = (const Elf64_Ehdr *)image->bytes;

	return image_range(image, elf->e_phoff + (uint64_t)index * sizeof(Elf64_Phdr),
			   sizeof(Elf64_Phdr));
}

static void pvh_check(const struct lodge_image *image)
{
	const Elf64_Ehdr *elf = (const Elf64_Ehdr *)image->bytes;

	if (elf->e_ident[EI_CLASS] != ELFCLASS64 || elf->e_machine != EM_X86_64 ||
	    elf->e_phentsize != sizeof(Elf64_Phdr))
		pvh_fail(image, "is not an ELF file for x86-64");
}

/* Return: the entry point, or 0 when this segment of notes has none. */
static uint64_t pvh_note_entry(const struct lodge_image *image, const Elf64_Phdr *program)
{
	uint64_t offset = program->p_offset;
	uint64_t end = offset + program->p_filesz;

	image_range(image, offset, program->p_filesz);
	while (offset + sizeof(Elf64_Nhdr) <= end) {
		const Elf64_Nhdr *note = image_range(image, offset, sizeof(*note));
		uint64_t name = offset + sizeof(*note);
		uint64_t body = name + ((note->n_namesz + 3ULL) & ~3ULL);
		uint32_t entry;

		if (note->n_type == NOTE_PHYS32_ENTRY && note->n_namesz == 4 &&
		    note->n_descsz >= sizeof(entry) && !memcmp(image_range(image, name, 4), "Xen", 4)) {
			memcpy(&entry, image_range(image, body, sizeof(entry)), sizeof(entry));
			return entry;
		}
		offset = body + ((note->n_descsz + 3ULL) & ~3ULL);
	}
	return 0;
}

/* Return: first GPA after the kernel; the entry point goes to @entry. */
static uint64_t pvh_segments_load(const struct lodge_boot *boot, uint64_t *entry)
{
	const struct lodge_image *image = boot->image;
	const Elf64_Ehdr *elf = (const Elf64_Ehdr *)image->bytes;
	uint64_t end = LAYOUT_HIGH_RAM;

	for (unsigned int i = 0; i < elf->e_phnum; i++) {
		const Elf64_Phdr *program = pvh_program(image, i);

		if (program->p_type == PT_NOTE && !*entry)
			*entry = pvh_note_entry(image, program);
		if (program->p_type != PT_LOAD || !program->p_memsz)
			continue;
		if (program->p_paddr < LAYOUT_HIGH_RAM || program->p_filesz > program->p_memsz)
			pvh_fail(image, "wants to be loaded where it cannot be");
		memcpy(lodge_boot_need(boot, program->p_paddr, program->p_memsz),
		       image_range(image, program->p_offset, program->p_filesz),
		       program->p_filesz);
		if (program->p_paddr + program->p_memsz > end)
			end = program->p_paddr + program->p_memsz;
	}
	if (!*entry)
		pvh_fail(image, "has no PVH entry point");
	return end;
}

static void start_build(const struct lodge_boot *boot)
{
	struct start_area *area = lodge_boot_need(boot, LAYOUT_START_INFO, sizeof(*area));

	memset(area, 0, sizeof(*area));
	area->info = (struct start_info) {
		.magic = START_MAGIC,
		.version = START_VERSION,
		.command_line = LAYOUT_COMMAND_LINE,
		.rsdp = boot->rsdp,
		.memory_map = LAYOUT_START_INFO + offsetof(struct start_area, map),
		.memory_map_entries = boot->map_entries,
	};
	if (boot->initrd_gpa) {
		area->info.modules = 1;
		area->info.module_list = LAYOUT_START_INFO + offsetof(struct start_area, module);
		area->module.gpa = boot->initrd_gpa;
		area->module.size = boot->initrd_size;
	}
	for (unsigned int i = 0; i < boot->map_entries; i++)
		area->map[i] = (struct start_memory) {
			.gpa = boot->map[i].gpa,
			.size = boot->map[i].size,
			.type = boot->map[i].type,
		};
}

static struct kvm_segment flat_segment(uint8_t type)
{
	return (struct kvm_segment) {
		.limit = 0xffffffff, .type = type, .present = 1, .db = 1, .s = 1, .g = 1,
	};
}

void lodge_pvh_load(struct lodge_boot *boot, struct lodge_entry *entry)
{
	uint64_t rip = 0;
	uint64_t end;

	pvh_check(boot->image);
	end = pvh_segments_load(boot, &rip);
	lodge_boot_place_initrd(boot, end, LAYOUT_RAM_HOLE);
	lodge_boot_place_command_line(boot, COMMAND_LINE_LIMIT);
	start_build(boot);

	memset(entry, 0, sizeof(*entry));
	entry->regs.rip = rip;
	entry->regs.rbx = LAYOUT_START_INFO;
	entry->regs.rflags = 2;
	entry->sregs.cs = flat_segment(0xb);
	entry->sregs.ds = flat_segment(3);
	entry->sregs.tr = (struct kvm_segment) { .limit = 0x67, .type = 0xb, .present = 1 };
	entry->sregs.cr0 = CR0_PE | CR0_ET;
}
