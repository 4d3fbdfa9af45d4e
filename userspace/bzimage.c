// SPDX-License-Identifier: GPL-2.0-only
/*
 * bzImage: Linux's x86 boot protocol with its 64-bit entry point
 * (Documentation/arch/x86/boot.rst, "64-bit boot protocol"). Runs before any
 * vCPU; no lock.
 */
#include <asm/bootparam.h>
#include <string.h>

#include "boot.h"
#include "layout.h"
#include "tool.h"

#define HEADER_OFFSET		0x1f1
#define HEADER_MAGIC		0x53726448	/* "HdrS" */
#define BOOT_FLAG		0xaa55
#define PROTOCOL_2_12		0x020c		/* the first with a 64-bit entry point */
#define LOADER_UNDEFINED	0xff
#define VIDEO_MODE_NORMAL	0xffff
#define ENTRY_64		0x200

#define SECTOR			512
#define PARAGRAPH		16

#define BOOT_CODE_SELECTOR	0x10
#define BOOT_DATA_SELECTOR	0x18
#define DESCRIPTOR_CODE_64	0x00af9b000000ffffULL
#define DESCRIPTOR_DATA		0x00cf93000000ffffULL

#define CR0_PE			(1ULL << 0)
#define CR0_ET			(1ULL << 4)
#define CR0_PG			(1ULL << 31)
#define CR4_PAE			(1ULL << 5)
#define EFER_LME		(1ULL << 8)
#define EFER_LMA		(1ULL << 10)

#define PTE_TABLE		0x3ULL		/* present, writable */
#define PTE_HUGE		0x83ULL
#define ENTRIES			512u

static const struct setup_header *image_header(const struct lodge_image *image)
{
	return (const struct setup_header *)(image->bytes + HEADER_OFFSET);
}

bool lodge_bzimage_is(const struct lodge_image *image)
{
	const struct setup_header *header = image_header(image);

	return image->size >= HEADER_OFFSET + sizeof(*header) && header->header == HEADER_MAGIC &&
	       header->boot_flag == BOOT_FLAG;
}

static size_t setup_size(const struct setup_header *header)
{
	unsigned int sectors = header->setup_sects ? header->setup_sects : 4;

	return (sectors + 1) * SECTOR;
}

bool lodge_image_release(const struct lodge_image *image, char *release, size_t size)
{
	size_t offset, length = 0;

	if (!lodge_bzimage_is(image) || !image_header(image)->kernel_version)
		return false;
	offset = image_header(image)->kernel_version + 0x200u;
	/* "6.1.0-1-amd64 (builder) #1 ...": the release is the first word. */
	while (offset + length < image->size && image->bytes[offset + length] > ' ')
		length++;
	if (!length || length >= size)
		return false;
	memcpy(release, image->bytes + offset, length);
	release[length] = '\0';
	return true;
}

static void bzimage_check(const struct lodge_image *image)
{
	const struct setup_header *header = image_header(image);
	size_t setup = setup_size(header);

	if (header->version < PROTOCOL_2_12 || !(header->xloadflags & XLF_KERNEL_64))
		lodge_fail(STATUS_IMAGE,
			   "kernel %s has no 64-bit entry point: give one built for x86-64",
			   image->path);
	if (setup >= image->size || (uint64_t)header->syssize * PARAGRAPH > image->size - setup)
		lodge_fail(STATUS_IMAGE, "kernel %s is cut short: copy it again", image->path);
}

