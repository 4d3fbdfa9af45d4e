// SPDX-License-Identifier: GPL-2.0-only
/*
 * String instructions on MMIO: MOVS in both directions, STOS, LODS, SCAS and
 * CMPS, with and without REP, both directions, from RAM across a page boundary
 * into the device, and their registers and flags afterwards.
 */
#include "device.h"
#include "modes.h"

#define DEV	DEVICE_BASE
#define RAM	0x200000ul

static void guest_movs_to_device(void)
{
	u64 s = RAM, d = DEV + 0x10, n = 5;

	asm volatile("rep movsl" : "+S" (s), "+D" (d), "+c" (n) :: "memory");
	GUEST_CHECK_EQ(s, RAM + 20);
	GUEST_CHECK_EQ(d, DEV + 0x10 + 20);
	GUEST_CHECK_EQ(n, 0);
	s = RAM + 0x40;
	d = DEV + 0x80;
	asm volatile("movsq" : "+S" (s), "+D" (d) :: "memory");
	GUEST_CHECK_EQ(s, RAM + 0x48);
	guest_done();
}

static struct vm *vm_with_device(struct vcpu **vcpu, struct device **dev,
				 void (*fn)(void))
{
	struct vm *vm = vm_create();
	u8 *ram = vm_hva(vm, RAM);
	unsigned int i;

	*dev = pages_map(sizeof(**dev));
	*vcpu = vcpu_add(vm, 0);
	vcpu_entry(*vcpu, fn);
	for (i = 0; i < 2 * PAGE_SIZE; i++)
		ram[i] = (u8)(i * 13 + 5);
	for (i = 0; i < DEVICE_SIZE; i++)
		(*dev)->data[i] = (u8)(i * 17 + 3);
	return vm;
}

static void movs_to_device(void)
{
	struct device *dev;
	struct vcpu *vcpu;
	struct vm *vm = vm_with_device(&vcpu, &dev, guest_movs_to_device);

	DEVICE_DONE(vcpu, dev);
	DEVICE_EXPECT(dev, DEV_W(0x10, 4), DEV_W(0x14, 4), DEV_W(0x18, 4),
		      DEV_W(0x1c, 4), DEV_W(0x20, 4), DEV_W(0x80, 8));
	CHECK_MEM(dev->data + 0x10, vm_hva(vm, RAM), 20);
	CHECK_MEM(dev->data + 0x80, vm_hva(vm, RAM + 0x40), 8);
	vm_free(vm);
}

static void guest_movs_from_device(void)
{
	u64 s = DEV + 0x100, d = RAM, n = 3;

	asm volatile("rep movsw" : "+S" (s), "+D" (d), "+c" (n) :: "memory");
	GUEST_CHECK_EQ(s, DEV + 0x106);
	GUEST_CHECK_EQ(d, RAM + 6);
	/* Backwards. */
	s = DEV + 0x203;
	d = RAM + 0x103;
	n = 4;
	asm volatile("std\n rep movsb\n cld" : "+S" (s), "+D" (d), "+c" (n) :: "memory");
	GUEST_CHECK_EQ(s, DEV + 0x1ff);
	GUEST_CHECK_EQ(d, RAM + 0xff);
	guest_done();
}

static void movs_from_device(void)
{
	struct device *dev;
	struct vcpu *vcpu;
	struct vm *vm = vm_with_device(&vcpu, &dev, guest_movs_from_device);

	DEVICE_DONE(vcpu, dev);
	DEVICE_EXPECT(dev, DEV_R(0x100, 2), DEV_R(0x102, 2), DEV_R(0x104, 2),
		      DEV_R(0x203, 1), DEV_R(0x202, 1), DEV_R(0x201, 1), DEV_R(0x200, 1));
	CHECK_MEM(dev->data + 0x100, vm_hva(vm, RAM), 6);
	CHECK_MEM(dev->data + 0x200, vm_hva(vm, RAM + 0x100), 4);
	vm_free(vm);
}

