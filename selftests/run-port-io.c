// SPDX-License-Identifier: GPL-2.0-only
/*
 * Port exits: direction, port, size, count and data of every width in real,
 * protected and long mode, the immediate and the DX form; where RIP stands;
 * and that an IN's data arrive in the register, its upper part as the
 * architecture says (APM 3, IN: a 32-bit write clears the upper half).
 */
#include "modes.h"

#define PORT	0x3f8
#define PORT8	0x42

GUEST_CODE(out16, 16,
	"mov $0x3f8, %dx\n"
	"mov $0x11223344, %eax\n"
	"out %al, %dx\n"
	"out %ax, %dx\n"
	"out %eax, %dx\n"
	"out %al, $0x42\n"
	"out %ax, $0x42\n"
	"out %eax, $0x42\n"
	"1: jmp 1b");

GUEST_CODE(out32, 32,
	"mov $0x3f8, %dx\n"
	"mov $0x11223344, %eax\n"
	"out %al, %dx\n"
	"out %ax, %dx\n"
	"out %eax, %dx\n"
	"out %al, $0x42\n"
	"out %ax, $0x42\n"
	"out %eax, $0x42\n"
	"1: jmp 1b");

GUEST_CODE(out64, 64,
	"mov $0x3f8, %dx\n"
	"mov $0x11223344, %eax\n"
	"out %al, %dx\n"
	"out %ax, %dx\n"
	"out %eax, %dx\n"
	"out %al, $0x42\n"
	"out %ax, $0x42\n"
	"out %eax, $0x42\n"
	"1: jmp 1b");

/* After each IN the whole register is shown to the host through OUT. */
GUEST_CODE(in16, 16,
	"mov $0x3f8, %dx\n"
	"mov $0xa1a2a3a4, %eax\n"
	"in %dx, %al\n"
	"mov %eax, %ebx\n"
	"mov $0xa1a2a3a4, %eax\n"
	"in %dx, %ax\n"
	"mov %eax, %esi\n"
	"mov $0xa1a2a3a4, %eax\n"
	"in %dx, %eax\n"
	"mov %eax, %edi\n"
	"hlt");

GUEST_CODE(in64, 64,
	"mov $0x3f8, %dx\n"
	"mov $0xa1a2a3a4a5a6a7a8, %rax\n"
	"in %dx, %al\n"
	"mov %rax, %rbx\n"
	"mov $0xa1a2a3a4a5a6a7a8, %rax\n"
	"in %dx, %ax\n"
	"mov %rax, %rsi\n"
	"mov $0xa1a2a3a4a5a6a7a8, %rax\n"
	"in %dx, %eax\n"
	"mov %rax, %rdi\n"
	"hlt");

static void *io_data(struct vcpu *vcpu)
{
	return (u8 *)vcpu->run + vcpu->run->io.data_offset;
}

static void check_io(struct vcpu *vcpu, u8 direction, u16 port, u8 size)
{
	struct kvm_run *run = vcpu->run;

	CHECK_EQ(run->io.direction, direction);
	CHECK_EQ(run->io.port, port);
	CHECK_EQ(run->io.size, size);
	CHECK_EQ(run->io.count, 1);
	CHECK_EQ(run->io.data_offset, PAGE_SIZE);
}

static void out_in_mode(enum guest_mode mode, const char *start, size_t len)
{
	static const u8 sizes[] = { 1, 2, 4, 1, 2, 4 };
	static const u32 masks[] = { 0xff, 0xffff, 0xffffffff };
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	unsigned int i;

	memcpy(vm_hva(vm, REAL_CODE), start, len);
	vcpu_mode(vcpu, mode, REAL_CODE);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		u32 data = 0;

		RUN_EXPECT(vcpu, KVM_EXIT_IO);
		check_io(vcpu, KVM_EXIT_IO_OUT, i < 3 ? PORT : PORT8, sizes[i]);
		memcpy(&data, io_data(vcpu), sizes[i]);
		CHECK_EQ(data, 0x11223344 & masks[i % 3]);
		CHECK_EQ(regs_get(vcpu).rax, 0x11223344);
	}
	vm_free(vm);
}

static void out_real(void)
{
	out_in_mode(MODE_REAL16, out16_start, (size_t)(out16_end - out16_start));
}

