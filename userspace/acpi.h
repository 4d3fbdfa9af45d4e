/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest's ACPI tables.
 */
#ifndef LODGE_ACPI_H
#define LODGE_ACPI_H

#include <stdint.h>

#include "memory.h"

/**
 * lodge_acpi_build() - write all tables into guest memory
 * @memory: guest RAM
 * @cpus: vCPUs, with APIC ids from 0
 *
 * Return: GPA of the RSDP.
 */
uint64_t lodge_acpi_build(const struct lodge_memory *memory, unsigned int cpus);

#endif
