// SPDX-License-Identifier: GPL-2.0-only
/*
 * Virtio over PCI (virtio 1.1, 4.1), modern interface only. One BAR holds, a
 * page each: common configuration, interrupt status, device configuration,
 * doorbells, MSI-X table, pending bits. Doorbells are ioeventfds that follow
 * the BAR, so the data path does not come through here. virtio->lock guards
 * the registers; workers of the devices take it too.
 */
#include "virtio.h"

#include <errno.h>
#include <linux/kvm.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#include "virtio_regs.h"
#include "vm.h"

#define BAR_SIZE	0x8000
#define BAR_REGION	0x1000
#define BAR_COMMON	0x0000
#define BAR_ISR		0x1000
#define BAR_DEVICE	0x2000
#define BAR_NOTIFY	0x3000
#define BAR_MSIX_TABLE	0x4000
#define BAR_MSIX_PENDING 0x5000

#define NOTIFY_MULTIPLIER 4

#define VIRTIO_VENDOR	0x1af4
#define VIRTIO_DEVICE(type) (0x1040 + (type))
#define VIRTIO_REVISION	1

#define ISR_QUEUE	1

static struct lodge_virtio *virtio_of(struct lodge_pci_device *device)
{
	return (struct lodge_virtio *)((char *)device - offsetof(struct lodge_virtio, pci));
}

bool lodge_virtio_is_live(const struct lodge_virtio *virtio)
{
	return (virtio->status & (VIRTIO_CONFIG_S_DRIVER_OK | VIRTIO_CONFIG_S_NEEDS_RESET)) ==
	       VIRTIO_CONFIG_S_DRIVER_OK;
}

static void virtio_signal(struct lodge_virtio *virtio, uint16_t vector, uint8_t isr)
{
	if (virtio->msix.enabled) {
		lodge_msix_fire(&virtio->msix, vector);
		return;
	}
	virtio->isr |= isr;
	if (!virtio->wire_disabled)
		lodge_pci_wire(&virtio->pci, true);
}

void lodge_virtio_interrupt(struct lodge_virtio *virtio, unsigned int queue)
{
	if (lodge_virtqueue_wants_interrupt(&virtio->queues[queue]))
		virtio_signal(virtio, virtio->vectors[queue], ISR_QUEUE);
}

void lodge_virtio_break(struct lodge_virtio *virtio, const char *reason)
{
	if (virtio->status & VIRTIO_CONFIG_S_NEEDS_RESET)
		return;
	lodge_warn("%s stopped until the guest resets it: %s", virtio->name, reason);
	virtio->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	if (virtio->status & VIRTIO_CONFIG_S_DRIVER_OK)
		virtio_signal(virtio, virtio->config_vector, VIRTIO_PCI_ISR_CONFIG);
}

void lodge_virtio_reset(struct lodge_virtio *virtio)
{
	/* Queues first go dead, then what is in flight ends, then state goes. */
	virtio->status = 0;
	if (virtio->ops && virtio->ops->quiesce)
		virtio->ops->quiesce(virtio);
	for (unsigned int i = 0; i < virtio->queue_count; i++) {
		lodge_virtqueue_reset(&virtio->queues[i]);
		virtio->vectors[i] = VIRTIO_MSI_NO_VECTOR;
	}
	virtio->config_vector = VIRTIO_MSI_NO_VECTOR;
	virtio->accepted = 0;
	virtio->isr = 0;
	virtio->msix.pending = 0;
	lodge_pci_wire(&virtio->pci, false);
}

void lodge_virtio_kick_all(struct lodge_virtio *virtio)
{
	for (unsigned int i = 0; i < virtio->queue_count; i++)
		eventfd_write(virtio->kick[i], 1);
}

/* Interrupt status is read to clear, which lowers the wire. */
static void virtio_isr_access(struct lodge_virtio *virtio, struct lodge_access *access)
{
	if (access->write)
		return;
	lodge_access_answer(access, access->offset ? 0 : virtio->isr);
	if (access->offset)
		return;
	virtio->isr = 0;
	lodge_pci_wire(&virtio->pci, false);
}