static void guest_movs_in_device(void)
{
	u64 s = DEV + 0x100, d = DEV + 0x400, n = 2;

	asm volatile("rep movsl" : "+S" (s), "+D" (d), "+c" (n) :: "memory");
	guest_done();
}

static void movs_device_to_device(void)
{
	struct device *dev;
	struct vcpu *vcpu;
	struct vm *vm = vm_with_device(&vcpu, &dev, guest_movs_in_device);

	DEVICE_DONE(vcpu, dev);
	DEVICE_EXPECT(dev, DEV_R(0x100, 4), DEV_W(0x400, 4),
		      DEV_R(0x104, 4), DEV_W(0x404, 4));
	CHECK_MEM(dev->data + 0x100, dev->data + 0x400, 8);
	vm_free(vm);
}

static void guest_stos_lods(void)
{
	u64 d = DEV + 0x20, s = DEV + 0x100, n = 3, a;

	asm volatile("rep stosw" : "+D" (d), "+c" (n) : "a" (0x1234) : "memory");
	GUEST_CHECK_EQ(d, DEV + 0x26);
	GUEST_CHECK_EQ(n, 0);
	a = ~0ull;
	asm volatile("lodsl" : "+S" (s), "+a" (a) :: "memory");
	GUEST_CHECK_EQ(s, DEV + 0x104);
	guest_sync(a);
	a = ~0ull;
	asm volatile("lodsb" : "+S" (s), "+a" (a) :: "memory");
	guest_sync(a);
	guest_done();
}

static void stos_and_lods(void)
{
	struct device *dev;
	struct vcpu *vcpu;
	struct vm *vm = vm_with_device(&vcpu, &dev, guest_stos_lods);
	u32 val;

	memcpy(&val, dev->data + 0x100, 4);
	DEVICE_SYNC(vcpu, dev, val);
	DEVICE_SYNC(vcpu, dev, 0xffffffffffffff00 | dev->data[0x104]);
	DEVICE_DONE(vcpu, dev);
	DEVICE_EXPECT(dev, DEV_W(0x20, 2), DEV_W(0x22, 2), DEV_W(0x24, 2),
		      DEV_R(0x100, 4), DEV_R(0x104, 1));
	CHECK_MEM(dev->data + 0x20, "\x34\x12\x34\x12\x34\x12", 6);
	vm_free(vm);
}

static void guest_compares(void)
{
	u64 s, d, n;
	u8 equal;

	/* The fourth byte of the device area is different. */
	s = RAM;
	d = DEV;
	n = 8;
	asm volatile("repe cmpsb\n sete %3" : "+S" (s), "+D" (d), "+c" (n), "=q" (equal)
		     :: "memory", "cc");
	GUEST_CHECK_EQ(equal, 0);
	GUEST_CHECK_EQ(n, 4);
	GUEST_CHECK_EQ(s, RAM + 4);
	GUEST_CHECK_EQ(d, DEV + 4);
	d = DEV + 0x40;
	n = 16;
	asm volatile("repne scasb\n sete %2" : "+D" (d), "+c" (n), "=q" (equal)
		     : "a" (0x77) : "memory", "cc");
	GUEST_CHECK_EQ(equal, 1);
	GUEST_CHECK_EQ(n, 10);
	GUEST_CHECK_EQ(d, DEV + 0x46);
	guest_done();
}

static void cmps_and_scas(void)
{
	struct device *dev;
	struct vcpu *vcpu;
	struct vm *vm = vm_with_device(&vcpu, &dev, guest_compares);

	memcpy(dev->data, vm_hva(vm, RAM), 8);
	dev->data[3] ^= 1;
	memset(dev->data + 0x40, 0, 16);
	dev->data[0x45] = 0x77;
	DEVICE_DONE(vcpu, dev);
	DEVICE_EXPECT(dev, DEV_R(0, 1), DEV_R(1, 1), DEV_R(2, 1), DEV_R(3, 1),
		      DEV_R(0x40, 1), DEV_R(0x41, 1), DEV_R(0x42, 1),
		      DEV_R(0x43, 1), DEV_R(0x44, 1), DEV_R(0x45, 1));
	vm_free(vm);
}

