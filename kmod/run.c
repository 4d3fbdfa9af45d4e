// SPDX-License-Identifier: GPL-2.0-only
/*
 * The run loop: KVM_RUN from its first check to its return. What an exit does is exit.c's; which event goes
 * in next is event.c's. The vCPU's thread holds vcpu->mutex throughout.
 *
 * A "section" is a stretch of entries and exits with interrupts off, the guest's FPU state in the CPU. Every
 * host interrupt ends it, so the host waits no longer than one exit takes. An exit that must sleep is
 * deferred to the end of the section.
 */
#include "run.h"

#include <linux/sched/signal.h>
#include <linux/vtime.h>
#include <linux/context_tracking.h>

#include "async_pf.h"
#include "backend.h"
#include "clock.h"
#include "compat/compat.h"
#include "compat/host_work.h"
#include "event.h"
#include "exit.h"
#include "fpu_section.h"
#include "irqchip/irqchip.h"
#include "mmu/mmu.h"
#include "msr_filter.h"
#include "regs.h"
#include "section.h"
#include "stats.h"
#include "steal.h"
#include "sync_regs.h"
#include "trace.h"
#include "vm.h"

/* Requests that are acted on inside the section; every other one ends it. */
#define SECTION_REQUESTS	(BIT(LODGE_REQ_EVENT) | BIT(LODGE_REQ_TLB_FLUSH))

/* Signals, reschedules, task work: one load and a test. */
static bool host_work_pending(void)
{
	return read_thread_flags() & LODGE_HOST_WORK;
}

/* What the host wants of this thread before it goes on: as lodge_compat_host_work(). */
static int handle_host_work(struct lodge_vcpu *vcpu)
{
	int ret;

	if (likely(!host_work_pending()))
		return 0;
	if (lodge_steal_time_is_on(vcpu) && (read_thread_flags() & LODGE_HOST_RESCHED))
		lodge_steal_time_stop(vcpu);
	ret = lodge_compat_host_work();
	if (ret == -EINTR)
		vcpu->run->exit_reason = KVM_EXIT_INTR;
	return ret;
}

static void guest_time_enter(void)
{
	vtime_account_guest_enter();
}

/*
 * After the interrupt that ended the section was taken: a tick among them is the guest's time. STI lets interrupts in
 * only behind the instruction that follows it (APM 3, STI), and where ticks are all there is to account time by, that
 * would be the one that ends the guest's.
 */
static void guest_time_leave(void)
{
	asm volatile("nop" : : : "memory");
	vtime_account_guest_exit();
}

/* Nested translations were removed since this vCPU last flushed. */
static bool section_tlb_is_stale(const struct lodge_vcpu *vcpu)
{
	return atomic64_read(&vcpu->vm->tlb_generation) != vcpu->tlb_generation;
}

static noinline void section_prepare(struct lodge_vcpu *vcpu)
{
	u64 generation = atomic64_read(&vcpu->vm->tlb_generation);

	if (lodge_vcpu_take_request(vcpu, LODGE_REQ_EVENT) || lodge_events_in_flight(vcpu))
		lodge_events_prepare(vcpu);
	if (lodge_vcpu_take_request(vcpu, LODGE_REQ_TLB_FLUSH) || generation != vcpu->tlb_generation) {
		vcpu->tlb_generation = generation;
		vcpu->nr_tlb_flushes++;
		lodge_op(flush_tlb)(vcpu);
	}
}

