/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The small initrd that the tool makes by itself.
 */
#ifndef LODGE_INITRD_H
#define LODGE_INITRD_H

#include <stdint.h>

/**
 * lodge_initrd_make() - busybox, the init script and the virtio drivers of a release
 * @release: kernel release, whose modules are in /lib/modules
 * @size: bytes of the initrd go here
 *
 * It lives in anonymous memory: nothing is left behind, whatever ends the tool.
 * Ends the tool when the host lacks what goes into it.
 *
 * Return: descriptor.
 */
int lodge_initrd_make(const char *release, uint64_t *size);

#endif
