// SPDX-License-Identifier: GPL-2.0-only
/*
 * The same access by the same instruction, over and over, while something about it changes in between: the
 * instruction's bytes, its registers, the mode it runs in, and what is at the address. Nothing that was true of the
 * last access may be taken for true of the next.
 */
#include <sys/eventfd.h>
#include <unistd.h>

#include "modes.h"

#define MMIO	VM_MMIO_BASE
#define TIMES	3	/* enough for anything to be remembered */

static struct vm *code_start(struct vcpu **vcpu, enum guest_mode mode, const char *start, const char *end)
{
	struct vm *vm = vm_create();

	*vcpu = vcpu_add(vm, 0);
	memcpy(vm_hva(vm, REAL_CODE), start, (size_t)(end - start));
	vcpu_mode(*vcpu, mode, REAL_CODE);
	return vm;
}

static void rip_set(struct vcpu *vcpu, u64 rip)
{
	struct kvm_regs regs = regs_get(vcpu);

	regs.rip = rip;
	regs_set(vcpu, &regs);
}

static void expect_read(struct vcpu *vcpu, u64 gpa, u32 len, u64 answer)
{
	RUN_EXPECT(vcpu, KVM_EXIT_MMIO);
	CHECK_EQ(vcpu->run->mmio.phys_addr, gpa);
	CHECK_EQ(vcpu->run->mmio.len, len);
	CHECK_EQ(vcpu->run->mmio.is_write, 0);
	memcpy(vcpu->run->mmio.data, &answer, len);
}

static void expect_write(struct vcpu *vcpu, u64 gpa, u32 len, u64 value)
{
	u64 data = 0;

	RUN_EXPECT(vcpu, KVM_EXIT_MMIO);
	CHECK_EQ(vcpu->run->mmio.phys_addr, gpa);
	CHECK_EQ(vcpu->run->mmio.len, len);
	CHECK_EQ(vcpu->run->mmio.is_write, 1);
	memcpy(&data, vcpu->run->mmio.data, len);
	CHECK_EQ(data, value);
}

GUEST_CODE(load32, 32,
	"mov (%ebx), %eax\n"
	"nop\n"
	"nop\n"
	"hlt");

/* Other instructions of three bytes at most, in the first one's place. */
static const struct {
	u8 bytes[3];
	u8 len;
	bool write;
} others[] = {
	{ { 0x8b, 0x0b, 0x90 }, 4, false },		/* mov (%ebx), %ecx */
	{ { 0x0f, 0xb6, 0x03 }, 1, false },		/* movzbl (%ebx), %eax */
	{ { 0x8b, 0x43, 0x08 }, 4, false },		/* mov 8(%ebx), %eax */
	{ { 0x89, 0x03, 0x90 }, 4, true },		/* mov %eax, (%ebx) */
	{ { 0x03, 0x03, 0x90 }, 4, false },		/* add (%ebx), %eax */
};

/* What the instruction leaves in EAX, which was @eax, and ECX. */
static void check_other(struct vcpu *vcpu, unsigned int i, u32 eax, u32 answer)
{
	struct kvm_regs regs = regs_get(vcpu);
	u32 want[ARRAY_SIZE(others)] = { eax, (u8)answer, answer, eax, eax + answer };

	CHECK_EQ((u32)regs.rax, want[i]);
	CHECK_EQ((u32)regs.rcx, i ? 0x77 : answer);
}

