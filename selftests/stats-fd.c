// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_GET_STATS_FD on a VM and a vCPU: header, ID, descriptors and values lie where the header says, whatever is read
 * in one piece; exits and TLB flushes are counted; the file outlives the descriptors of what it is about.
 */
#include <ctype.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "modes.h"

#define IMAGE_MAX	65536
#define GPA		0x40000000ul

struct stats {
	struct kvm_stats_header header;
	u8 image[IMAGE_MAX];
	ssize_t len;
};

static int stats_open(int fd)
{
	return CHECK_OK(xioctl(fd, KVM_GET_STATS_FD, 0));
}

static void stats_read(int fd, struct stats *stats)
{
	CHECK_EQ(pread(fd, &stats->header, sizeof(stats->header), 0), sizeof(stats->header));
	stats->len = pread(fd, stats->image, IMAGE_MAX, 0);
	CHECK_GE(stats->len, sizeof(stats->header));
	CHECK_MEM(stats->image, &stats->header, sizeof(stats->header));
}

static const struct kvm_stats_desc *stats_desc(const struct stats *stats, u32 i)
{
	return (const void *)(stats->image + stats->header.desc_offset +
			      i * (sizeof(struct kvm_stats_desc) + stats->header.name_size));
}

static void stats_check(const struct stats *stats)
{
	const struct kvm_stats_header *h = &stats->header;
	u32 i, j, data = 0;

	CHECK_EQ(h->flags, 0);
	CHECK_GE(h->name_size, 1);
	CHECK_GE(h->num_desc, 1);
	CHECK_GE(h->id_offset, sizeof(*h));
	CHECK_GE(h->desc_offset, sizeof(*h));
	CHECK_GE(h->data_offset, h->desc_offset + h->num_desc * (sizeof(struct kvm_stats_desc) + h->name_size));
	CHECK_NE(memchr(stats->image + h->id_offset, 0, h->name_size), NULL);
	CHECK_EQ(memcmp(stats->image + h->id_offset, "kvm-", 4), 0);	/* what programs written for KVM look for */
	for (i = 0; i < h->num_desc; i++) {
		const struct kvm_stats_desc *desc = stats_desc(stats, i);
		const char *name = (const char *)(desc + 1);

		CHECK_LE(desc->flags & KVM_STATS_TYPE_MASK, KVM_STATS_TYPE_MAX);
		CHECK_LE(desc->flags & KVM_STATS_UNIT_MASK, KVM_STATS_UNIT_MAX);
		CHECK_LE(desc->flags & KVM_STATS_BASE_MASK, KVM_STATS_BASE_MAX);
		CHECK_GE(desc->size, 1);
		CHECK_NE(memchr(name, 0, h->name_size), NULL);
		CHECK_GE(strlen(name), 1);
		for (j = 0; name[j]; j++)
			CHECK(isalnum(name[j]) || name[j] == '_');
		if (desc->offset + desc->size * 8 > data)
			data = desc->offset + desc->size * 8;
	}
	CHECK_EQ(stats->len, h->data_offset + data);
}

static void form(void)
{
	static struct stats stats;
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	int fd;

	REQUIRE_CAP(vm->fd, KVM_CAP_BINARY_STATS_FD);
	fd = stats_open(vm->fd);
	stats_read(fd, &stats);
	stats_check(&stats);
	stats_get(vm->fd, "remote_tlb_flush");
	close(fd);
	fd = stats_open(vcpu->fd);
	stats_read(fd, &stats);
	stats_check(&stats);
	/* Behind the end there is nothing. */
	CHECK_EQ(pread(fd, stats.image, 8, stats.len), 0);
	CHECK_EQ(pread(fd, stats.image, 64, stats.len - 8), 8);
	close(fd);
	vm_free(vm);
}

static void guest_exits(void)
{
	for (;;)
		guest_sync(0);
}

static void exits_are_counted(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u64 before;
	int i;

	REQUIRE_CAP(vm->fd, KVM_CAP_BINARY_STATS_FD);
	vcpu_entry(vcpu, guest_exits);
	before = stats_get(vcpu->fd, "exits");
	for (i = 0; i < 20; i++)
		RUN_SYNC(vcpu, 0);
	CHECK_GE(stats_get(vcpu->fd, "exits"), before + 20);
	vm_free(vm);
}

static void guest_writes(void)
{
	for (;;) {
		*(volatile u64 *)GPA = 1;
		guest_sync(0);
	}
}

/* KVM counts as a remote one what it sends an interrupt for. */
static void flushes_are_counted(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	void *mem = pages_map(PAGE_SIZE);
	u64 asked, done;

	REQUIRE_CAP(vm->fd, KVM_CAP_BINARY_STATS_FD);
	slot_set(vm, 1, 0, GPA, PAGE_SIZE, mem);
	vcpu_entry(vcpu, guest_writes);
	RUN_SYNC(vcpu, 0);
	asked = stats_get(vm->fd, "remote_tlb_flush");
	done = stats_get(vcpu->fd, "tlb_flush");
	CHECK_EQ(madvise(mem, PAGE_SIZE, MADV_DONTNEED), 0);
	RUN_SYNC(vcpu, 0);
	if (device_is_lodge())
		CHECK_GE(stats_get(vm->fd, "remote_tlb_flush"), asked + 1);
	CHECK_GE(stats_get(vcpu->fd, "tlb_flush"), done + 1);
	vm_free(vm);
}

/* KVM of 6.1 frees the VM under the file. */
static void outlives_the_vm(void)
{
	static struct stats stats;
	struct vm *vm;
	struct vcpu *vcpu;
	int fd;

	require_lodge();
	vm = vm_create();
	vcpu = vcpu_add(vm, 0);
	fd = stats_open(vcpu->fd);
	vm_free(vm);
	stats_read(fd, &stats);
	stats_check(&stats);
	close(fd);
}

static const struct test tests[] = {
	TEST(form),
	TEST(exits_are_counted),
	TEST(flushes_are_counted),
	TEST(outlives_the_vm),
};

KTAP_MAIN(tests)
