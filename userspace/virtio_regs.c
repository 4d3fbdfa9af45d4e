// SPDX-License-Identifier: GPL-2.0-only
/*
 * Virtio's common configuration structure (virtio 1.1, 4.1.4.3) and the
 * handshake of device status and features. Called with virtio->lock held.
 */
#include "virtio_regs.h"

#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <string.h>

#include "virtio.h"

static struct lodge_virtqueue *queue_selected(struct lodge_virtio *virtio)
{
	return virtio->queue_select < virtio->queue_count ?
	       &virtio->queues[virtio->queue_select] : NULL;
}

static uint64_t queue_read(struct lodge_virtio *virtio, uint64_t offset)
{
	const struct lodge_virtqueue *queue = queue_selected(virtio);

	/* Size zero is how a queue that does not exist looks. */
	if (!queue)
		return offset == VIRTIO_PCI_COMMON_Q_MSIX ? VIRTIO_MSI_NO_VECTOR : 0;
	switch (offset) {
	case VIRTIO_PCI_COMMON_Q_SIZE:
		return queue->size;
	case VIRTIO_PCI_COMMON_Q_MSIX:
		return virtio->vectors[virtio->queue_select];
	case VIRTIO_PCI_COMMON_Q_ENABLE:
		return queue->enabled;
	case VIRTIO_PCI_COMMON_Q_NOFF:
		return virtio->queue_select;
	case VIRTIO_PCI_COMMON_Q_DESCLO:
		return queue->desc_gpa;
	case VIRTIO_PCI_COMMON_Q_DESCHI:
		return queue->desc_gpa >> 32;
	case VIRTIO_PCI_COMMON_Q_AVAILLO:
		return queue->avail_gpa;
	case VIRTIO_PCI_COMMON_Q_AVAILHI:
		return queue->avail_gpa >> 32;
	case VIRTIO_PCI_COMMON_Q_USEDLO:
		return queue->used_gpa;
	case VIRTIO_PCI_COMMON_Q_USEDHI:
		return queue->used_gpa >> 32;
	default:
		return 0;
	}
}

static uint64_t common_read(struct lodge_virtio *virtio, uint64_t offset)
{
	switch (offset) {
	case VIRTIO_PCI_COMMON_DFSELECT:
		return virtio->offered_select;
	case VIRTIO_PCI_COMMON_DF:
		return virtio->offered_select > 1 ? 0 :
		       virtio->offered >> 32 * virtio->offered_select;
	case VIRTIO_PCI_COMMON_GFSELECT:
		return virtio->accepted_select;
	case VIRTIO_PCI_COMMON_GF:
		return virtio->accepted_select > 1 ? 0 :
		       virtio->accepted >> 32 * virtio->accepted_select;
	case VIRTIO_PCI_COMMON_MSIX:
		return virtio->config_vector;
	case VIRTIO_PCI_COMMON_NUMQ:
		return virtio->queue_count;
	case VIRTIO_PCI_COMMON_STATUS:
		return virtio->status;
	case VIRTIO_PCI_COMMON_Q_SELECT:
		return virtio->queue_select;
	default:
		return queue_read(virtio, offset);
	}
}

static void status_write(struct lodge_virtio *virtio, uint8_t status)
{
	uint8_t set = status & (uint8_t)~virtio->status;

	if (!status) {
		lodge_virtio_reset(virtio);
		return;
	}
	/* Features that were not offered, or none of virtio 1: not accepted. */
	if (set & VIRTIO_CONFIG_S_FEATURES_OK &&
	    (virtio->accepted & ~virtio->offered ||
	     !(virtio->accepted & 1ULL << VIRTIO_F_VERSION_1)))
		status &= (uint8_t)~VIRTIO_CONFIG_S_FEATURES_OK;
	/* Bits go away by reset alone, and only the device asks for one. */
	virtio->status |= status & (uint8_t)~VIRTIO_CONFIG_S_NEEDS_RESET;
	if (set & VIRTIO_CONFIG_S_DRIVER_OK)
		lodge_virtio_kick_all(virtio);
}