static void zero_page_build(const struct lodge_boot *boot, struct boot_params *params)
{
	const struct lodge_image *image = boot->image;
	/* The header ends where the jump at 0x200 goes. */
	size_t header_size = 0x202u + image->bytes[0x201] - HEADER_OFFSET;

	if (header_size > sizeof(params->hdr))
		header_size = sizeof(params->hdr);
	memset(params, 0, sizeof(*params));
	memcpy(&params->hdr, image_header(image), header_size);
	params->hdr.type_of_loader = LOADER_UNDEFINED;
	params->hdr.vid_mode = VIDEO_MODE_NORMAL;
	params->hdr.cmd_line_ptr = LAYOUT_COMMAND_LINE;
	params->hdr.ramdisk_image = (uint32_t)boot->initrd_gpa;
	params->hdr.ramdisk_size = boot->initrd_gpa ? (uint32_t)boot->initrd_size : 0;
	params->acpi_rsdp_addr = boot->rsdp;
	for (unsigned int i = 0; i < boot->map_entries; i++)
		params->e820_table[i] = (struct boot_e820_entry) {
			.addr = boot->map[i].gpa,
			.size = boot->map[i].size,
			.type = boot->map[i].type,
		};
	params->e820_entries = (uint8_t)boot->map_entries;
}

/* The first 4 GiB, where they are, in 2 MiB pages. */
static void page_tables_build(const struct lodge_boot *boot)
{
	uint64_t gpa = LAYOUT_PAGE_TABLES;
	uint64_t *tables = lodge_boot_need(boot, gpa, 6 * 0x1000);

	memset(tables, 0, 6 * 0x1000);
	tables[0] = (gpa + 0x1000) | PTE_TABLE;
	for (uint64_t i = 0; i < 4; i++)
		tables[ENTRIES + i] = (gpa + 0x2000 + i * 0x1000) | PTE_TABLE;
	for (uint64_t i = 0; i < 4 * ENTRIES; i++)
		tables[2 * ENTRIES + i] = i << 21 | PTE_HUGE;
}

static struct kvm_segment flat_segment(uint16_t selector, uint8_t type)
{
	return (struct kvm_segment) {
		.selector = selector, .limit = 0xffffffff, .type = type, .present = 1, .s = 1,
		.g = 1,
	};
}

static void entry_build(const struct lodge_boot *boot, uint64_t rip, struct lodge_entry *entry)
{
	uint64_t *gdt = lodge_boot_need(boot, LAYOUT_GDT, 4 * sizeof(*gdt));

	gdt[0] = gdt[1] = 0;
	gdt[2] = DESCRIPTOR_CODE_64;
	gdt[3] = DESCRIPTOR_DATA;
	page_tables_build(boot);

	memset(entry, 0, sizeof(*entry));
	entry->regs.rip = rip;
	entry->regs.rsi = LAYOUT_ZERO_PAGE;
	entry->regs.rsp = LAYOUT_STACK;
	entry->regs.rflags = 2;
	entry->sregs.cs = flat_segment(BOOT_CODE_SELECTOR, 0xb);
	entry->sregs.cs.l = 1;
	entry->sregs.ds = flat_segment(BOOT_DATA_SELECTOR, 3);
	entry->sregs.ds.db = 1;
	entry->sregs.tr = (struct kvm_segment) { .limit = 0xffff, .type = 0xb, .present = 1 };
	entry->sregs.gdt.base = LAYOUT_GDT;
	entry->sregs.gdt.limit = 4 * sizeof(*gdt) - 1;
	entry->sregs.cr0 = CR0_PE | CR0_ET | CR0_PG;
	entry->sregs.cr3 = LAYOUT_PAGE_TABLES;
	entry->sregs.cr4 = CR4_PAE;
	entry->sregs.efer = EFER_LME | EFER_LMA;
}

void lodge_bzimage_load(struct lodge_boot *boot, struct lodge_entry *entry)
{
	const struct lodge_image *image = boot->image;
	const struct setup_header *header = image_header(image);
	size_t setup = setup_size(header);
	uint64_t gpa = header->pref_address;
	uint64_t room = header->init_size;

	bzimage_check(image);
	if (room < image->size - setup)
		room = image->size - setup;
	memcpy(lodge_boot_need(boot, gpa, room), image->bytes + setup, image->size - setup);
	lodge_boot_place_initrd(boot, gpa + room, (uint64_t)header->initrd_addr_max + 1);
	lodge_boot_place_command_line(boot, header->cmdline_size);
	zero_page_build(boot, lodge_boot_need(boot, LAYOUT_ZERO_PAGE, sizeof(struct boot_params)));
	entry_build(boot, gpa + ENTRY_64, entry);
}
