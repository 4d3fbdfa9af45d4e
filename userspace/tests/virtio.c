// SPDX-License-Identifier: GPL-2.0-only
/*
 * A disk on the PCI bus under a driver of the test's own: it finds the device
 * by its capabilities, reads and writes, breaks the rules, resets in mid-flight,
 * and at last writes random registers, all under sanitizers. The module is
 * replaced by stand-ins that count interrupts.
 */
#include "virtio.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "blk.h"
#include "layout.h"
#include "tests/ktap.h"
#include "vm.h"

#define MEMORY		(1u << 20)
#define RING		0x10000u
#define HEADER		0x20000u
#define STATUS		0x20100u
#define DATA		0x30000u
#define DISK_SIZE	(256u << 10)
#define DEVICE		1	/* its slot on the bus */

static struct lodge_vm vm;
static struct lodge_pci pci;
static struct lodge_disk disk = { .path = "memfd" };
static struct lodge_blk *blk;
static int wire_level;
static int message_event = -1;
static atomic_bool vm_ended;

/* Stand-ins for irq.c, vm.c and tool.c. */

void lodge_warn(const char *format, ...)
{
	(void)format;	/* one for each rule that is broken here on purpose */
}

void lodge_fail(enum lodge_status status, const char *format, ...)
{
	printf("# the device gave up with status %d: %s\n", status, format);
	exit(1);
}

void lodge_irq_wire(struct lodge_irq *irq, uint32_t gsi, unsigned int device, bool level)
{
	(void)irq;
	(void)gsi;
	(void)device;
	__atomic_store_n(&wire_level, level, __ATOMIC_SEQ_CST);
}

int lodge_irq_message_create(struct lodge_irq *irq, unsigned int *message)
{
	(void)irq;
	*message = 0;
	if (message_event < 0)
		message_event = eventfd(0, EFD_NONBLOCK);
	return message_event;
}

int lodge_irq_message_set(struct lodge_irq *irq, unsigned int message, uint64_t address,
			  uint32_t data)
{
	(void)irq;
	(void)message;
	(void)data;
	return address >> 32 == 0xdead ? -EINVAL : 0;
}

bool lodge_vm_end(struct lodge_vm *ended, enum lodge_status status, const char *format, ...)
{
	(void)ended;
	(void)status;
	(void)format;
	vm_ended = true;
	return true;
}

/* Accesses as vCPUs make them. */

static uint64_t mmio(uint64_t gpa, unsigned int length, bool write, uint64_t value)
{
	uint64_t data = value;
	struct lodge_access access = { .data = (uint8_t *)&data, .length = length, .write = write };

	if (!write)
		data = 0;
	lodge_bus_access(&vm.mmio, gpa, &access);
	return data;
}

static uint64_t config(unsigned int offset, unsigned int length)
{
	return mmio(LAYOUT_ECAM + (DEVICE << 15) + offset, length, false, 0);
}

static void config_write(unsigned int offset, unsigned int length, uint64_t value)
{
	mmio(LAYOUT_ECAM + (DEVICE << 15) + offset, length, true, value);
}

static uint64_t bar(void)
{
	return config(PCI_BASE_ADDRESS_0, 4) & ~15ull;
}

/* Return: offset in the BAR of a virtio structure, found as drivers do. */
static uint64_t structure(unsigned int type)
{
	unsigned int at = (unsigned int)config(PCI_CAPABILITY_LIST, 1);

	for (; at; at = (unsigned int)config(at + PCI_CAP_LIST_NEXT, 1))
		if (config(at, 1) == PCI_CAP_ID_VNDR && config(at + VIRTIO_PCI_CAP_CFG_TYPE, 1) == type)
			return config(at + VIRTIO_PCI_CAP_OFFSET, 4);
	return ~0ull;
}

static uint64_t common(unsigned int offset, unsigned int length)
{
	return mmio(bar() + structure(VIRTIO_PCI_CAP_COMMON_CFG) + offset, length, false, 0);
}