/* Virtual pages: RAM at EDGE - one page, the device from EDGE on. */
#define EDGE	0x301000ul

static void guest_across(void)
{
	u64 d = EDGE - 8, n = 4, s = RAM, a = 0x1122334455667788;

	asm volatile("rep stosq" : "+D" (d), "+c" (n) : "a" (a) : "memory");
	GUEST_CHECK_EQ(d, EDGE + 24);
	d = EDGE - 2;
	n = 4;
	asm volatile("rep movsb" : "+S" (s), "+D" (d), "+c" (n) :: "memory");
	GUEST_CHECK_EQ(d, EDGE + 2);
	guest_done();
}

static void from_memory_into_device(void)
{
	struct device *dev;
	struct vcpu *vcpu;
	struct vm *vm = vm_with_device(&vcpu, &dev, guest_across);
	const u64 a = 0x1122334455667788;

	long_map(vm, EDGE - PAGE_SIZE, RAM + PAGE_SIZE, PTE_P | PTE_W);
	long_map(vm, EDGE, DEV, PTE_P | PTE_W);
	DEVICE_DONE(vcpu, dev);
	DEVICE_EXPECT(dev, DEV_W(0, 8), DEV_W(8, 8), DEV_W(16, 8),
		      DEV_W(0, 1), DEV_W(1, 1));
	CHECK_MEM(vm_hva(vm, RAM + 2 * PAGE_SIZE - 8), &a, 6);
	CHECK_MEM(vm_hva(vm, RAM + 2 * PAGE_SIZE - 2), vm_hva(vm, RAM), 2);
	CHECK_MEM(dev->data, (u8 *)vm_hva(vm, RAM) + 2, 2);
	vm_free(vm);
}

GUEST_CODE(string32, 32,
	"mov $0xd0000020, %edi\n"
	"mov $0x200000, %esi\n"
	"mov $3, %ecx\n"
	"rep movsl\n"
	"mov $0xd0000100, %esi\n"
	"mov $0x200100, %edi\n"
	"mov $2, %ecx\n"
	"rep movsl\n"
	"hlt\n");

static void protected_mode(void)
{
	static const enum guest_mode modes[] = { MODE_PROT32, MODE_PAGED32 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		struct device *dev;
		struct vcpu *vcpu;
		struct vm *vm = vm_with_device(&vcpu, &dev, guest_compares);
		unsigned int n = 0;

		code_load(vm, REAL_CODE, string32);
		vcpu_mode(vcpu, modes[i], REAL_CODE);
		while (!run_try(vcpu) && vcpu->run->exit_reason == KVM_EXIT_MMIO) {
			struct kvm_run *run = vcpu->run;
			u8 *p = dev->data + (run->mmio.phys_addr - DEV);

			CHECK_EQ(run->mmio.len, 4);
			if (run->mmio.is_write)
				memcpy(p, run->mmio.data, 4);
			else
				memcpy(run->mmio.data, p, 4);
			n++;
		}
		CHECK_EQ(vcpu->run->exit_reason, KVM_EXIT_HLT);
		CHECK_EQ(n, 5);
		CHECK_MEM(dev->data + 0x20, vm_hva(vm, RAM), 12);
		CHECK_MEM(dev->data + 0x100, vm_hva(vm, RAM + 0x100), 8);
		vm_free(vm);
	}
}

static const struct test tests[] = {
	TEST(movs_to_device),
	TEST(movs_from_device),
	TEST(movs_device_to_device),
	TEST(stos_and_lods),
	TEST(cmps_and_scas),
	TEST(from_memory_into_device),
	TEST(protected_mode),
};

KTAP_MAIN(tests)