static void out_protected(void)
{
	out_in_mode(MODE_PROT32, out32_start, (size_t)(out32_end - out32_start));
}

static void out_paged(void)
{
	out_in_mode(MODE_PAGED32, out32_start, (size_t)(out32_end - out32_start));
}

static void out_long(void)
{
	out_in_mode(MODE_LONG64, out64_start, (size_t)(out64_end - out64_start));
}

static struct kvm_regs in_in_mode(enum guest_mode mode, const char *start, size_t len)
{
	static const u8 sizes[] = { 1, 2, 4 };
	static const u32 answer = 0x51525354;
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_regs regs;
	unsigned int i;

	memcpy(vm_hva(vm, REAL_CODE), start, len);
	vcpu_mode(vcpu, mode, REAL_CODE);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		RUN_EXPECT(vcpu, KVM_EXIT_IO);
		check_io(vcpu, KVM_EXIT_IO_IN, PORT, sizes[i]);
		memcpy(io_data(vcpu), &answer, sizes[i]);
	}
	RUN_EXPECT(vcpu, KVM_EXIT_HLT);
	regs = regs_get(vcpu);
	CHECK_EQ(regs.rip, REAL_CODE + len);
	vm_free(vm);
	return regs;
}

static void in_real(void)
{
	struct kvm_regs regs = in_in_mode(MODE_REAL16, in16_start,
					  (size_t)(in16_end - in16_start));

	CHECK_EQ((u32)regs.rbx, 0xa1a2a354);
	CHECK_EQ((u32)regs.rsi, 0xa1a25354);
	CHECK_EQ((u32)regs.rdi, 0x51525354);
}

static void in_long(void)
{
	struct kvm_regs regs = in_in_mode(MODE_LONG64, in64_start,
					  (size_t)(in64_end - in64_start));

	CHECK_EQ(regs.rbx, 0xa1a2a3a4a5a6a754);
	CHECK_EQ(regs.rsi, 0xa1a2a3a4a5a65354);
	CHECK_EQ(regs.rdi, 0x51525354);
}

/*
 * The instruction ends when the next KVM_RUN begins: with immediate_exit set
 * that call completes it without entering the guest.
 */
static void in_completes_on_next_run(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_regs regs;

	code_load(vm, REAL_CODE, in16);
	vcpu_mode(vcpu, MODE_REAL16, REAL_CODE);
	RUN_EXPECT(vcpu, KVM_EXIT_IO);
	*(u8 *)io_data(vcpu) = 0x77;
	run_finish_io(vcpu);
	regs = regs_get(vcpu);
	CHECK_EQ(regs.rip, REAL_CODE + 3 + 6 + 1);
	CHECK_EQ((u32)regs.rax, 0xa1a2a377);
	/* Not a second time. */
	*(u8 *)io_data(vcpu) = 0x11;
	run_finish_io(vcpu);
	CHECK_EQ((u32)regs_get(vcpu).rax, 0xa1a2a377);
	RUN_EXPECT(vcpu, KVM_EXIT_IO);
	CHECK_EQ((u32)regs_get(vcpu).rbx, 0xa1a2a377);
	check_io(vcpu, KVM_EXIT_IO_IN, PORT, 2);
	vm_free(vm);
}

static void guest_many(void)
{
	u32 i;

	for (i = 0; i < 2000; i++) {
		outl(PORT, i);
		GUEST_CHECK_EQ(inl(PORT), i * 3);
	}
	guest_done();
}

static void many_exits(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u32 i, val;

	vcpu_entry(vcpu, guest_many);
	for (i = 0; i < 2000; i++) {
		RUN_EXPECT(vcpu, KVM_EXIT_IO);
		check_io(vcpu, KVM_EXIT_IO_OUT, PORT, 4);
		CHECK_EQ(*(u32 *)io_data(vcpu), i);
		RUN_EXPECT(vcpu, KVM_EXIT_IO);
		check_io(vcpu, KVM_EXIT_IO_IN, PORT, 4);
		val = i * 3;
		memcpy(io_data(vcpu), &val, 4);
	}
	RUN_DONE(vcpu);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(out_real),
	TEST(out_protected),
	TEST(out_paged),
	TEST(out_long),
	TEST(in_real),
	TEST(in_long),
	TEST(in_completes_on_next_run),
	TEST(many_exits),
};

KTAP_MAIN(tests)