static void virtio_config_access(struct lodge_virtio *virtio, struct lodge_access *access)
{
	if (access->write)
		return;
	memset(access->data, 0, access->length);
	for (unsigned int i = 0; i < access->length; i++)
		if (access->offset + i < virtio->config_size)
			access->data[i] = virtio->config[access->offset + i];
}

/* A doorbell without its ioeventfd: a width or an address that has none. */
static void virtio_notify_access(struct lodge_virtio *virtio, struct lodge_access *access)
{
	uint64_t queue = access->offset / NOTIFY_MULTIPLIER;

	if (!access->write)
		memset(access->data, 0, access->length);
	else if (queue < virtio->queue_count)
		eventfd_write(virtio->kick[queue], 1);
}

static void virtio_bar(struct lodge_pci_device *device, struct lodge_access *access)
{
	struct lodge_virtio *virtio = virtio_of(device);
	uint64_t region = access->offset & ~(uint64_t)(BAR_REGION - 1);

	pthread_mutex_lock(&virtio->lock);
	access->offset &= BAR_REGION - 1;
	switch (region) {
	case BAR_COMMON:
		lodge_virtio_common_access(virtio, access);
		break;
	case BAR_ISR:
		virtio_isr_access(virtio, access);
		break;
	case BAR_DEVICE:
		virtio_config_access(virtio, access);
		break;
	case BAR_NOTIFY:
		virtio_notify_access(virtio, access);
		break;
	case BAR_MSIX_TABLE:
		lodge_msix_table_access(&virtio->msix, access);
		break;
	case BAR_MSIX_PENDING:
		lodge_msix_pending_access(&virtio->msix, access);
		break;
	default:
		if (!access->write)
			memset(access->data, 0, access->length);
	}
	pthread_mutex_unlock(&virtio->lock);
}

/* Doorbells move with the BAR; the ABI wants the old address to take one off. */
static void virtio_mapped(struct lodge_pci_device *device, uint64_t base)
{
	struct lodge_virtio *virtio = virtio_of(device);

	for (unsigned int i = 0; i < virtio->queue_count; i++) {
		struct kvm_ioeventfd doorbell = {
			.addr = (base ? base : device->base) + BAR_NOTIFY + NOTIFY_MULTIPLIER * i,
			.len = 0,	/* any length, any value */
			.fd = virtio->kick[i],
			.flags = base ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN,
		};

		/* Without it the doorbell still works, by an exit to the tool. */
		if (ioctl(virtio->vm->fd, KVM_IOEVENTFD, &doorbell))
			lodge_warn("%s has no fast doorbell: %s", virtio->name, strerror(errno));
	}
}

/* The window of VIRTIO_PCI_CAP_PCI_CFG, if the access begins in its data. */
static bool virtio_window(struct lodge_virtio *virtio, unsigned int offset,
			  struct lodge_access *access)
{
	struct lodge_pci_device *device = &virtio->pci;
	unsigned int capability = device->last_capability;	/* added last */
	uint32_t length = lodge_pci_config_get(device, capability + VIRTIO_PCI_CAP_LENGTH, 4);

	if (offset != capability + sizeof(struct virtio_pci_cap))
		return false;
	access->offset = lodge_pci_config_get(device, capability + VIRTIO_PCI_CAP_OFFSET, 4);
	access->length = length;
	access->data = device->config + offset;
	return device->config[capability + VIRTIO_PCI_CAP_BAR] == 0 &&
	       (length == 1 || length == 2 || length == 4) &&
	       access->offset % length == 0 && access->offset + length <= BAR_SIZE;
}

static void virtio_config_read(struct lodge_pci_device *device, unsigned int offset)
{
	struct lodge_access access = { .write = false };

	if (virtio_window(virtio_of(device), offset, &access))
		virtio_bar(device, &access);
}

