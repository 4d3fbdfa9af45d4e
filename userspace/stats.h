/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the hypervisor counts of a VM or a vCPU, by the statistics file of KVM's ABI.
 */
#ifndef LODGE_STATS_H
#define LODGE_STATS_H

#include <stdbool.h>
#include <stdint.h>

/**
 * lodge_stats_read() - one counter
 * @object: descriptor of a VM or a vCPU
 * @name: the counter's
 * @value: filled in
 *
 * Return: whether there is such a counter.
 */
bool lodge_stats_read(int object, const char *name, uint64_t *value);

#endif