static int section_loop(struct lodge_vcpu *vcpu)
{
	int ret;

	do {
		/* Other requests keep the section from starting, and end it. */
		if (unlikely(READ_ONCE(vcpu->requests) || lodge_events_in_flight(vcpu) || section_tlb_is_stale(vcpu)))
			section_prepare(vcpu);
		trace_lodge_entry(vcpu->id, vcpu->rip);
		lodge_op(run)(vcpu);
		vcpu->nr_exits++;
		if (trace_lodge_exit_enabled())
			trace_lodge_exit(vcpu->id, vcpu->rip, lodge_op(exit_reason)(vcpu), 0);
		ret = lodge_op(handle_exit)(vcpu);
		if (unlikely(vcpu->user_exits))
			break;
	} while (ret == LODGE_EXIT_RESUME && !(READ_ONCE(vcpu->requests) & ~SECTION_REQUESTS));
	return ret == LODGE_EXIT_LEAVE ? LODGE_EXIT_RESUME : ret;
}

static bool section_may_start(struct lodge_vcpu *vcpu)
{
	/* Pairs with lodge_vcpu_kick() and lodge_flush_remote(): they set a request, then read the mode. */
	smp_store_mb(vcpu->mode, LODGE_IN_GUEST);
	return !(READ_ONCE(vcpu->requests) & ~SECTION_REQUESTS) && !host_work_pending();
}

static int run_section(struct lodge_vcpu *vcpu)
{
	int cpu, ret = LODGE_EXIT_RESUME;

	preempt_disable();
	cpu = smp_processor_id();
	if (unlikely(vcpu->cpu != cpu)) {
		/* With interrupts on: the backend may have to call the other CPU. */
		lodge_op(vcpu_leave_cpu)(vcpu);
		vcpu->cpu = cpu;
		/* Time has per-CPU parameters where the host's TSC is not stable. */
		lodge_vcpu_request_self(vcpu, LODGE_REQ_CLOCK);
		lodge_vcpu_request_self(vcpu, LODGE_REQ_TLB_FLUSH);
	}
	local_irq_disable();
	if (!section_may_start(vcpu)) {
		WRITE_ONCE(vcpu->mode, LODGE_OUTSIDE_GUEST);
		local_irq_enable();
		preempt_enable();
		return LODGE_EXIT_RESUME;
	}

	guest_time_enter();
	lodge_fpu_enter(vcpu);
	lodge_op(section_enter)(vcpu);
	ret = section_loop(vcpu);
	if (unlikely(vcpu->section_undo))
		lodge_op(section_leave)(vcpu);
	lodge_fpu_leave(vcpu);
	smp_store_release(&vcpu->mode, LODGE_OUTSIDE_GUEST);
	local_irq_enable();
	guest_time_leave();
	/* A preemptible host takes the CPU in the next line, before handle_host_work() sees that it wants to. */
	if (IS_ENABLED(CONFIG_PREEMPTION) && unlikely(vcpu->run_wants) && lodge_steal_time_is_on(vcpu) &&
	    need_resched())
		lodge_steal_time_stop(vcpu);
	preempt_enable();

	while (ret == LODGE_EXIT_DEFER)
		ret = vcpu->deferred(vcpu);
	return ret;
}

static int run_dead(struct lodge_vcpu *vcpu)
{
	lodge_notify_state(vcpu->vm, LODGE_VM_CRASHED, lodge_vm_death_name(vcpu->vm->death));
	return -EIO;
}

