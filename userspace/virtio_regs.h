/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between the two halves of the virtio transport: virtio.c (PCI, interrupts,
 * doorbells) and virtio_regs.c (the common configuration registers).
 */
#ifndef LODGE_VIRTIO_REGS_H
#define LODGE_VIRTIO_REGS_H

struct lodge_access;
struct lodge_virtio;

/**
 * lodge_virtio_common_access() - an access to the common configuration
 * @virtio: device, its lock held
 * @access: with @offset from the start of the structure
 */
void lodge_virtio_common_access(struct lodge_virtio *virtio, struct lodge_access *access);

/**
 * lodge_virtio_reset() - what writing zero to the status does
 * @virtio: device, its lock held
 */
void lodge_virtio_reset(struct lodge_virtio *virtio);

/**
 * lodge_virtio_kick_all() - ring all doorbells: buffers may be waiting already
 * @virtio: device
 */
void lodge_virtio_kick_all(struct lodge_virtio *virtio);

#endif
