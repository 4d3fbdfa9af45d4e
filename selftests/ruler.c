// SPDX-License-Identifier: GPL-2.0-only
/*
 * A first ruler: what an exit costs, in instructions of the host where the
 * machine's time stamp counter counts them (the lab's --icount), else in TSC
 * ticks. Measured on $LODGE_DEVICE and on /dev/kvm in turns, in one boot, with
 * the same guest; the loop around the exit is part of the figure.
 * In the counting machine it fails where lodge is dearer than KVM.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "host.h"
#include "irq.h"
#include "thread.h"

#define ROUNDS	2
#define FEW	100u
#define MANY	600u

GUEST_CODE(loop_cpuid, 16,
	"1: xor %eax, %eax\n"
	"cpuid\n"
	"dec %esi\n"
	"jnz 1b\n"
	"hlt\n");

GUEST_CODE(loop_pic, 16,
	"1: in $0x21, %al\n"
	"dec %esi\n"
	"jnz 1b\n"
	"hlt\n");

GUEST_CODE(loop_user, 16,
	"1: out %al, $0x42\n"
	"dec %esi\n"
	"jnz 1b\n"
	"hlt\n");

/* AMD's instruction; loop_load() puts Intel's where it is due. */
GUEST_CODE(loop_hypercall, 16,
	"1: mov $0x7777, %eax\n"
	".byte 0x0f, 0x01, 0xd9\n"	/* VMMCALL */
	"dec %esi\n"
	"jnz 1b\n"
	"hlt\n");
#define CALL_AT	6

static const struct {
	const char *name;
	const char *start, *end;
	bool irqchip;
} exits[] = {
	{ "cpuid", loop_cpuid_start, loop_cpuid_end, false },
	{ "hypercall", loop_hypercall_start, loop_hypercall_end, false },
	{ "port in the kernel", loop_pic_start, loop_pic_end, true },
	{ "port to userspace", loop_user_start, loop_user_end, false },
};

/* The ticks from the first KVM_RUN to the guest's HLT. */
static u64 run_loop(struct vcpu *vcpu, u32 count)
{
	struct kvm_regs regs = {
		.rip = REAL_CODE, .rflags = X86_EFLAGS_FIXED, .rsi = count,
	};
	struct kvm_run *run = vcpu->run;
	int fd = vcpu->fd;
	u64 start;

	regs_set(vcpu, &regs);
	start = rdtsc();
	do {
		if (ioctl(fd, KVM_RUN, 0))
			FAIL("KVM_RUN: %s", errno_name(errno));
	} while (run->exit_reason == KVM_EXIT_IO && run->io.port == 0x42);
	start = rdtsc() - start;
	if (run->exit_reason != KVM_EXIT_HLT && run->exit_reason != KVM_EXIT_IO) {
		exit_diag(vcpu);
		FAIL("the measuring guest stopped");
	}
	return start;
}

/* With an in-kernel LAPIC a HLT blocks: the loop ends in another port there. */
static void loop_load(struct vm *vm, unsigned int i, bool irqchip)
{
	size_t len = (size_t)(exits[i].end - exits[i].start);
	u8 *code = vm_hva(vm, REAL_CODE);

	memcpy(code, exits[i].start, len);
	if (irqchip)
		memcpy(code + len - 1, "\xe6\x43", 2);
	if (exits[i].start == loop_hypercall_start && cpuid(0, 0).ebx == 0x756e6547)	/* "Genu" */
		code[CALL_AT + 2] = 0xc1;	/* VMCALL */
}

static u64 min_of(struct vcpu *vcpu, u32 count)
{
	u64 best = ~0ull, t;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		t = run_loop(vcpu, count);
		if (t < best)
			best = t;
	}
	return best;
}

static u64 exit_cost(const char *device, unsigned int i)
{
	bool irqchip = exits[i].irqchip;
	struct vcpu *vcpu;
	struct vm *vm;
	u64 few, many;

	setenv("LODGE_DEVICE", device, 1);
	vm = irqchip ? vm_create_irqchip() : vm_create();
	vcpu = vcpu_add(vm, 0);
	loop_load(vm, i, irqchip);
	vcpu_mode(vcpu, MODE_REAL16, REAL_CODE);
	run_loop(vcpu, 50);
	few = min_of(vcpu, FEW);
	many = min_of(vcpu, MANY);
	vm_free(vm);
	CHECK_GE(many, few + MANY - FEW);	/* else the guest left its loop early */
	return (many - few) / (MANY - FEW);
}

static void cost_of_exits(void)
{
	u64 best[ARRAY_SIZE(exits)][2];
	const char *devices[2] = { strdup(device_path()), "/dev/kvm" };
	bool two = strcmp(devices[0], devices[1]);
	unsigned int i, d, round;

	if (two && access(devices[1], F_OK) && !geteuid())
		if (system("modprobe kvm_amd 2>/dev/null || modprobe kvm_intel 2>/dev/null"))
			two = false;
	memset(best, 0xff, sizeof(best));
	for (round = 0; round < ROUNDS; round++)
		for (i = 0; i < ARRAY_SIZE(exits); i++)
			for (d = 0; d < (two ? 2 : 1); d++) {
				u64 cost;

				/* The other one gives the CPU feature back. */
				wait_until(device_is_free(devices[d]));
				cost = exit_cost(devices[d], i);
				if (cost < best[i][d])
					best[i][d] = cost;
			}
	ktap_diag("%-20s %12s %12s %8s", "ticks per exit", devices[0],
		  two ? devices[1] : "", two ? "ratio" : "");
	for (i = 0; i < ARRAY_SIZE(exits); i++) {
		u64 percent = two ? best[i][0] * 100 / best[i][1] : 0;

		if (two)
			ktap_diag("%-20s %12llu %12llu %5llu.%02llu", exits[i].name,
				  (unsigned long long)best[i][0],
				  (unsigned long long)best[i][1],
				  (unsigned long long)percent / 100,
				  (unsigned long long)percent % 100);
		else
			ktap_diag("%-20s %12llu", exits[i].name, (unsigned long long)best[i][0]);
	}
	/* Time is no judge: an emulator weighs instructions otherwise than a CPU. */
	for (i = 0; two && getenv("LODGE_LAB_ICOUNT") && i < ARRAY_SIZE(exits); i++)
		CHECK_LE(best[i][0], best[i][1]);
}

static const struct test tests[] = {
	TEST_SECONDS(cost_of_exits, 120),
};

KTAP_MAIN(tests)