/* Requests that may sleep. RESUME, USER or -errno. */
static int run_requests(struct lodge_vcpu *vcpu)
{
	int ret;

	if (likely(!(READ_ONCE(vcpu->requests) & ~SECTION_REQUESTS)))
		return LODGE_EXIT_RESUME;
	if (READ_ONCE(vcpu->vm->death))
		return run_dead(vcpu);
	if (lodge_dirty_ring_stops(vcpu)) {
		vcpu->run->exit_reason = KVM_EXIT_DIRTY_RING_FULL;
		return LODGE_EXIT_USER;
	}
	if (lodge_vcpu_take_request(vcpu, LODGE_REQ_LOG)) {
		ret = lodge_dirty_follow(vcpu);
		if (ret)
			return ret;
	}
	lodge_vcpu_take_request(vcpu, LODGE_REQ_KICK);
	if (lodge_vcpu_take_request(vcpu, LODGE_REQ_CLOCK))
		lodge_pv_update_clock(vcpu);
	if (lodge_vcpu_take_request(vcpu, LODGE_REQ_STEAL))
		lodge_steal_time_update(vcpu);
	if (lodge_vcpu_take_request(vcpu, LODGE_REQ_ASYNC_PF))
		lodge_async_pf_wake_all(vcpu);
	if (lodge_vcpu_take_request(vcpu, LODGE_REQ_NMI))
		lodge_collect_nmis(vcpu);
	if (lodge_vcpu_take_request(vcpu, LODGE_REQ_EOI_SCAN))
		lodge_irqchip_scan_eoi(vcpu);
	if (lodge_vcpu_take_request(vcpu, LODGE_REQ_MSR_FILTER))
		lodge_msr_filter_apply(vcpu);
	if (lodge_vcpu_take_request(vcpu, LODGE_REQ_APIC))
		lodge_lapic_accept_events(vcpu);
	return LODGE_EXIT_RESUME;
}

static void triple_fault_to_user(struct lodge_vcpu *vcpu)
{
	vcpu->triple_fault = false;
	vcpu->run->exit_reason = KVM_EXIT_SHUTDOWN;
	lodge_notify_state(vcpu->vm, LODGE_VM_CRASHED, "triple fault");
}

static noinline int run_due_exit(struct lodge_vcpu *vcpu)
{
	if (!vcpu->triple_fault)
		return lodge_debug_step_done(vcpu);
	triple_fault_to_user(vcpu);
	return LODGE_EXIT_USER;
}

/* Exits that no single exit of the CPU stands for. 0: kvm_run is filled. */
static int run_user_exits(struct lodge_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	int vector;

	if (unlikely(vcpu->user_exits))
		return run_due_exit(vcpu);
	if (likely(vcpu->vm->irqchip_mode == LODGE_IRQCHIP_KERNEL))
		return LODGE_EXIT_RESUME;
	if (vcpu->lapic && vcpu->vm->irqchip_mode == LODGE_IRQCHIP_SPLIT) {
		vector = lodge_lapic_take_user_eoi(vcpu);
		if (vector >= 0) {
			run->exit_reason = KVM_EXIT_IOAPIC_EOI;
			run->eoi.vector = vector;
			return LODGE_EXIT_USER;
		}
	}
	if (unlikely(run->request_interrupt_window) && lodge_user_window_open(vcpu)) {
		run->exit_reason = KVM_EXIT_IRQ_WINDOW_OPEN;
		return LODGE_EXIT_USER;
	}
	return LODGE_EXIT_RESUME;
}

static bool vcpu_may_run(struct lodge_vcpu *vcpu)
{
	return vcpu->mp_state == KVM_MP_STATE_RUNNABLE;
}

static bool vcpu_is_woken(struct lodge_vcpu *vcpu)
{
	if (READ_ONCE(vcpu->requests) & (BIT(LODGE_REQ_DEAD) | BIT(LODGE_REQ_APIC)))
		return true;
	return vcpu->mp_state == KVM_MP_STATE_HALTED && lodge_has_wake_event(vcpu);
}

/*
 * A vCPU that no interrupt can wake: halted with interrupts off, or not started. When all are, nothing but an NMI
 * or INIT moves this VM: told once. A signal in between changes nothing.
 */
static void idle_enter(struct lodge_vcpu *vcpu)
{
	if (vcpu->halted_idle || (vcpu->mp_state == KVM_MP_STATE_HALTED && (vcpu->rflags & X86_EFLAGS_IF)))
		return;
	vcpu->halted_idle = true;
	if (atomic_inc_return(&vcpu->vm->nr_halted) == READ_ONCE(vcpu->vm->nr_vcpus))
		lodge_notify_state(vcpu->vm, LODGE_VM_HALTED, NULL);
}

