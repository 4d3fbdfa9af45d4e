// SPDX-License-Identifier: GPL-2.0-only
/*
 * MMIO accesses that one exit cannot carry: across two device pages, across
 * from RAM into the device and back, and 16 bytes of an SSE move. The data
 * come whole, in exits of at most 8 bytes.
 */
#include "device.h"
#include "modes.h"

#define DEV	DEVICE_BASE
#define RAM	0x200000ul
/* Virtual: RAM, device, device (its page 2), RAM. */
#define WINDOW	0x300000ul

static struct vm *vm_with_device(struct vcpu **vcpu, struct device **dev,
				 void (*fn)(void))
{
	struct vm *vm = vm_create();
	unsigned int i;

	*dev = pages_map(sizeof(**dev));
	for (i = 0; i < DEVICE_SIZE; i++)
		(*dev)->data[i] = (u8)(i * 17 + 3);
	*vcpu = vcpu_add(vm, 0);
	vcpu_entry(*vcpu, fn);
	long_map(vm, WINDOW, RAM, PTE_P | PTE_W);
	long_map(vm, WINDOW + 0x1000, DEV, PTE_P | PTE_W);
	long_map(vm, WINDOW + 0x2000, DEV + 0x2000, PTE_P | PTE_W);
	long_map(vm, WINDOW + 0x3000, RAM + 0x1000, PTE_P | PTE_W);
	return vm;
}

static void guest_writes(void)
{
	*(volatile u64 *)(WINDOW + 0x2000 - 3) = 0x1122334455667788;
	*(volatile u32 *)(WINDOW + 0x2000 - 2) = 0xaabbccdd;
	*(volatile u64 *)(WINDOW + 0x1000 - 5) = 0x0102030405060708;
	*(volatile u64 *)(WINDOW + 0x3000 - 1) = 0x1112131415161718;
	guest_done();
}

static void writes(void)
{
	struct device *dev;
	struct vcpu *vcpu;
	struct vm *vm = vm_with_device(&vcpu, &dev, guest_writes);

	DEVICE_DONE(vcpu, dev);
	DEVICE_EXPECT(dev, DEV_W(0xffd, 3), DEV_W(0x2000, 5),
		      DEV_W(0xffe, 2), DEV_W(0x2000, 2),
		      DEV_W(0, 3), DEV_W(0x2fff, 1));
	CHECK_MEM(dev->data + 0xffd, "\x88\xdd\xcc", 3);
	CHECK_MEM(dev->data + 0x2000, "\xbb\xaa\x33\x22\x11", 5);
	CHECK_MEM(vm_hva(vm, RAM + 0x1000 - 5), "\x08\x07\x06\x05\x04", 5);
	CHECK_MEM(dev->data, "\x03\x02\x01", 3);
	CHECK_EQ(dev->data[0x2fff], 0x18);
	CHECK_MEM(vm_hva(vm, RAM + 0x1000), "\x17\x16\x15\x14\x13\x12\x11", 7);
	vm_free(vm);
}

static void guest_reads(void)
{
	guest_sync(*(volatile u64 *)(WINDOW + 0x2000 - 3));
	guest_sync(*(volatile u64 *)(WINDOW + 0x1000 - 5));
	guest_sync(*(volatile u32 *)(WINDOW + 0x3000 - 2));
	guest_done();
}

static void reads(void)
{
	struct device *dev;
	struct vcpu *vcpu;
	struct vm *vm = vm_with_device(&vcpu, &dev, guest_reads);
	u8 *ram = vm_hva(vm, RAM);
	u64 want = 0;

	memcpy(ram + 0x1000 - 5, "\x51\x52\x53\x54\x55\x61\x62", 7);
	memcpy(&want, dev->data + 0xffd, 3);
	memcpy((u8 *)&want + 3, dev->data + 0x2000, 5);
	DEVICE_SYNC(vcpu, dev, want);
	memcpy(&want, ram + 0x1000 - 5, 5);
	memcpy((u8 *)&want + 5, dev->data, 3);
	DEVICE_SYNC(vcpu, dev, want);
	want = 0;
	memcpy(&want, dev->data + 0x2ffe, 2);
	memcpy((u8 *)&want + 2, ram + 0x1000, 2);
	DEVICE_SYNC(vcpu, dev, want);
	DEVICE_EXPECT(dev, DEV_R(0xffd, 3), DEV_R(0x2000, 5), DEV_R(0, 3), DEV_R(0x2ffe, 2));
	vm_free(vm);
}

