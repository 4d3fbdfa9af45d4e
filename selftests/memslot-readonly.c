// SPDX-License-Identifier: GPL-2.0-only
/*
 * A read-only slot: reads and execution see the memory, a write of any kind
 * becomes an MMIO exit with the data and leaves the memory alone.
 */
#include "modes.h"

#define ROM	0x10000000ul

static u8 *rom_make(struct vm *vm)
{
	u8 *rom = pages_map(PAGE_2M);

	memset(rom, 0x5a, PAGE_2M);
	slot_set(vm, 1, KVM_MEM_READONLY, ROM, PAGE_2M, rom);
	return rom;
}

static void guest_reads(void)
{
	volatile u64 *p = (u64 *)ROM;

	GUEST_CHECK_EQ(p[0], 0x5a5a5a5a5a5a5a5a);
	GUEST_CHECK_EQ(p[PAGE_SIZE / 8], 0x5a5a5a5a5a5a5a5a);
	GUEST_CHECK_EQ(p[PAGE_2M / 8 - 1], 0x5a5a5a5a5a5a5a5a);
	guest_done();
}

static void reads_are_memory(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	rom_make(vm);
	vcpu_entry(vcpu, guest_reads);
	RUN_DONE(vcpu);
	vm_free(vm);
}

static void guest_writes(void)
{
	volatile u8 *p = (u8 *)ROM + 0x1230;

	GUEST_CHECK_EQ(*p, 0x5a);
	*(volatile u32 *)p = 0x11223344;
	GUEST_CHECK_EQ(*(volatile u32 *)p, 0x5a5a5a5a);
	*(volatile u64 *)(p + 8) = 0x1122334455667788;
	/* Never read before. */
	*(p + 0x10000) = 0x77;
	guest_done();
}

static void expect_write(struct vcpu *vcpu, u64 gpa, u32 len, u64 val)
{
	u64 data = 0;

	RUN_EXPECT(vcpu, KVM_EXIT_MMIO);
	CHECK_EQ(vcpu->run->mmio.is_write, 1);
	CHECK_EQ(vcpu->run->mmio.phys_addr, gpa);
	CHECK_EQ(vcpu->run->mmio.len, len);
	memcpy(&data, vcpu->run->mmio.data, len);
	CHECK_EQ(data, val);
}

static void writes_exit(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u8 *rom = rom_make(vm);
	size_t i;

	vcpu_entry(vcpu, guest_writes);
	expect_write(vcpu, ROM + 0x1230, 4, 0x11223344);
	expect_write(vcpu, ROM + 0x1238, 8, 0x1122334455667788);
	expect_write(vcpu, ROM + 0x11230, 1, 0x77);
	RUN_DONE(vcpu);
	for (i = 0; i < PAGE_2M; i++)
		if (rom[i] != 0x5a)
			FAIL("byte 0x%zx of the slot became 0x%x", i, rom[i]);
	vm_free(vm);
}

GUEST_CODE(rom_code, 64,
	"mov $0x42, %eax\n"
	"ret");

static void guest_calls(void)
{
	u64 (*fn)(void) = (u64 (*)(void))ROM;

	GUEST_CHECK_EQ(fn(), 0x42);
	guest_done();
}

static void code_executes(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u8 *rom = rom_make(vm);

	memcpy(rom, rom_code_start, (size_t)(rom_code_end - rom_code_start));
	vcpu_entry(vcpu, guest_calls);
	RUN_DONE(vcpu);
	vm_free(vm);
}

/* The host's own write is seen at once, as with any slot. */
static void guest_reads_twice(void)
{
	volatile u8 *p = (u8 *)ROM;

	guest_sync(*p);
	guest_sync(*p);
	guest_done();
}

static void host_writes_are_seen(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u8 *rom = rom_make(vm);

	vcpu_entry(vcpu, guest_reads_twice);
	RUN_SYNC(vcpu, 0x5a);
	rom[0] = 0x33;
	RUN_SYNC(vcpu, 0x33);
	vm_free(vm);
}

/* Made writable by deleting and adding again. */
static void guest_write_then_read(void)
{
	volatile u8 *p = (u8 *)ROM;

	*p = 1;
	guest_sync(*p);
	*p = 2;
	guest_sync(*p);
	guest_done();
}

static void turned_writable(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u8 *rom = rom_make(vm);

	vcpu_entry(vcpu, guest_write_then_read);
	expect_write(vcpu, ROM, 1, 1);
	RUN_SYNC(vcpu, 0x5a);
	slot_set(vm, 1, 0, 0, 0, NULL);
	slot_set(vm, 1, 0, ROM, PAGE_2M, rom);
	RUN_SYNC(vcpu, 2);
	CHECK_EQ(rom[0], 2);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(reads_are_memory),
	TEST(writes_exit),
	TEST(code_executes),
	TEST(host_writes_are_seen),
	TEST(turned_writable),
};

KTAP_MAIN(tests)
