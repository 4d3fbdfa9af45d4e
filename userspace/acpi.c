// SPDX-License-Identifier: GPL-2.0-only
/*
 * ACPI tables (ACPI specification 6.3, chapter 5): RSDP, XSDT, FADT, FACS,
 * MADT, MCFG. The DSDT is compiled from dsdt.asl. Written once into guest
 * memory before the guest runs; no state.
 */
#include "acpi.h"

#include <string.h>

#include "blobs.h"
#include "layout.h"
#include "power.h"
#include "tool.h"

#define PACKED __attribute__((packed))

struct acpi_header {
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} PACKED;

/* Generic address structure, 5.2.3.2. */
struct acpi_address {
	uint8_t space;
	uint8_t bits;
	uint8_t offset;
	uint8_t access;
	uint64_t address;
} PACKED;

#define SPACE_IO		1
#define ACCESS_BYTE		1
#define ACCESS_WORD		2

/* 5.2.5.3 */
struct acpi_rsdp {
	char signature[8];
	uint8_t checksum;
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum;
	uint8_t reserved[3];
} PACKED;

#define RSDP_CHECKSUM_LENGTH	20	/* what version 1 of the structure had */

struct acpi_xsdt {
	struct acpi_header header;
	uint64_t tables[3];
} PACKED;

/* 5.2.9 */
struct acpi_fadt {
	struct acpi_header header;
	uint32_t firmware_control;
	uint32_t dsdt;
	uint8_t reserved0;
	uint8_t profile;
	uint16_t sci_interrupt;
	uint32_t smi_command;
	uint8_t acpi_enable, acpi_disable, s4bios_request, pstate_control;
	uint32_t pm1a_event, pm1b_event, pm1a_control, pm1b_control, pm2_control, pm_timer;
	uint32_t gpe0, gpe1;
	uint8_t pm1_event_length, pm1_control_length, pm2_control_length, pm_timer_length;
	uint8_t gpe0_length, gpe1_length, gpe1_base, cst_control;
	uint16_t c2_latency, c3_latency, flush_size, flush_stride;
	uint8_t duty_offset, duty_width, day_alarm, month_alarm, century;
	uint16_t boot_flags;
	uint8_t reserved1;
	uint32_t flags;
	struct acpi_address reset_register;
	uint8_t reset_value;
	uint16_t arm_boot_flags;
	uint8_t minor_version;
	uint64_t x_firmware_control, x_dsdt;
	struct acpi_address x_pm1a_event, x_pm1b_event, x_pm1a_control, x_pm1b_control;
	struct acpi_address x_pm2_control, x_pm_timer, x_gpe0, x_gpe1;
	struct acpi_address sleep_control, sleep_status;
} PACKED;

_Static_assert(sizeof(struct acpi_fadt) == 268, "FADT of ACPI 5.1 to 6.3, without hypervisor id");

#define FADT_REVISION		5
#define FADT_MINOR		1
#define FADT_PROFILE_DESKTOP	1
#define FADT_NO_C2		101	/* latencies that say "no such state" */
#define FADT_NO_C3		1001

#define BOOT_LEGACY_DEVICES	(1 << 0)
#define BOOT_NO_VGA		(1 << 2)
#define BOOT_NO_CMOS_RTC	(1 << 5)

#define FLAG_WBINVD		(1 << 0)
#define FLAG_PROC_C1		(1 << 2)
#define FLAG_NO_POWER_BUTTON	(1 << 4)
#define FLAG_NO_SLEEP_BUTTON	(1 << 5)
#define FLAG_NO_FIXED_RTC	(1 << 6)
#define FLAG_RESET_REGISTER	(1 << 10)

/* 5.2.10 */
struct acpi_facs {
	char signature[4];
	uint32_t length;
	uint32_t hardware_signature;
	uint32_t waking_vector;
	uint32_t global_lock;
	uint32_t flags;
	uint64_t x_waking_vector;
	uint8_t version;
	uint8_t reserved[31];
} PACKED;

/* 5.2.12 */
struct acpi_madt {
	struct acpi_header header;
	uint32_t lapic;
	uint32_t flags;
} PACKED;

#define MADT_PCAT_COMPAT	1	/* there are 8259s too */

struct madt_lapic {
	uint8_t type, length, processor, apic_id;
	uint32_t flags;
} PACKED;

struct madt_ioapic {
	uint8_t type, length, id, reserved;
	uint32_t address, gsi_base;
} PACKED;

struct madt_override {
	uint8_t type, length, bus, source;
	uint32_t gsi;
	uint16_t flags;
} PACKED;

