// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the host wants of a thread before it enters a guest: reschedule, task work, restartable sequences. Kernels
 * built with KVM export one function for all of it; elsewhere the thread goes as far as to the kernel's exit to user
 * space, which does the same and then begins the system call again. No locks; runs in the vCPU's thread, where it may
 * sleep.
 */
#include "host_work.h"

#include <linux/errno.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

#if defined(CONFIG_KVM_XFER_TO_GUEST_WORK) || defined(CONFIG_VIRT_XFER_TO_GUEST_WORK)

#ifdef LODGE_HAVE_XFER_WORK_VCPU
#include <linux/entry-kvm.h>
#include <linux/kvm_host.h>

/*
 * For a signal these kernels note the exit in the vCPU that they are given, and read nothing of it. The note is
 * not looked at, so that all threads share one.
 */
static struct kvm_run work_run;
static struct kvm_vcpu work_vcpu = { .run = &work_run };
#define HOST_WORK_ARGUMENT (&work_vcpu)
#else
#include <linux/entry-virt.h>
#define HOST_WORK_ARGUMENT
#endif

int lodge_compat_host_work(void)
{
	return xfer_to_guest_mode_handle_work(HOST_WORK_ARGUMENT) ? -EINTR : 0;
}

#else

/*
 * The kernel begins a system call again where it looks for signals, and there it looks when this flag is set: it needs
 * no signal. Nearly each preemption asks for this in threads that have a restartable sequence, which is all of them.
 */
int lodge_compat_host_work(void)
{
	if (read_thread_flags() & LODGE_HOST_RESCHED)
		schedule();
	if (read_thread_flags() & _TIF_SIGPENDING)
		return -EINTR;
	if (!(read_thread_flags() & (LODGE_HOST_WORK & ~LODGE_HOST_RESCHED)))
		return 0;
	set_thread_flag(TIF_NOTIFY_SIGNAL);
	return -ERESTARTNOINTR;
}

#endif
