// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's DSDT: the PCI root bridge with its window and interrupt wires,
 * the serial port, the ports and addresses that nobody else may use, and S5.
 * Addresses come from layout.h through the C preprocessor; the wires repeat
 * LAYOUT_GSI_PCI + slot % LAYOUT_GSI_PCI_COUNT.
 */
#include "layout.h"

#define WIRE(slot) \
	Package () { slot * 0x10000 + 0xffff, 0, 0, LAYOUT_GSI_PCI + slot % LAYOUT_GSI_PCI_COUNT }

DefinitionBlock ("", "DSDT", 2, "LODGE ", "LODGEVM ", 1)
{
	Name (_S5, Package () { 5, 0, 0, 0 })

	Scope (_SB)
	{
		Device (PCI0)
		{
			Name (_HID, EisaId ("PNP0A03"))
			Name (_UID, 0)
			Name (_SEG, 0)
			Name (_BBN, 0)
			Name (_CRS, ResourceTemplate ()
			{
				WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
					0, 0, 0, 0, 1)
				IO (Decode16, LAYOUT_PORT_PCI, LAYOUT_PORT_PCI, 1, 8)
				DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed,
					NonCacheable, ReadWrite, 0, LAYOUT_PCI_MMIO,
					LAYOUT_PCI_MMIO_LAST, 0, LAYOUT_PCI_MMIO_SIZE)
			})
			Name (_PRT, Package ()
			{
				WIRE (1), WIRE (2), WIRE (3), WIRE (4), WIRE (5), WIRE (6),
				WIRE (7), WIRE (8), WIRE (9), WIRE (10), WIRE (11), WIRE (12),
				WIRE (13), WIRE (14), WIRE (15), WIRE (16), WIRE (17), WIRE (18),
				WIRE (19), WIRE (20), WIRE (21), WIRE (22), WIRE (23), WIRE (24),
				WIRE (25), WIRE (26), WIRE (27), WIRE (28), WIRE (29), WIRE (30),
				WIRE (31)
			})
		}

		Device (COM1)
		{
			Name (_HID, EisaId ("PNP0501"))
			Name (_UID, 1)
			Name (_STA, 0x0f)
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, LAYOUT_PORT_SERIAL, LAYOUT_PORT_SERIAL, 1, 8)
				IRQNoFlags () { LAYOUT_GSI_SERIAL }
			})
		}

		Device (BRDR)
		{
			Name (_HID, EisaId ("PNP0C02"))
			Name (_UID, 0)
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, LAYOUT_PORT_POWER, LAYOUT_PORT_POWER, 1,
					LAYOUT_PORT_POWER_SIZE)
				Memory32Fixed (ReadWrite, LAYOUT_ECAM, LAYOUT_ECAM_SIZE)
			})
		}
	}
}