struct madt_lapic_nmi {
	uint8_t type, length, processor;
	uint16_t flags;
	uint8_t lint;
} PACKED;

enum { MADT_LAPIC = 0, MADT_IOAPIC = 1, MADT_OVERRIDE = 2, MADT_LAPIC_NMI = 4 };

#define LAPIC_ENABLED		1
#define OVERRIDE_HIGH_LEVEL	0x000d	/* active high, level-triggered */
#define ALL_PROCESSORS		0xff

/* PCI firmware specification 3.0, 4.1.2 */
struct acpi_mcfg {
	struct acpi_header header;
	uint64_t reserved;
	uint64_t base;
	uint16_t segment;
	uint8_t first_bus, last_bus;
	uint32_t reserved1;
} PACKED;

/**
 * struct acpi_area - guest memory that is being filled
 * @base: host address of LAYOUT_ACPI
 * @used: bytes taken
 */
struct acpi_area {
	uint8_t *base;
	uint32_t used;
};

static void *area_take(struct acpi_area *area, uint32_t size, uint32_t alignment)
{
	area->used = (area->used + alignment - 1) & ~(alignment - 1);
	if (area->used + size > LAYOUT_ACPI_SIZE)
		lodge_fail(STATUS_USAGE, "the ACPI tables of so many vCPUs have no room: lower --cpus");
	area->used += size;
	return memset(area->base + area->used - size, 0, size);
}

static uint64_t area_gpa(const struct acpi_area *area, const void *table)
{
	return LAYOUT_ACPI + (uint64_t)((const uint8_t *)table - area->base);
}

static uint8_t acpi_checksum(const void *table, uint32_t length)
{
	const uint8_t *bytes = table;
	uint8_t sum = 0;

	while (length--)
		sum += *bytes++;
	return (uint8_t)-sum;
}

static void table_seal(struct acpi_header *header, const char *signature, uint8_t revision,
		       uint32_t length)
{
	memcpy(header->signature, signature, sizeof(header->signature));
	header->length = length;
	header->revision = revision;
	memcpy(header->oem_id, "LODGE ", sizeof(header->oem_id));
	memcpy(header->oem_table_id, "LODGEVM ", sizeof(header->oem_table_id));
	header->oem_revision = 1;
	memcpy(header->creator_id, "LODG", sizeof(header->creator_id));
	header->creator_revision = 1;
	header->checksum = 0;
	header->checksum = acpi_checksum(header, length);
}

static uint64_t dsdt_build(struct acpi_area *area)
{
	uint32_t size = (uint32_t)(lodge_blob_dsdt_end - lodge_blob_dsdt);

	return area_gpa(area, memcpy(area_take(area, size, 16), lodge_blob_dsdt, size));
}

static uint64_t facs_build(struct acpi_area *area)
{
	struct acpi_facs *facs = area_take(area, sizeof(*facs), 64);

	memcpy(facs->signature, "FACS", 4);
	facs->length = sizeof(*facs);
	facs->version = 2;
	return area_gpa(area, facs);
}

static struct acpi_address acpi_port(uint32_t port, uint8_t bits, uint8_t access)
{
	return (struct acpi_address) {
		.space = SPACE_IO, .bits = bits, .access = access, .address = port,
	};
}

static uint64_t fadt_build(struct acpi_area *area, uint64_t facs, uint64_t dsdt)
{
	struct acpi_fadt *fadt = area_take(area, sizeof(*fadt), 16);

	/* 32-bit and 64-bit twins must agree; both say where all below 4 GiB is. */
	fadt->firmware_control = (uint32_t)facs;
	fadt->dsdt = (uint32_t)dsdt;
	fadt->x_dsdt = dsdt;
	fadt->profile = FADT_PROFILE_DESKTOP;
	fadt->sci_interrupt = LAYOUT_GSI_SCI;
	fadt->pm1a_event = LAYOUT_PORT_POWER + LODGE_POWER_PM1_EVENT;
	fadt->pm1_event_length = 4;
	fadt->pm1a_control = LAYOUT_PORT_POWER + LODGE_POWER_PM1_CONTROL;
	fadt->pm1_control_length = 2;
	fadt->c2_latency = FADT_NO_C2;
	fadt->c3_latency = FADT_NO_C3;
	fadt->boot_flags = BOOT_LEGACY_DEVICES | BOOT_NO_VGA | BOOT_NO_CMOS_RTC;
	fadt->flags = FLAG_WBINVD | FLAG_PROC_C1 | FLAG_NO_POWER_BUTTON | FLAG_NO_SLEEP_BUTTON |
		      FLAG_NO_FIXED_RTC | FLAG_RESET_REGISTER;
	fadt->reset_register = acpi_port(LAYOUT_PORT_POWER + LODGE_POWER_RESET, 8, ACCESS_BYTE);
	fadt->reset_value = LODGE_POWER_RESET_VALUE;
	fadt->minor_version = FADT_MINOR;
	fadt->x_pm1a_event = acpi_port(fadt->pm1a_event, 32, ACCESS_WORD);
	fadt->x_pm1a_control = acpi_port(fadt->pm1a_control, 16, ACCESS_WORD);
	table_seal(&fadt->header, "FACP", FADT_REVISION, sizeof(*fadt));
	return area_gpa(area, fadt);
}