static uint16_t vector_check(const struct lodge_virtio *virtio, uint64_t vector)
{
	return vector < virtio->msix.count ? (uint16_t)vector : VIRTIO_MSI_NO_VECTOR;
}

static uint64_t half_set(uint64_t old, unsigned int half, uint64_t value)
{
	return (old & ~(0xffffffffULL << 32 * half)) | (value & 0xffffffff) << 32 * half;
}

static void queue_enable(struct lodge_virtio *virtio, struct lodge_virtqueue *queue)
{
	if (!lodge_virtqueue_enable(queue))
		lodge_virtio_break(virtio, queue->error);
}

static void queue_write(struct lodge_virtio *virtio, uint64_t offset, uint64_t value)
{
	struct lodge_virtqueue *queue = queue_selected(virtio);

	if (!queue)
		return;
	if (offset == VIRTIO_PCI_COMMON_Q_MSIX) {
		virtio->vectors[virtio->queue_select] = vector_check(virtio, value);
		return;
	}
	if (queue->enabled)	/* its shape is settled until reset */
		return;
	switch (offset) {
	case VIRTIO_PCI_COMMON_Q_SIZE:
		queue->size = (uint16_t)value;
		break;
	case VIRTIO_PCI_COMMON_Q_ENABLE:
		if (value == 1)
			queue_enable(virtio, queue);
		break;
	case VIRTIO_PCI_COMMON_Q_DESCLO:
	case VIRTIO_PCI_COMMON_Q_DESCHI:
		queue->desc_gpa = half_set(queue->desc_gpa, offset & 4 ? 1 : 0, value);
		break;
	case VIRTIO_PCI_COMMON_Q_AVAILLO:
	case VIRTIO_PCI_COMMON_Q_AVAILHI:
		queue->avail_gpa = half_set(queue->avail_gpa, offset & 4 ? 1 : 0, value);
		break;
	case VIRTIO_PCI_COMMON_Q_USEDLO:
	case VIRTIO_PCI_COMMON_Q_USEDHI:
		queue->used_gpa = half_set(queue->used_gpa, offset & 4 ? 1 : 0, value);
		break;
	}
}

static void common_write(struct lodge_virtio *virtio, uint64_t offset, uint64_t value)
{
	switch (offset) {
	case VIRTIO_PCI_COMMON_DFSELECT:
		virtio->offered_select = (uint32_t)value;
		break;
	case VIRTIO_PCI_COMMON_GFSELECT:
		virtio->accepted_select = (uint32_t)value;
		break;
	case VIRTIO_PCI_COMMON_GF:
		if (virtio->accepted_select < 2 &&
		    !(virtio->status & VIRTIO_CONFIG_S_FEATURES_OK))
			virtio->accepted = half_set(virtio->accepted, virtio->accepted_select,
						    value);
		break;
	case VIRTIO_PCI_COMMON_MSIX:
		virtio->config_vector = vector_check(virtio, value);
		break;
	case VIRTIO_PCI_COMMON_STATUS:
		status_write(virtio, (uint8_t)value);
		break;
	case VIRTIO_PCI_COMMON_Q_SELECT:
		virtio->queue_select = (uint16_t)value;
		break;
	default:
		queue_write(virtio, offset, value);
	}
}

static bool common_is_address(uint64_t offset)
{
	return offset >= VIRTIO_PCI_COMMON_Q_DESCLO && offset <= VIRTIO_PCI_COMMON_Q_USEDHI &&
	       offset % 8 == 0;
}

void lodge_virtio_common_access(struct lodge_virtio *virtio, struct lodge_access *access)
{
	uint64_t value;

	/* Each field has its own width; 64-bit addresses may come in one piece. */
	if (access->length > 4 && !common_is_address(access->offset)) {
		if (!access->write)
			memset(access->data, 0, access->length);
		return;
	}
	if (!access->write) {
		lodge_access_answer(access, common_read(virtio, access->offset));
		return;
	}
	value = lodge_access_value(access);
	common_write(virtio, access->offset, value);
	if (access->length > 4)
		common_write(virtio, access->offset + 4, value >> 32);
}
