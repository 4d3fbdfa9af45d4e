// SPDX-License-Identifier: GPL-2.0-only
/*
 * MMIO exits of plain moves: address, direction, length and data of every
 * width in real, protected, paged and long mode, and the register's value
 * after a read, extended as the instruction says (APM 3, MOV, MOVZX, MOVSX).
 */
#include "modes.h"

/* Real mode reaches 0xa0000: slot 0 gets a hole there. */
#define REAL_HOLE	0xa0000ul
#define HOLE_SIZE	0x10000ul
#define MMIO		VM_MMIO_BASE

GUEST_CODE(write16, 16,
	"mov $0xa000, %ax\n"
	"mov %ax, %es\n"
	"mov $0x11223344, %eax\n"
	"mov %al, %es:(0x10)\n"
	"mov %ax, %es:(0x10)\n"
	"mov %eax, %es:(0x10)\n"
	"movb $0x5a, %es:(0x20)\n"
	"movw $0x5a6b, %es:(0x20)\n"
	"movl $0x5a6b7c8d, %es:(0x20)\n"
	"hlt");

GUEST_CODE(read16, 16,
	"mov $0xa000, %ax\n"
	"mov %ax, %es\n"
	"mov $0xc1c2c3c4, %ebx\n"
	"mov %ebx, %esi\n"
	"mov %ebx, %edi\n"
	"mov %es:(0x10), %bl\n"
	"mov %es:(0x10), %si\n"
	"mov %es:(0x10), %edi\n"
	"hlt");

GUEST_CODE(write32, 32,
	"mov $0xd0000010, %ebx\n"
	"mov $0x11223344, %eax\n"
	"mov %al, (%ebx)\n"
	"mov %ax, (%ebx)\n"
	"mov %eax, (%ebx)\n"
	"movb $0x5a, 0x10(%ebx)\n"
	"movw $0x5a6b, 0x10(%ebx)\n"
	"movl $0x5a6b7c8d, 0x10(%ebx)\n"
	"hlt");

GUEST_CODE(read32, 32,
	"mov $0xd0000010, %eax\n"
	"mov $0xc1c2c3c4, %ebx\n"
	"mov %ebx, %esi\n"
	"mov %ebx, %edi\n"
	"mov (%eax), %bl\n"
	"mov (%eax), %si\n"
	"mov (%eax), %edi\n"
	"hlt");

static void mode_start(struct vm **vmp, struct vcpu **vcpup, enum guest_mode mode,
		       const char *start, const char *end)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	if (mode == MODE_REAL16) {
		u64 above = REAL_HOLE + HOLE_SIZE;

		slot_set(vm, 0, 0, 0, 0, vm->mem);
		slot_set(vm, 0, 0, 0, REAL_HOLE, vm->mem);
		slot_set(vm, 1, 0, above, VM_MEM_SIZE - above, vm->mem + above);
	}
	memcpy(vm_hva(vm, REAL_CODE), start, (size_t)(end - start));
	vcpu_mode(vcpu, mode, REAL_CODE);
	*vmp = vm;
	*vcpup = vcpu;
}

static void expect_mmio(struct vcpu *vcpu, bool write, u64 gpa, u32 len)
{
	struct kvm_run *run = vcpu->run;

	RUN_EXPECT(vcpu, KVM_EXIT_MMIO);
	CHECK_EQ(run->mmio.phys_addr, gpa);
	CHECK_EQ(run->mmio.len, len);
	CHECK_EQ(run->mmio.is_write, write);
}

static void expect_write(struct vcpu *vcpu, u64 gpa, u32 len, u64 val)
{
	u64 data = 0;

	expect_mmio(vcpu, true, gpa, len);
	memcpy(&data, vcpu->run->mmio.data, len);
	CHECK_EQ(data, val);
}

static void answer_read(struct vcpu *vcpu, u64 gpa, u32 len, u64 val)
{
	expect_mmio(vcpu, false, gpa, len);
	memcpy(vcpu->run->mmio.data, &val, len);
}

static void write_in_mode(enum guest_mode mode, u64 base, const char *start,
			  const char *end)
{
	struct vcpu *vcpu;
	struct vm *vm;

	mode_start(&vm, &vcpu, mode, start, end);
	expect_write(vcpu, base + 0x10, 1, 0x44);
	expect_write(vcpu, base + 0x10, 2, 0x3344);
	expect_write(vcpu, base + 0x10, 4, 0x11223344);
	expect_write(vcpu, base + 0x20, 1, 0x5a);
	expect_write(vcpu, base + 0x20, 2, 0x5a6b);
	expect_write(vcpu, base + 0x20, 4, 0x5a6b7c8d);
	RUN_EXPECT(vcpu, KVM_EXIT_HLT);
	CHECK_EQ(regs_get(vcpu).rip, REAL_CODE + (u64)(end - start));
	vm_free(vm);
}

static void read_in_mode(enum guest_mode mode, u64 base, const char *start,
			 const char *end)
{
	struct kvm_regs regs;
	struct vcpu *vcpu;
	struct vm *vm;

	mode_start(&vm, &vcpu, mode, start, end);
	answer_read(vcpu, base + 0x10, 1, 0xe1);
	answer_read(vcpu, base + 0x10, 2, 0xe1e2);
	answer_read(vcpu, base + 0x10, 4, 0xe1e2e3e4);
	RUN_EXPECT(vcpu, KVM_EXIT_HLT);
	regs = regs_get(vcpu);
	CHECK_EQ((u32)regs.rbx, 0xc1c2c3e1);
	CHECK_EQ((u32)regs.rsi, 0xc1c2e1e2);
	CHECK_EQ((u32)regs.rdi, 0xe1e2e3e4);
	vm_free(vm);
}

