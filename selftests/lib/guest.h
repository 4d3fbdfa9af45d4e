/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What code inside the guest may use. Guest code is C of the test program
 * itself: the program is linked at a fixed address and its image is copied to
 * the same guest-physical address, mapped one to one. It sees a snapshot of the
 * program's variables as they were when the VM was made, and may call nothing
 * of libc.
 * Locking: a vCPU touches only its own struct guest_cpu.
 */
#ifndef LODGE_SELFTEST_GUEST_H
#define LODGE_SELFTEST_GUEST_H

#include "guest_asm.h"
#include "x86.h"

/* Any port would do that no in-kernel device claims. */
#define UCALL_PORT	0x5e10

enum ucall_cmd {
	UCALL_SYNC = 1,
	UCALL_DONE,
	UCALL_FAIL,
	UCALL_EXCEPTION,
};

/**
 * struct ucall - what the guest tells the host on one exit
 * @cmd: enum ucall_cmd
 * @args: SYNC: the test's own; FAIL: line, text of the condition, two values;
 *        EXCEPTION: vector, error code, rip, cr2
 */
struct ucall {
	u64 cmd;
	u64 args[4];
};

/* One caught exception. @vector is NO_EXCEPTION when there was none. */
struct guest_exc {
	u64 vector;
	u64 error;
	u64 rip;
	u64 cr2;
};

#define NO_EXCEPTION	256

/* Stack image made by the entry stubs in guest_entry.S. */
struct guest_frame {
	u64 r15, r14, r13, r12, r11, r10, r9, r8;
	u64 rdi, rsi, rbp, rdx, rcx, rbx, rax;
	u64 vector, error;
	u64 rip, cs, rflags, rsp, ss;
};

/**
 * struct guest_cpu - one vCPU's own data, at the base of GS
 * @self: its own guest-virtual address
 * @resume: where a caught exception goes on, 0 when none is expected
 * @index: the vCPU's id
 * @exc: the last caught exception
 * @uc: the message of the current ucall
 */
struct guest_cpu {
	u64 self;
	u64 resume;
	u64 index;
	struct guest_exc exc;
	struct ucall uc;
};

#define GUEST_CPU_RESUME	8	/* offset of resume, for asm */

typedef void (*guest_handler_t)(struct guest_frame *frame);

/* Set an entry to take a vector instead of failing the test. */
extern guest_handler_t guest_handlers[256];

static inline struct guest_cpu *guest_this(void)
{
	struct guest_cpu *cpu;

	asm volatile("mov %%gs:0, %0" : "=r" (cpu));
	return cpu;
}

static inline void outb(u16 port, u8 val)
{
	asm volatile("outb %0, %1" :: "a" (val), "Nd" (port) : "memory");
}

static inline void outw(u16 port, u16 val)
{
	asm volatile("outw %0, %1" :: "a" (val), "Nd" (port) : "memory");
}

static inline void outl(u16 port, u32 val)
{
	asm volatile("outl %0, %1" :: "a" (val), "Nd" (port) : "memory");
}

static inline u8 inb(u16 port)
{
	u8 val;

	asm volatile("inb %1, %0" : "=a" (val) : "Nd" (port) : "memory");
	return val;
}

static inline u16 inw(u16 port)
{
	u16 val;

	asm volatile("inw %1, %0" : "=a" (val) : "Nd" (port) : "memory");
	return val;
}

static inline u32 inl(u16 port)
{
	u32 val;

	asm volatile("inl %1, %0" : "=a" (val) : "Nd" (port) : "memory");
	return val;
}

static inline u64 rdmsr(u32 msr)
{
	u32 lo, hi;

	asm volatile("rdmsr" : "=a" (lo), "=d" (hi) : "c" (msr) : "memory");
	return (u64)hi << 32 | lo;
}

static inline void wrmsr(u32 msr, u64 val)
{
	asm volatile("wrmsr" :: "c" (msr), "a" ((u32)val), "d" ((u32)(val >> 32))
		     : "memory");
}

#define GUEST_READ_CR(nr)						\
	({								\
		u64 v_;							\
		asm volatile("mov %%cr" #nr ", %0" : "=r" (v_) :: "memory"); \
		v_;							\
	})

#define GUEST_WRITE_CR(nr, val)						\
	asm volatile("mov %0, %%cr" #nr :: "r" ((u64)(val)) : "memory")

static inline void guest_ucall(u64 cmd, u64 a0, u64 a1, u64 a2, u64 a3)
{
	struct guest_cpu *cpu = guest_this();

	cpu->uc.cmd = cmd;
	cpu->uc.args[0] = a0;
	cpu->uc.args[1] = a1;
	cpu->uc.args[2] = a2;
	cpu->uc.args[3] = a3;
	outl(UCALL_PORT, (u32)cmd);
}

static inline void guest_sync(u64 a0)
{
	guest_ucall(UCALL_SYNC, a0, 0, 0, 0);
}

static inline void guest_sync4(u64 a0, u64 a1, u64 a2, u64 a3)
{
	guest_ucall(UCALL_SYNC, a0, a1, a2, a3);
}

static inline void guest_done(void)
{
	for (;;)
		guest_ucall(UCALL_DONE, 0, 0, 0, 0);
}

#define GUEST_CHECK_EQ(a, b)						\
	do {								\
		u64 a_ = (u64)(a), b_ = (u64)(b);			\
		if (a_ != b_)						\
			guest_ucall(UCALL_FAIL, __LINE__,		\
				    (u64)(uintptr_t)#a " == " #b, a_, b_); \
	} while (0)

#define GUEST_CHECK(cond)						\
	do {								\
		if (!(cond))						\
			guest_ucall(UCALL_FAIL, __LINE__,		\
				    (u64)(uintptr_t)#cond, 0, 1);	\
	} while (0)

/*
 * Run one piece of assembly that may fault; afterwards guest_exc() holds what
 * happened. An exception goes on behind @insn. r11 is taken.
 */
#define GUEST_TRY(insn, outputs, inputs, clobbers...)			\
	do {								\
		guest_this()->exc.vector = NO_EXCEPTION;		\
		asm volatile("lea 771f(%%rip), %%r11\n\t"		\
			     "mov %%r11, %%gs:8\n\t"			\
			     insn "\n"					\
			     "771: movq $0, %%gs:8"			\
			     : outputs : inputs				\
			     : "r11", "memory", "cc", ##clobbers);	\
	} while (0)

#define COMMA	,

static inline struct guest_exc *guest_exc(void)
{
	return &guest_this()->exc;
}

static inline u64 guest_rdmsr_safe(u32 msr, u64 *val)
{
	u32 lo = 0, hi = 0;

	GUEST_TRY("rdmsr", "+a" (lo) COMMA "+d" (hi), "c" (msr));
	*val = (u64)hi << 32 | lo;
	return guest_exc()->vector;
}

static inline u64 guest_wrmsr_safe(u32 msr, u64 val)
{
	GUEST_TRY("wrmsr", , "c" (msr) COMMA "a" ((u32)val) COMMA
		  "d" ((u32)(val >> 32)));
	return guest_exc()->vector;
}

/** guest_entry_stubs - address of the 64-bit entry of vector v is base + 16 v */
extern const char guest_entry_stubs[];

#endif