static void common_write(unsigned int offset, unsigned int length, uint64_t value)
{
	mmio(bar() + structure(VIRTIO_PCI_CAP_COMMON_CFG) + offset, length, true, value);
}

static void status_add(unsigned int bit)
{
	common_write(VIRTIO_PCI_COMMON_STATUS, 1, common(VIRTIO_PCI_COMMON_STATUS, 1) | bit);
}

static void driver_start(uint64_t desc, uint64_t features)
{
	common_write(VIRTIO_PCI_COMMON_STATUS, 1, 0);
	memset(vm.memory.base + RING, 0, 0x4000);
	status_add(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	for (unsigned int half = 0; half < 2; half++) {
		common_write(VIRTIO_PCI_COMMON_GFSELECT, 4, half);
		common_write(VIRTIO_PCI_COMMON_GF, 4, features >> 32 * half);
	}
	status_add(VIRTIO_CONFIG_S_FEATURES_OK);
	common_write(VIRTIO_PCI_COMMON_Q_SELECT, 2, 0);
	common_write(VIRTIO_PCI_COMMON_Q_SIZE, 2, 16);
	common_write(VIRTIO_PCI_COMMON_Q_DESCLO, 8, desc);
	common_write(VIRTIO_PCI_COMMON_Q_AVAILLO, 4, RING + 0x1000);
	common_write(VIRTIO_PCI_COMMON_Q_AVAILHI, 4, 0);
	common_write(VIRTIO_PCI_COMMON_Q_USEDLO, 8, RING + 0x2000);
	common_write(VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
	status_add(VIRTIO_CONFIG_S_DRIVER_OK);
}

static struct vring_used *used_ring(void)
{
	return (struct vring_used *)(vm.memory.base + RING + 0x2000);
}

static void offer(uint16_t head)
{
	struct vring_avail *avail = (struct vring_avail *)(vm.memory.base + RING + 0x1000);

	avail->ring[avail->idx % 16] = head;
	__atomic_store_n(&avail->idx, (uint16_t)(avail->idx + 1), __ATOMIC_RELEASE);
	mmio(bar() + structure(VIRTIO_PCI_CAP_NOTIFY_CFG), 2, true, 0);
}

static void desc_set(unsigned int index, uint64_t gpa, uint32_t length, uint16_t flags)
{
	((struct vring_desc *)(vm.memory.base + RING))[index] = (struct vring_desc) {
		.addr = gpa, .len = length, .flags = flags, .next = (uint16_t)(index + 1),
	};
}

/* Header, data, status: one request in three descriptors. */
static void request(uint32_t type, uint64_t sector, uint32_t length)
{
	struct virtio_blk_outhdr *header = (struct virtio_blk_outhdr *)(vm.memory.base + HEADER);
	uint16_t data = type == VIRTIO_BLK_T_OUT ? 0 : VRING_DESC_F_WRITE;

	*header = (struct virtio_blk_outhdr) { .type = type, .sector = sector };
	vm.memory.base[STATUS] = 0xff;
	desc_set(0, HEADER, sizeof(*header), VRING_DESC_F_NEXT);
	desc_set(1, length ? DATA : STATUS, length ? length : 1,
		 length ? data | VRING_DESC_F_NEXT : VRING_DESC_F_WRITE);
	desc_set(2, STATUS, 1, VRING_DESC_F_WRITE);
	offer(0);
}

static bool soon(bool (*condition)(void))
{
	for (unsigned int i = 0; i < 2000; i++) {
		if (condition())
			return true;
		usleep(1000);
	}
	return false;
}

static uint16_t used_seen;

static bool is_used(void)
{
	return __atomic_load_n(&used_ring()->idx, __ATOMIC_ACQUIRE) != used_seen;
}

/* Return: the request's status byte, or 0xee when it never came back. */
static uint8_t transfer(uint32_t type, uint64_t sector, uint32_t length)
{
	used_seen = used_ring()->idx;
	request(type, sector, length);
	return soon(is_used) ? vm.memory.base[STATUS] : 0xee;
}

static bool is_broken(void)
{
	return common(VIRTIO_PCI_COMMON_STATUS, 1) & VIRTIO_CONFIG_S_NEEDS_RESET;
}

#define FEATURES (1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_BLK_F_FLUSH)

static void test_transfer(void)
{
	char *data = (char *)vm.memory.base + DATA;
	char buffer[512];

	driver_start(RING, FEATURES);
	ktap_case(common(VIRTIO_PCI_COMMON_STATUS, 1) == 15, "the driver's handshake");
	strcpy(data, "written by the guest");
	ktap_case(transfer(VIRTIO_BLK_T_OUT, 7, 512) == VIRTIO_BLK_S_OK &&
		  pread(disk.fd, buffer, 512, 7 * 512) == 512 && !memcmp(buffer, data, 512),
		  "a write reaches the image");
	memset(data, 0, 4096);
	ktap_case(transfer(VIRTIO_BLK_T_IN, 0, 4096) == VIRTIO_BLK_S_OK &&
		  !strcmp(data + 7 * 512, "written by the guest") &&
		  used_ring()->ring[1].len == 4097, "a read comes back");
	ktap_case(__atomic_load_n(&wire_level, __ATOMIC_SEQ_CST) == 1, "the wire is up");
	ktap_case((mmio(bar() + structure(VIRTIO_PCI_CAP_ISR_CFG), 1, false, 0) & 1) &&
		  !__atomic_load_n(&wire_level, __ATOMIC_SEQ_CST), "reading the cause lowers it");
	ktap_case(transfer(VIRTIO_BLK_T_FLUSH, 0, 0) == VIRTIO_BLK_S_OK, "flush");
	ktap_case(transfer(VIRTIO_BLK_T_GET_ID, 0, 20) == VIRTIO_BLK_S_OK &&
		  !strcmp(data, "lodge-disk-3"), "serial number");
	ktap_case(transfer(1234, 0, 512) == VIRTIO_BLK_S_UNSUPP, "a request of unknown type");
}

static void test_refusals(void)
{
	static const struct { uint64_t sector; uint32_t length; const char *name; } cases[] = {
		{ DISK_SIZE / 512, 512, "a read that begins at the end" },
		{ DISK_SIZE / 512 - 1, 1024, "a read that ends after the end" },
		{ ~0ull, 512, "a read of the last sector there can be" },
		{ 1ull << 55, 512, "a read whose byte offset does not fit" },
		{ 0, 511, "a read of part of a sector" },
	};

	driver_start(RING, FEATURES);
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ktap_case(transfer(VIRTIO_BLK_T_IN, cases[i].sector, cases[i].length) ==
			  VIRTIO_BLK_S_IOERR, cases[i].name);
	ktap_case(ftruncate(disk.fd, 512) == 0 &&
		  transfer(VIRTIO_BLK_T_IN, 8, 512) == VIRTIO_BLK_S_IOERR &&
		  ftruncate(disk.fd, DISK_SIZE) == 0, "a read from an image that shrank");
	ktap_case(!is_broken(), "none of them stops the device");

	driver_start(RING, 0);
	ktap_case(!(common(VIRTIO_PCI_COMMON_STATUS, 1) & VIRTIO_CONFIG_S_FEATURES_OK),
		  "a driver without virtio 1 is refused");
	driver_start(RING, FEATURES | 1ull << VIRTIO_BLK_F_DISCARD);
	ktap_case(!(common(VIRTIO_PCI_COMMON_STATUS, 1) & VIRTIO_CONFIG_S_FEATURES_OK),
		  "a feature that was not offered is refused");
}

static void test_hostile(void)
{
	driver_start(MEMORY, FEATURES);
	ktap_case(is_broken(), "a ring outside memory stops the device");
	driver_start(RING, FEATURES);
	ktap_case(!is_broken() && transfer(VIRTIO_BLK_T_IN, 0, 512) == VIRTIO_BLK_S_OK,
		  "a reset brings it back");
	desc_set(0, HEADER, 8, 0);
	offer(0);
	ktap_case(soon(is_broken), "a request without room for a header stops it");
	driver_start(RING, FEATURES);
	request(VIRTIO_BLK_T_IN, 0, MEMORY);
	ktap_case(soon(is_broken), "a buffer outside memory stops it");

	for (unsigned int i = 0; i < 200; i++) {
		driver_start(RING, FEATURES);
		for (unsigned int j = 0; j < 20; j++)
			request(j & 1 ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_FLUSH, j, j & 1 ? 4096 : 0);
		common_write(VIRTIO_PCI_COMMON_STATUS, 1, 0);
		memset(vm.memory.base, 0x5a, MEMORY);
		for (unsigned int j = 0; j < MEMORY; j++)
			if (vm.memory.base[j] != 0x5a) {
				ktap_case(false, "nothing is written after a reset in mid-flight");
				return;
			}
	}
	ktap_case(true, "nothing is written after a reset in mid-flight");
}

/* Whatever is written where, the device must neither crash nor hang. */
static void test_random(void)
{
	unsigned int rounds = 100000;

	srandom(2);
	while (rounds--) {
		uint64_t value = random() % 4 ? (uint64_t)random() % 70000 :
				 (uint64_t)random() << 33 ^ (uint64_t)random();
		unsigned int length = 1u << random() % 4;
		unsigned int offset = (unsigned int)random() % 0x8000;

		if (random() % 2)
			offset = (unsigned int)random() % 8 * 0x1000 + (unsigned int)random() % 64;
		if (random() % 64 == 0)
			driver_start(RING + (random() % 8 ? 0 : 4), FEATURES);
		if (random() % 32 == 0)
			mmio(LAYOUT_ECAM + (uint64_t)random() % LAYOUT_ECAM_SIZE, length, random() & 1,
			     value);
		else if (random() % 32 == 0)
			config_write((unsigned int)random() % 256, length > 4 ? 4 : length, value);
		else
			mmio(LAYOUT_PCI_MMIO + DEVICE * 0x8000 + offset, length, random() & 1, value);
		if (random() % 16 == 0)
			request((uint32_t)random() % 10, (uint64_t)random() % 600,
				(uint32_t)random() % 8192);
	}
	config_write(PCI_BASE_ADDRESS_0, 4, LAYOUT_PCI_MMIO + DEVICE * 0x8000);
	config_write(PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	driver_start(RING, FEATURES);
	ktap_case(transfer(VIRTIO_BLK_T_IN, 0, 512) == VIRTIO_BLK_S_OK,
		  "100,000 random accesses, and the disk still works");
}

int main(void)
{
	struct io_uring probe;

	ktap_begin();
	if (io_uring_queue_init(1, &probe, 0)) {
		puts("1..0 # SKIP this host refuses io_uring");
		return 4;
	}
	io_uring_queue_exit(&probe);
	vm.fd = -1;
	vm.memory.base = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			      -1, 0);
	vm.memory.size = vm.memory.low = MEMORY;
	disk.fd = memfd_create("disk", 0);
	disk.size = DISK_SIZE;
	if (vm.memory.base == MAP_FAILED || disk.fd < 0 || ftruncate(disk.fd, DISK_SIZE))
		return 1;
	lodge_pci_create(&pci, &vm);
	blk = lodge_blk_create(&vm, &pci, &disk, 3);
	lodge_blk_start(blk);
	test_transfer();
	test_refusals();
	test_hostile();
	test_random();
	lodge_blk_stop(blk);
	return ktap_end();
}