static void guest_sse(void)
{
	u64 pattern[2] __attribute__((aligned(16))) = {
		0x0011223344556677, 0x8899aabbccddeeff };
	u64 got[2] __attribute__((aligned(16)));

	asm volatile("movdqa %0, %%xmm3" :: "m" (pattern));
	asm volatile("movups %%xmm3, (%0)" :: "r" (DEV + 0x40) : "memory");
	asm volatile("movaps %%xmm3, (%0)" :: "r" (DEV + 0x60) : "memory");
	asm volatile("movdqu %%xmm3, (%0)" :: "r" (DEV + 0x81) : "memory");
	asm volatile("pxor %%xmm5, %%xmm5\n movdqu (%1), %%xmm5\n movdqa %%xmm5, %0"
		     : "=m" (got) : "r" (DEV + 0x40) : "memory");
	GUEST_CHECK_EQ(got[0], pattern[0]);
	GUEST_CHECK_EQ(got[1], pattern[1]);
	asm volatile("movntdq %%xmm3, (%0)" :: "r" (DEV + 0xa0) : "memory");
	guest_done();
}

static void sse_moves(void)
{
	struct device *dev;
	struct vcpu *vcpu;
	struct vm *vm = vm_with_device(&vcpu, &dev, guest_sse);
	const u64 pattern[2] = { 0x0011223344556677, 0x8899aabbccddeeff };

	DEVICE_DONE(vcpu, dev);
	DEVICE_EXPECT(dev, DEV_W(0x40, 8), DEV_W(0x48, 8), DEV_W(0x60, 8), DEV_W(0x68, 8),
		      DEV_W(0x81, 8), DEV_W(0x89, 8), DEV_R(0x40, 8), DEV_R(0x48, 8),
		      DEV_W(0xa0, 8), DEV_W(0xa8, 8));
	CHECK_MEM(dev->data + 0x40, pattern, 16);
	CHECK_MEM(dev->data + 0x60, pattern, 16);
	CHECK_MEM(dev->data + 0x81, pattern, 16);
	CHECK_MEM(dev->data + 0xa0, pattern, 16);
	vm_free(vm);
}

/* An aligned move to an unaligned address is #GP, MMIO or not. */
static void guest_unaligned(void)
{
	GUEST_TRY("movaps %%xmm0, (%0)", , "r" (DEV + 0x48));
	GUEST_CHECK_EQ(guest_exc()->vector, GP_VECTOR);
	GUEST_CHECK_EQ(guest_exc()->error, 0);
	guest_done();
}

static void unaligned_sse(void)
{
	struct device *dev;
	struct vcpu *vcpu;
	struct vm *vm = vm_with_device(&vcpu, &dev, guest_unaligned);

	DEVICE_DONE(vcpu, dev);
	device_expect(dev, NULL, 0, __FILE__, __LINE__);
	vm_free(vm);
}

/* MMIO that is behind an absent or read-only guest page is a guest fault. */
static void guest_split_faults(void)
{
	GUEST_TRY("movq %1, (%0)", , "r" (WINDOW + 0x2000 - 4) COMMA "r" (5ul));
	GUEST_CHECK_EQ(guest_exc()->vector, PF_VECTOR);
	GUEST_CHECK_EQ(guest_exc()->cr2, WINDOW + 0x2000);
	GUEST_CHECK_EQ(guest_exc()->error, PFERR_W);
	guest_done();
}

static void second_page_faults(void)
{
	struct device *dev;
	struct vcpu *vcpu;
	struct vm *vm = vm_with_device(&vcpu, &dev, guest_split_faults);

	*long_pte(vm, WINDOW + 0x2000) = 0;
	DEVICE_DONE(vcpu, dev);
	device_expect(dev, NULL, 0, __FILE__, __LINE__);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(writes),
	TEST(reads),
	TEST(sse_moves),
	TEST(unaligned_sse),
	TEST(second_page_faults),
};

KTAP_MAIN(tests)