static void madt_add_wires(struct acpi_area *area)
{
	struct madt_ioapic *ioapic = area_take(area, sizeof(*ioapic), 1);
	struct madt_override *sci = area_take(area, sizeof(*sci), 1);
	struct madt_lapic_nmi *nmi = area_take(area, sizeof(*nmi), 1);

	*ioapic = (struct madt_ioapic) {
		.type = MADT_IOAPIC, .length = sizeof(*ioapic), .address = LAYOUT_IOAPIC,
	};
	*sci = (struct madt_override) {
		.type = MADT_OVERRIDE, .length = sizeof(*sci), .source = LAYOUT_GSI_SCI,
		.gsi = LAYOUT_GSI_SCI, .flags = OVERRIDE_HIGH_LEVEL,
	};
	*nmi = (struct madt_lapic_nmi) {
		.type = MADT_LAPIC_NMI, .length = sizeof(*nmi), .processor = ALL_PROCESSORS,
		.lint = 1,
	};
}

/* Identity between ISA interrupts and GSIs, pin 0 included: as the routes say. */
static uint64_t madt_build(struct acpi_area *area, unsigned int cpus)
{
	struct acpi_madt *madt = area_take(area, sizeof(*madt), 16);
	uint64_t gpa = area_gpa(area, madt);

	madt->lapic = LAYOUT_LAPIC;
	madt->flags = MADT_PCAT_COMPAT;
	for (unsigned int i = 0; i < cpus; i++) {
		struct madt_lapic *lapic = area_take(area, sizeof(*lapic), 1);

		*lapic = (struct madt_lapic) {
			.type = MADT_LAPIC, .length = sizeof(*lapic), .processor = (uint8_t)i,
			.apic_id = (uint8_t)i, .flags = LAPIC_ENABLED,
		};
	}
	madt_add_wires(area);
	table_seal(&madt->header, "APIC", 3, (uint32_t)(area->base + area->used - (uint8_t *)madt));
	return gpa;
}

static uint64_t mcfg_build(struct acpi_area *area)
{
	struct acpi_mcfg *mcfg = area_take(area, sizeof(*mcfg), 16);

	mcfg->base = LAYOUT_ECAM;
	table_seal(&mcfg->header, "MCFG", 1, sizeof(*mcfg));
	return area_gpa(area, mcfg);
}

uint64_t lodge_acpi_build(const struct lodge_memory *memory, unsigned int cpus)
{
	struct acpi_area area = {
		.base = lodge_memory_at(memory, LAYOUT_ACPI, LAYOUT_ACPI_SIZE),
	};
	/* First, because it must lie on a 16-byte boundary where guests look for it. */
	struct acpi_rsdp *rsdp = area_take(&area, sizeof(*rsdp), 16);
	struct acpi_xsdt *xsdt = area_take(&area, sizeof(*xsdt), 16);
	uint64_t dsdt = dsdt_build(&area);

	xsdt->tables[0] = fadt_build(&area, facs_build(&area), dsdt);
	xsdt->tables[1] = madt_build(&area, cpus);
	xsdt->tables[2] = mcfg_build(&area);
	table_seal(&xsdt->header, "XSDT", 1, sizeof(*xsdt));

	memcpy(rsdp->signature, "RSD PTR ", sizeof(rsdp->signature));
	memcpy(rsdp->oem_id, "LODGE ", sizeof(rsdp->oem_id));
	rsdp->revision = 2;
	rsdp->length = sizeof(*rsdp);
	rsdp->xsdt = area_gpa(&area, xsdt);
	rsdp->checksum = acpi_checksum(rsdp, RSDP_CHECKSUM_LENGTH);
	rsdp->extended_checksum = acpi_checksum(rsdp, sizeof(*rsdp));
	return area_gpa(&area, rsdp);
}