static void write_real(void)
{
	write_in_mode(MODE_REAL16, REAL_HOLE, write16_start, write16_end);
}

static void read_real(void)
{
	read_in_mode(MODE_REAL16, REAL_HOLE, read16_start, read16_end);
}

static void write_protected(void)
{
	write_in_mode(MODE_PROT32, MMIO, write32_start, write32_end);
}

static void read_protected(void)
{
	read_in_mode(MODE_PROT32, MMIO, read32_start, read32_end);
}

static void write_paged(void)
{
	write_in_mode(MODE_PAGED32, MMIO, write32_start, write32_end);
}

static void read_paged(void)
{
	read_in_mode(MODE_PAGED32, MMIO, read32_start, read32_end);
}

static void guest_long_write(void)
{
	volatile u8 *p = (u8 *)(MMIO + 0x40);
	u64 val = 0x0123456789abcdef;

	asm volatile("movb %b0, (%1)" :: "q" (val), "r" (p) : "memory");
	asm volatile("movw %w0, (%1)" :: "r" (val), "r" (p) : "memory");
	asm volatile("movl %k0, (%1)" :: "r" (val), "r" (p) : "memory");
	asm volatile("movq %0, (%1)" :: "r" (val), "r" (p) : "memory");
	/* An imm32 is sign-extended to 64 bits. */
	asm volatile("movq $-2, (%0)" :: "r" (p) : "memory");
	/* High byte register, REX register, index and displacement. */
	asm volatile("mov %0, %%rbx; movb %%bh, 1(%1)" :: "r" (val), "r" (p)
		     : "rbx", "memory");
	asm volatile("mov %0, %%r13; movl %%r13d, 4(%1,%2,4)"
		     :: "r" (val), "r" (p), "r" (3ul) : "r13", "memory");
	/* Absolute 64-bit address: the accumulator form. */
	asm volatile("movabs %%rax, 0xd0000080" :: "a" (val) : "memory");
	asm volatile("movnti %0, (%1)" :: "r" (val), "r" (p) : "memory");
	guest_done();
}

static void write_long(void)
{
	const u64 val = 0x0123456789abcdef, gpa = MMIO + 0x40;
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	vcpu_entry(vcpu, guest_long_write);
	expect_write(vcpu, gpa, 1, (u8)val);
	expect_write(vcpu, gpa, 2, (u16)val);
	expect_write(vcpu, gpa, 4, (u32)val);
	expect_write(vcpu, gpa, 8, val);
	expect_write(vcpu, gpa, 8, -2);
	expect_write(vcpu, gpa + 1, 1, 0xcd);
	expect_write(vcpu, gpa + 4 + 12, 4, (u32)val);
	expect_write(vcpu, MMIO + 0x80, 8, val);
	expect_write(vcpu, gpa, 8, val);
	RUN_DONE(vcpu);
	vm_free(vm);
}

/* A read of every width and extension into a register full of ones. */
#define GUEST_READ(insn, expected)					\
	do {								\
		u64 v_ = ~0ull;						\
		asm volatile(insn : "+a" (v_) : "r" (p) : "memory");	\
		GUEST_CHECK_EQ(v_, expected);				\
	} while (0)

static void guest_long_read(void)
{
	volatile u8 *p = (u8 *)(MMIO + 0x40);

	GUEST_READ("movb (%1), %b0", 0xffffffffffffff88);
	GUEST_READ("movw (%1), %w0", 0xffffffffffff8877);
	GUEST_READ("movl (%1), %k0", 0x88776655);
	GUEST_READ("movq (%1), %0", 0x8877665544332211);
	GUEST_READ("movzbl (%1), %k0", 0x88);
	GUEST_READ("movzwl (%1), %k0", 0x8877);
	GUEST_READ("movzbq (%1), %0", 0x88);
	GUEST_READ("movsbl (%1), %k0", 0xffffff88);
	GUEST_READ("movswl (%1), %k0", 0xffff8877);
	GUEST_READ("movsbq (%1), %0", 0xffffffffffffff88);
	GUEST_READ("movswq (%1), %0", 0xffffffffffff8877);
	GUEST_READ("movslq (%1), %0", 0xffffffff88776655);
	GUEST_READ("movzbw (%1), %w0", 0xffffffffffff0088);
	guest_done();
}

static void read_long(void)
{
	static const u8 lens[] = { 1, 2, 4, 8, 1, 2, 1, 1, 2, 1, 2, 4, 1 };
	const u64 val = 0x8877665544332211;
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	unsigned int i;

	vcpu_entry(vcpu, guest_long_read);
	for (i = 0; i < ARRAY_SIZE(lens); i++)
		answer_read(vcpu, MMIO + 0x40, lens[i], val >> (64 - 8 * lens[i]));
	RUN_DONE(vcpu);
	vm_free(vm);
}

static void read_completes_on_next_run(void)
{
	struct vcpu *vcpu;
	struct vm *vm;

	mode_start(&vm, &vcpu, MODE_PROT32, read32_start, read32_end);
	answer_read(vcpu, MMIO + 0x10, 1, 0x77);
	run_finish_io(vcpu);
	CHECK_EQ((u32)regs_get(vcpu).rbx, 0xc1c2c377);
	CHECK_EQ(regs_get(vcpu).rip, REAL_CODE + 5 + 5 + 2 + 2 + 2);
	answer_read(vcpu, MMIO + 0x10, 2, 0x8888);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(write_real),
	TEST(read_real),
	TEST(write_protected),
	TEST(read_protected),
	TEST(write_paged),
	TEST(read_paged),
	TEST(write_long),
	TEST(read_long),
	TEST(read_completes_on_next_run),
};

KTAP_MAIN(tests)