static void rewritten_code(void)
{
	struct vcpu *vcpu;
	struct vm *vm = code_start(&vcpu, MODE_PROT32, load32_start, load32_end);
	unsigned int i, times;

	for (i = 0; i < ARRAY_SIZE(others); i++) {
		memcpy(vm_hva(vm, REAL_CODE), load32_start, 3);
		for (times = 0; times < TIMES; times++) {
			struct kvm_regs regs = regs_get(vcpu);

			regs.rip = REAL_CODE;
			regs.rbx = MMIO;
			regs.rcx = 0x77;
			regs_set(vcpu, &regs);
			expect_read(vcpu, MMIO, 4, 0x11110000 + times);
			RUN_EXPECT(vcpu, KVM_EXIT_HLT);
			CHECK_EQ((u32)regs_get(vcpu).rax, 0x11110000 + times);
		}
		memcpy(vm_hva(vm, REAL_CODE), others[i].bytes, 3);
		rip_set(vcpu, REAL_CODE);
		if (others[i].write)
			expect_write(vcpu, MMIO, 4, 0x11110000 + TIMES - 1);
		else
			expect_read(vcpu, MMIO + (i == 2 ? 8 : 0), others[i].len, 0x2233aabb);
		RUN_EXPECT(vcpu, KVM_EXIT_HLT);
		check_other(vcpu, i, 0x11110000 + TIMES - 1, 0x2233aabb);
	}
	vm_free(vm);
}

/* The guest turns its own loads into such of another register while it runs. */
GUEST_CODE(patch32, 32,
	"mov $0xd0000000, %ebx\n"
	"1: mov (%ebx), %eax\n"
	"xorb $0x08, 1b + 1 - patch32_start + 0x1000\n"
	"jmp 2f\n"
	"2: dec %esi\n"
	"jnz 1b\n"
	"hlt");

static void code_rewrites_itself(void)
{
	struct vcpu *vcpu;
	struct vm *vm = code_start(&vcpu, MODE_PROT32, patch32_start, patch32_end);
	struct kvm_regs regs = regs_get(vcpu);
	unsigned int i;

	regs.rsi = 6;
	regs_set(vcpu, &regs);
	for (i = 0; i < 6; i++)
		expect_read(vcpu, MMIO, 4, 0x100 + i);
	RUN_EXPECT(vcpu, KVM_EXIT_HLT);
	regs = regs_get(vcpu);
	CHECK_EQ((u32)regs.rax, 0x104);
	CHECK_EQ((u32)regs.rcx, 0x105);
	vm_free(vm);
}

GUEST_CODE(indexed32, 32,
	"1: mov 4(%ebx, %edi, 8), %eax\n"
	"inc %edi\n"
	"add $0x1000, %ebx\n"
	"dec %esi\n"
	"jnz 1b\n"
	"hlt");

static void other_registers(void)
{
	struct vcpu *vcpu;
	struct vm *vm = code_start(&vcpu, MODE_PROT32, indexed32_start, indexed32_end);
	struct kvm_regs regs = regs_get(vcpu);
	unsigned int i;

	regs.rbx = MMIO;
	regs.rdi = 0;
	regs.rsi = 20;
	regs_set(vcpu, &regs);
	for (i = 0; i < 20; i++)
		expect_read(vcpu, MMIO + 4 + i * 0x1008, 4, i);
	RUN_EXPECT(vcpu, KVM_EXIT_HLT);
	CHECK_EQ((u32)regs_get(vcpu).rax, 19);
	vm_free(vm);
}

/*
 * A1 and an address of four bytes in 32-bit code, of eight in 64-bit code: there the four zeroes are its upper half,
 * here two ADDs of AL to what EAX points to.
 */
static void other_mode(void)
{
	static const u8 code[] = { 0xa1, 0x10, 0x00, 0x00, 0xd0, 0x00, 0x00, 0x00, 0x00, 0xf4 };
	struct vcpu *vcpu;
	struct vm *vm = code_start(&vcpu, MODE_PROT32, (const char *)code, (const char *)code + sizeof(code));
	u8 *data = vm_hva(vm, REAL_DATA + 1);
	unsigned int i;

	for (i = 1; i <= TIMES; i++) {
		vcpu_mode(vcpu, MODE_PROT32, REAL_CODE);
		expect_read(vcpu, 0xd0000010, 4, REAL_DATA + 1);
		RUN_EXPECT(vcpu, KVM_EXIT_HLT);
		CHECK_EQ(*data, 2 * i);
		vcpu_mode(vcpu, MODE_LONG64, REAL_CODE);
		expect_read(vcpu, 0xd0000010, 4, REAL_DATA + 1);
		RUN_EXPECT(vcpu, KVM_EXIT_HLT);
		CHECK_EQ(*data, 2 * i);
	}
	vm_free(vm);
}

