/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What kernels differ in, behind the newest kernel's names. Included before every source file. A difference is
 * found by a probe of Kbuild.include or by #ifdef of the thing itself, never by a version number.
 */
#ifndef LODGE_COMPAT_H
#define LODGE_COMPAT_H

#undef pr_fmt
#define pr_fmt(fmt) "lodge: " fmt

#include <linux/eventfd.h>
#include <linux/hrtimer.h>
#include <linux/kvm.h>
#include <linux/smp.h>
#include <linux/syscore_ops.h>
#include <linux/thread_info.h>
#ifdef LODGE_HAVE_CPUID_API
#include <asm/cpuid/api.h>
#endif
#include <asm/cpufeature.h>
#include <asm/msr.h>

#ifdef LODGE_HAVE_EVENTFD_SIGNAL_COUNT
#define eventfd_signal(ctx) eventfd_signal(ctx, 1)
#endif

#ifndef LODGE_HAVE_HRTIMER_SETUP
static inline void hrtimer_setup(struct hrtimer *timer, enum hrtimer_restart (*function)(struct hrtimer *),
				 clockid_t clock, enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock, mode);
	timer->function = function;
}
#endif

/* The wider form of KVM_SET_USER_MEMORY_REGION, for headers from before it: <linux/kvm.h> since 6.8. */
#ifndef KVM_SET_USER_MEMORY_REGION2
struct kvm_userspace_memory_region2 {
	__u32 slot;
	__u32 flags;
	__u64 guest_phys_addr;
	__u64 memory_size;
	__u64 userspace_addr;
	__u64 guest_memfd_offset;
	__u32 guest_memfd;
	__u32 pad1;
	__u64 pad2[14];
};
#define KVM_SET_USER_MEMORY_REGION2	_IOW(KVMIO, 0x49, struct kvm_userspace_memory_region2)
#define KVM_CAP_USER_MEMORY2		231
#endif

/* MSR accessors of 64 bits, by their newer names. */
#ifndef LODGE_HAVE_RDMSRQ
#define rdmsrq(msr, val)	rdmsrl(msr, val)
#define wrmsrq(msr, val)	wrmsrl(msr, val)
#define rdmsrq_safe(msr, p)	rdmsrl_safe(msr, p)
#define wrmsrq_safe(msr, val)	wrmsrl_safe(msr, val)
#endif

/* Suspend and resume callbacks on the last CPU. */
#ifdef LODGE_HAVE_REGISTER_SYSCORE
#define LODGE_COMPAT_SYSCORE(name, suspend_fn, resume_fn)			\
	static int name##_suspend(void *data) { return suspend_fn(); }		\
	static void name##_resume(void *data) { resume_fn(); }			\
	static const struct syscore_ops name##_ops = {				\
		.suspend = name##_suspend, .resume = name##_resume,		\
	};									\
	static struct syscore name = { .ops = &name##_ops }
#define lodge_compat_register_syscore(s)	register_syscore(s)
#define lodge_compat_unregister_syscore(s)	unregister_syscore(s)
#else
#define LODGE_COMPAT_SYSCORE(name, suspend_fn, resume_fn)			\
	static struct syscore_ops name = { .suspend = suspend_fn, .resume = resume_fn }
#define lodge_compat_register_syscore(s)	register_syscore_ops(s)
#define lodge_compat_unregister_syscore(s)	unregister_syscore_ops(s)
#endif

/* What the host may want of a thread that runs a guest. The first group schedules, the rest returns to user space. */
#ifdef _TIF_NEED_RESCHED_LAZY
#define LODGE_HOST_RESCHED	(_TIF_NEED_RESCHED | _TIF_NEED_RESCHED_LAZY)
#else
#define LODGE_HOST_RESCHED	_TIF_NEED_RESCHED
#endif
/* Not _TIF_RSEQ: where it is a flag of its own nothing but the way to user space clears it. */
#define LODGE_HOST_WORK		(LODGE_HOST_RESCHED | _TIF_SIGPENDING | _TIF_NOTIFY_SIGNAL | _TIF_NOTIFY_RESUME)

/* An IPI that does nothing but interrupt. */
static inline void lodge_compat_send_reschedule(int cpu)
{
#ifdef smp_send_reschedule	/* a macro with a tracepoint of the kernel's own around it */
	arch_smp_send_reschedule(cpu);
#else
	smp_send_reschedule(cpu);
#endif
}

/* The field that user space may write at any moment is named so that nobody reads it by mistake. */
#ifdef LODGE_HAVE_IMMEDIATE_EXIT_UNSAFE
#define lodge_compat_immediate_exit(run)	READ_ONCE((run)->immediate_exit__unsafe)
#else
#define lodge_compat_immediate_exit(run)	READ_ONCE((run)->immediate_exit)
#endif

/* Whether the host protects one task from another's branches by IBPB. */
static inline bool lodge_compat_uses_ibpb(void)
{
#ifdef X86_FEATURE_USE_IBPB
	return boot_cpu_has(X86_FEATURE_USE_IBPB);
#else
	return boot_cpu_has(X86_FEATURE_IBPB);
#endif
}

/* CPUID 0x80000021.ECX: which transient scheduler attacks the kernel knows that this CPU is not open to. */
static inline u32 lodge_compat_tsa_no(void)
{
	u32 bits = 0;

#ifdef X86_FEATURE_TSA_SQ_NO
	if (boot_cpu_has(X86_FEATURE_TSA_SQ_NO))
		bits |= BIT(1);
	if (boot_cpu_has(X86_FEATURE_TSA_L1_NO))
		bits |= BIT(2);
#endif
	return bits;
}

#endif