static void virtio_config_written(struct lodge_pci_device *device, unsigned int offset)
{
	struct lodge_virtio *virtio = virtio_of(device);
	struct lodge_access access = { .write = true };

	pthread_mutex_lock(&virtio->lock);
	lodge_msix_config_written(&virtio->msix);
	virtio->wire_disabled = lodge_pci_config_get(device, PCI_COMMAND, 2) &
				PCI_COMMAND_INTX_DISABLE;
	lodge_pci_wire(device, virtio->isr && !virtio->wire_disabled && !virtio->msix.enabled);
	pthread_mutex_unlock(&virtio->lock);
	if (virtio_window(virtio, offset, &access))
		virtio_bar(device, &access);
}

static const struct lodge_pci_ops virtio_pci_ops = {
	.bar = virtio_bar,
	.mapped = virtio_mapped,
	.config_read = virtio_config_read,
	.config_written = virtio_config_written,
};

static void virtio_capability_add(struct lodge_virtio *virtio, uint8_t type, uint32_t offset,
				  uint32_t length)
{
	struct virtio_pci_notify_cap capability = {
		.cap = {
			.cap_len = sizeof(capability.cap),
			.cfg_type = type,
			.offset = offset,
			.length = length,
		},
		.notify_off_multiplier = NOTIFY_MULTIPLIER,
	};
	unsigned int size = sizeof(capability.cap);
	unsigned int at;

	/* The doorbells' multiplier, or the window's data: four bytes more. */
	if (type == VIRTIO_PCI_CAP_NOTIFY_CFG || type == VIRTIO_PCI_CAP_PCI_CFG)
		size = sizeof(capability);
	capability.cap.cap_len = (uint8_t)size;
	if (type == VIRTIO_PCI_CAP_PCI_CFG)
		capability.notify_off_multiplier = 0;
	at = lodge_pci_add_capability(&virtio->pci, PCI_CAP_ID_VNDR, (uint8_t *)&capability + 2,
				      size - 2);
	if (type == VIRTIO_PCI_CAP_PCI_CFG) {
		virtio->pci.writable[at + VIRTIO_PCI_CAP_BAR] = 0xff;
		memset(virtio->pci.writable + at + VIRTIO_PCI_CAP_OFFSET, 0xff, 12);
	}
}

void lodge_virtio_add(struct lodge_virtio *virtio, struct lodge_pci *bus, uint16_t type,
		      uint32_t class)
{
	const struct lodge_pci_id id = {
		.vendor = VIRTIO_VENDOR,
		.device = (uint16_t)VIRTIO_DEVICE(type),
		.class = class,
		.revision = VIRTIO_REVISION,
		.subsystem = type,
	};

	pthread_mutex_init(&virtio->lock, NULL);
	virtio->offered |= 1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_RING_F_INDIRECT_DESC;
	for (unsigned int i = 0; i < virtio->queue_count; i++) {
		virtio->queues[i].memory = &virtio->vm->memory;
		virtio->kick[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (virtio->kick[i] < 0)
			lodge_fail(STATUS_FAILED, "the host gives no eventfd: %s",
				   strerror(errno));
	}
	lodge_pci_add(bus, &virtio->pci, &id, &virtio_pci_ops, BAR_SIZE);
	lodge_msix_create(&virtio->msix, &virtio->pci, virtio->queue_count + 1, BAR_MSIX_TABLE,
			  BAR_MSIX_PENDING);
	virtio_capability_add(virtio, VIRTIO_PCI_CAP_COMMON_CFG, BAR_COMMON, BAR_REGION);
	virtio_capability_add(virtio, VIRTIO_PCI_CAP_ISR_CFG, BAR_ISR, BAR_REGION);
	virtio_capability_add(virtio, VIRTIO_PCI_CAP_DEVICE_CFG, BAR_DEVICE, BAR_REGION);
	virtio_capability_add(virtio, VIRTIO_PCI_CAP_NOTIFY_CFG, BAR_NOTIFY, BAR_REGION);
	virtio_capability_add(virtio, VIRTIO_PCI_CAP_PCI_CFG, 0, 0);
	lodge_virtio_reset(virtio);
}