static void guest_load_loop(void)
{
	for (;;)
		guest_sync(*(volatile u32 *)MMIO);
}

static void memory_comes_and_goes(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u32 *mem = pages_map(2 * PAGE_SIZE);
	unsigned int i;

	mem[0] = 0x5555;
	vcpu_entry(vcpu, guest_load_loop);
	for (i = 0; i < TIMES; i++) {
		expect_read(vcpu, MMIO, 4, i);
		RUN_SYNC(vcpu, i);
	}
	slot_set(vm, 1, 0, MMIO, PAGE_SIZE, mem);
	RUN_SYNC(vcpu, 0x5555);
	slot_set(vm, 1, 0, 0, 0, NULL);
	expect_read(vcpu, MMIO, 4, 0x77);
	RUN_SYNC(vcpu, 0x77);
	/* One that is moved there. */
	slot_set(vm, 1, 0, MMIO + PAGE_SIZE, PAGE_SIZE, mem);
	expect_read(vcpu, MMIO, 4, 0x78);
	RUN_SYNC(vcpu, 0x78);
	slot_set(vm, 1, 0, MMIO, PAGE_SIZE, mem);
	RUN_SYNC(vcpu, 0x5555);
	vm_free(vm);
}

static void guest_store_loop(void)
{
	for (;;) {
		*(volatile u32 *)MMIO = 0x5a;
		guest_sync(1);
	}
}

static long bind(struct vm *vm, int fd, u32 len, u32 flags)
{
	struct kvm_ioeventfd ioeventfd = { .addr = MMIO, .len = len, .fd = fd, .flags = flags };

	return xioctl(vm->fd, KVM_IOEVENTFD, &ioeventfd);
}

static u64 count(int fd)
{
	u64 n = 0;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static void device_comes_and_goes(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	int fd = eventfd(0, EFD_NONBLOCK);
	unsigned int i, round;

	vcpu_entry(vcpu, guest_store_loop);
	for (round = 0; round < 2; round++) {
		for (i = 0; i < TIMES; i++) {
			expect_write(vcpu, MMIO, 4, 0x5a);
			RUN_SYNC(vcpu, 1);
		}
		CHECK_EQ(bind(vm, fd, 4, 0), 0);
		for (i = 0; i < TIMES; i++)
			RUN_SYNC(vcpu, 1);
		CHECK_EQ(count(fd), TIMES);
		CHECK_EQ(bind(vm, fd, 4, KVM_IOEVENTFD_FLAG_DEASSIGN), 0);
	}
	expect_write(vcpu, MMIO, 4, 0x5a);
	RUN_SYNC(vcpu, 1);
	CHECK_EQ(count(fd), 0);
	close(fd);
	vm_free(vm);
}

/* Two widths and two directions at one address: the device is of one of them. */
static void guest_widths_loop(void)
{
	for (;;) {
		*(volatile u32 *)MMIO = 0x5a;
		*(volatile u16 *)MMIO = 0x5b;
		guest_sync(*(volatile u32 *)MMIO);
	}
}

static void device_of_one_width(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	int fd = eventfd(0, EFD_NONBLOCK);
	unsigned int i;

	CHECK_EQ(bind(vm, fd, 2, 0), 0);
	vcpu_entry(vcpu, guest_widths_loop);
	for (i = 0; i < TIMES; i++) {
		expect_write(vcpu, MMIO, 4, 0x5a);
		expect_read(vcpu, MMIO, 4, i);
		CHECK_EQ(count(fd), 1);
		RUN_SYNC(vcpu, i);
	}
	close(fd);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(rewritten_code),
	TEST(code_rewrites_itself),
	TEST(other_registers),
	TEST(other_mode),
	TEST(memory_comes_and_goes),
	TEST(device_comes_and_goes),
	TEST(device_of_one_width),
};

KTAP_MAIN(tests)
