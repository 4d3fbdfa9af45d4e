/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest's physical address map and port map: one place for every number
 * that the loader, the ACPI tables, dsdt.asl and the devices must agree on.
 * (dsdt.asl includes this file too, so it holds nothing but constants.)
 */
#ifndef LODGE_LAYOUT_H
#define LODGE_LAYOUT_H

/* Boot data in the first MiB; all of it is free for the kernel once it runs. */
#define LAYOUT_GDT		0x00000500
#define LAYOUT_ZERO_PAGE	0x00007000
#define LAYOUT_STACK		0x00008ff0
#define LAYOUT_PAGE_TABLES	0x00009000	/* PML4, PDPT, four page directories */
#define LAYOUT_START_INFO	0x00010000	/* PVH: start info, modules, memory map */
#define LAYOUT_COMMAND_LINE	0x00020000
#define LAYOUT_COMMAND_LINE_MAX	0x00010000
#define LAYOUT_LOW_RAM_END	0x0009fc00

/* ACPI tables: where the specification makes the guest look for the RSDP. */
#define LAYOUT_ACPI		0x000e0000
#define LAYOUT_ACPI_SIZE	0x00020000

#define LAYOUT_HIGH_RAM		0x00100000
#define LAYOUT_RAM_HOLE		0xc0000000	/* RAM goes on at 4 GiB */
#define LAYOUT_RAM_RESUME	0x100000000

/* Inside the hole. */
#define LAYOUT_PCI_MMIO		0xc0000000
#define LAYOUT_PCI_MMIO_SIZE	0x10000000
#define LAYOUT_PCI_MMIO_LAST	0xcfffffff
#define LAYOUT_ECAM		0xe0000000	/* one bus: 32 slots, 8 functions, 4 KiB */
#define LAYOUT_ECAM_SIZE	0x00100000
#define LAYOUT_IOAPIC		0xfec00000
#define LAYOUT_LAPIC		0xfee00000
#define LAYOUT_IDENTITY_MAP	0xfffbc000	/* for VT-x without unrestricted guest */
#define LAYOUT_TSS		0xfffbd000

/* Ports. */
#define LAYOUT_PORT_I8042	0x0064
#define LAYOUT_PORT_SERIAL	0x03f8
#define LAYOUT_PORT_POWER	0x0600
#define LAYOUT_PORT_POWER_SIZE	0x0008
#define LAYOUT_PORT_PCI		0x0cf8

/* Interrupts. */
#define LAYOUT_GSI_SERIAL	4
#define LAYOUT_GSI_SCI		9
#define LAYOUT_GSI_PCI		16		/* eight of them, slot modulo 8 */
#define LAYOUT_GSI_PCI_COUNT	8
#define LAYOUT_GSI_IOAPIC	24		/* pins 0 to 23; MSI routes come after */

#endif