/* It is about to run. */
static void idle_leave(struct lodge_vcpu *vcpu)
{
	if (vcpu->halted_idle) {
		vcpu->halted_idle = false;
		atomic_dec(&vcpu->vm->nr_halted);
	}
	if (unlikely(READ_ONCE(vcpu->vm->state) != LODGE_VM_RUNNING))
		lodge_notify_state(vcpu->vm, LODGE_VM_RUNNING, NULL);
}

/* HLT, or waiting for SIPI: sleep until an event, a request or a signal. */
static int vcpu_block(struct lodge_vcpu *vcpu)
{
	idle_enter(vcpu);
	prepare_to_rcuwait(&vcpu->wait);
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (vcpu_is_woken(vcpu) || (READ_ONCE(vcpu->requests) & BIT(LODGE_REQ_KICK)) ||
		    signal_pending(current))
			break;
		schedule();
	}
	finish_rcuwait(&vcpu->wait);
	if (lodge_steal_time_is_on(vcpu))
		lodge_vcpu_request_self(vcpu, LODGE_REQ_STEAL);

	if (vcpu->mp_state == KVM_MP_STATE_HALTED && vcpu_is_woken(vcpu)) {
		WRITE_ONCE(vcpu->pv_unhalted, false);
		vcpu->mp_state = KVM_MP_STATE_RUNNABLE;
	}
	return LODGE_EXIT_RESUME;
}

static int run_loop(struct lodge_vcpu *vcpu)
{
	int ret;

	for (;;) {
		ret = run_requests(vcpu);
		if (ret != LODGE_EXIT_RESUME)
			return ret;
		ret = run_user_exits(vcpu);
		if (ret != LODGE_EXIT_RESUME)
			return ret;
		if (vcpu_may_run(vcpu)) {
			idle_leave(vcpu);
			ret = run_section(vcpu);
		} else {
			ret = vcpu_block(vcpu);
		}
		if (ret != LODGE_EXIT_RESUME)
			return ret;
		ret = handle_host_work(vcpu);
		if (ret)
			return ret;
	}
}

/* An AP that nobody has started yet waits here for INIT and SIPI. */
static int run_uninitialized(struct lodge_vcpu *vcpu)
{
	if (READ_ONCE(vcpu->vm->death))
		return -EIO;
	if (lodge_compat_immediate_exit(vcpu->run))
		return -EINTR;
	vcpu->run->exit_reason = KVM_EXIT_UNKNOWN;
	vcpu_block(vcpu);
	if (lodge_vcpu_take_request(vcpu, LODGE_REQ_APIC))
		lodge_lapic_accept_events(vcpu);
	if (signal_pending(current)) {
		vcpu->run->exit_reason = KVM_EXIT_INTR;
		return -EINTR;
	}
	return -EAGAIN;
}

/* Finish the instruction that user space completed. RESUME, USER (more to complete) or -errno. */
static int run_complete(struct lodge_vcpu *vcpu)
{
	enum lodge_completion what = vcpu->completion;

	vcpu->completion = LODGE_COMPLETE_NONE;
	/* A switch without a jump table is a search, and this the commonest. */
	if (likely(what == LODGE_COMPLETE_PORT)) {
		lodge_port_complete(vcpu);
		return LODGE_EXIT_RESUME;
	}
	switch (what) {
	case LODGE_COMPLETE_MOVE:
		return lodge_move_complete(vcpu);
	case LODGE_COMPLETE_EMULATE:
		return lodge_vcpu_emulate_complete(vcpu);
	case LODGE_COMPLETE_MSR:
		return lodge_msr_complete(vcpu);
	default:
		return LODGE_EXIT_RESUME;
	}
}

/* What user space may read after every return, errors included. */
static void run_publish(struct lodge_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	run->if_flag = !!(vcpu->rflags & X86_EFLAGS_IF);
	run->cr8 = lodge_cr8_read(vcpu);
	run->apic_base = vcpu->apic_base;
	run->flags = 0;
	run->ready_for_interrupt_injection = vcpu->vm->irqchip_mode == LODGE_IRQCHIP_KERNEL ||
					     lodge_ready_for_user_interrupt(vcpu);
}

/* User space passes registers in kvm_run. 0 or -EINVAL. */
static noinline int run_sync_regs(struct lodge_vcpu *vcpu)
{
	if (!lodge_sync_regs_valid(vcpu))
		return -EINVAL;
	if (!READ_ONCE(vcpu->run->kvm_dirty_regs))
		return 0;
	lodge_vcpu_request_self(vcpu, LODGE_REQ_EVENT);
	return lodge_sync_regs_load(vcpu);
}

static int run_checked(struct lodge_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	int ret;

	if (READ_ONCE(vcpu->vm->death))
		return -EIO;
	if (unlikely(READ_ONCE(run->kvm_valid_regs) | READ_ONCE(run->kvm_dirty_regs))) {
		ret = run_sync_regs(vcpu);
		if (ret)
			return ret;
	}
	if (!vcpu->lapic && lodge_cr8_write(vcpu, run->cr8))
		return -EINVAL;
	ret = run_complete(vcpu);
	if (ret != LODGE_EXIT_RESUME)
		return ret;
	if (lodge_compat_immediate_exit(run))
		return -EINTR;
	vcpu->ran = true;
	/* User space asks for its window in kvm_run; whoever changes other events says so. */
	if (vcpu->vm->irqchip_mode != LODGE_IRQCHIP_KERNEL)
		lodge_vcpu_request_self(vcpu, LODGE_REQ_EVENT);
	return run_loop(vcpu);
}

/* What few vCPUs want around KVM_RUN. The thread may have waited for a CPU since the guest was last told. */
static noinline void run_begin(struct lodge_vcpu *vcpu)
{
	if (vcpu->run_wants & LODGE_RUN_SIGSET)
		sigprocmask(SIG_SETMASK, &vcpu->sigset, &vcpu->saved_sigset);
	if (vcpu->run_wants & LODGE_RUN_STEAL)
		lodge_vcpu_request_self(vcpu, LODGE_REQ_STEAL);
}

static noinline void run_end(struct lodge_vcpu *vcpu)
{
	if (vcpu->run_wants & LODGE_RUN_SIGSET)
		sigprocmask(SIG_SETMASK, &vcpu->saved_sigset, NULL);
}

static int run_locked(struct lodge_vcpu *vcpu)
{
	int ret;

	if (unlikely(vcpu->run_wants))
		run_begin(vcpu);
	if (unlikely(vcpu->mp_state == KVM_MP_STATE_UNINITIALIZED))
		ret = run_uninitialized(vcpu);
	else
		ret = run_checked(vcpu);
	if (unlikely(vcpu->run->kvm_valid_regs))
		lodge_sync_regs_store(vcpu);
	run_publish(vcpu);
	if (unlikely(vcpu->run_wants))
		run_end(vcpu);
	return ret;
}

static noinline void run_refused(long ret)
{
	if (ret != -EINTR && ret != -EAGAIN && ret != -ERESTARTNOINTR)
		trace_lodge_ioctl_refused(KVM_RUN, ret);
}

long lodge_vcpu_run(struct lodge_vcpu *vcpu, unsigned long value)
{
	long ret;

	if (vcpu->vm->mm != current->mm)
		return -EIO;
	if (value)
		return -EINVAL;
	if (unlikely(!mutex_trylock(&vcpu->mutex)) && mutex_lock_killable(&vcpu->mutex))
		return -EINTR;
	WRITE_ONCE(vcpu->tid, current->pid);
	ret = run_locked(vcpu);
	mutex_unlock(&vcpu->mutex);
	if (unlikely(ret < 0))
		run_refused(ret);
	return ret;
}
