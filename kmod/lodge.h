/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The two central objects: a VM and a vCPU, with the legend of their locks,
 * and the few calls that every part of lodge makes on them.
 *
 * Legend of the letters at the fields:
 *   (i) immutable once the object can be found by others
 *   (a) atomic, or a single word read and written with READ_ONCE/WRITE_ONCE
 *   (r) RCU: read under rcu_read_lock() or with interrupts off, written under the lock named
 *   (m) vm->lock
 *   (s) vm->slots_lock
 *   (v) the vCPU's own: whoever holds vcpu->mutex
 *   (e) vcpu->event_lock
 * Lock order: Documentation/locking.rst.
 */
#ifndef LODGE_H
#define LODGE_H

#include <linux/atomic.h>
#include <linux/kvm.h>
#include <linux/list.h>
#include <linux/mm_types.h>
#include <linux/mutex.h>
#include <linux/rcuwait.h>
#include <linux/refcount.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "types.h"
#include "emulate/emulate.h"
#include "emulate/quick.h"

#define LODGE_MAX_VCPUS		1024
#define LODGE_MAX_VCPU_ID	4096
#define LODGE_NAME_LEN		64

struct lodge_cpuid;
struct lodge_dirty_ring;
struct lodge_fpu;
struct lodge_io_bus;
struct lodge_io_device;
struct lodge_ioapic;
struct lodge_irq_routing;
struct lodge_lapic;
struct lodge_memslots;
struct lodge_mmu;
struct lodge_msr_filter;
struct lodge_pic;
struct lodge_pit;

/* The buses on which in-kernel devices answer. */
enum lodge_bus { LODGE_BUS_PIO, LODGE_BUS_MMIO, LODGE_NR_BUSES };

/* Where the interrupt controllers live. */
enum lodge_irqchip_mode {
	LODGE_IRQCHIP_NONE,	/* all in user space */
	LODGE_IRQCHIP_KERNEL,	/* LAPIC, IOAPIC and PIC here */
	LODGE_IRQCHIP_SPLIT,	/* LAPICs here, IOAPIC and PIC in user space */
};

/* Why a VM can no longer run; the names are in vm.c. */
enum lodge_vm_death {
	LODGE_VM_ALIVE,
	LODGE_VM_KILLED_HARDWARE,	/* the CPU feature was lost under the running guest */
	LODGE_VM_KILLED_RING,		/* its VMM made a vCPU write more than its dirty ring holds */
	LODGE_VM_KILLED_BUG,		/* lodge caught an inconsistency of its own */
};

/* What netlink tells about a VM. */
enum lodge_vm_state {
	LODGE_VM_CREATED,
	LODGE_VM_RUNNING,
	LODGE_VM_HALTED,
	LODGE_VM_CRASHED,
	LODGE_VM_DESTROYED,
};

struct lodge_vm {
	struct mm_struct *mm;			/* (i) the VMM's; held by mmgrab */
	refcount_t users;			/* the VM fd and each vCPU fd */
	u64 id;					/* (i) never used twice */
	pid_t pid;				/* (i) of the creator, as the initial namespace sees it */
	struct mutex lock;
	struct mutex slots_lock;
	struct list_head link;			/* in lodge_vm_list, under lodge_vm_list_lock */
	struct delayed_work free_work;		/* queued with the last reference */
	char name[LODGE_NAME_LEN];		/* (m) */

	struct lodge_memslots __rcu *memslots;	/* (r) written under slots_lock */
	struct lodge_mmu *mmu;			/* (i) nested tables, their lock, the notifier's count */
	struct lodge_io_bus __rcu *buses[LODGE_NR_BUSES];	/* (r) slots_lock */
	u64 io_generation;			/* (a) grows after each change of a bus or of the memslots */

	struct xarray vcpus;			/* (r) by index, as created; added under lock, never removed */
	unsigned int nr_vcpus;			/* (a) grows under lock, after the vCPU is in the xarray */
	u32 boot_vcpu_id;			/* (m) */
	u32 max_vcpu_id;			/* (m) KVM_CAP_MAX_VCPU_ID, or 0 */

	enum lodge_irqchip_mode irqchip_mode;	/* (m) set once, published last: smp_store_release */
	u16 nr_reserved_pins;			/* (m) GSIs that user space's IOAPIC owns in split mode */
	struct lodge_irqchip *irqchip;		/* (i) after irqchip_mode: all of irqchip/ that is per VM */
	struct lodge_irqfds *irqfds;		/* (i) eventfd.c */

	struct lodge_vm_clock *clock;		/* (i) clock.c: kvm-clock's per-VM part */
	u64 disabled_quirks;			/* (a) */
	bool platform_info_hidden;		/* (a) KVM_CAP_MSR_PLATFORM_INFO: the guest may not read it */
	bool x2apic_ids32;			/* (a) KVM_CAP_X2APIC_API: KVM_X2APIC_API_USE_32BIT_IDS */
	bool x2apic_broadcasts32;		/* (a) likewise: KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK */
	u32 disabled_exits;			/* (m) KVM_X86_DISABLE_EXITS_*; fixed when a vCPU exists */
	u32 user_msr_exits;			/* (a) KVM_MSR_EXIT_REASON_*: which MSR faults user space takes */
	struct lodge_msr_filter __rcu *msr_filter;	/* (r) written under lock */
	bool exception_payload;			/* (a) KVM_CAP_EXCEPTION_PAYLOAD is enabled */
	bool emulation_failure_exits;		/* (a) KVM_CAP_EXIT_ON_EMULATION_FAILURE is enabled */
	bool triple_fault_event;		/* (a) KVM_CAP_X86_TRIPLE_FAULT_EVENT is enabled */
	u32 death;				/* (a) enum lodge_vm_death */
	u32 state;				/* (a) enum lodge_vm_state, for netlink */
	const char *reason;			/* (a) of the last crash, a constant string */
	atomic_t nr_halted;			/* vCPUs halted with interrupts off */
	atomic64_t tlb_generation;		/* bumped when nested translations were removed */
	u64 tss_addr, identity_map_addr;	/* (m) accepted and unused: nested paging needs neither */
	bool user_dirty_protect;		/* (m) KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 */
	u32 dirty_ring_bytes;			/* (a) KVM_CAP_DIRTY_LOG_RING, set once before any vCPU is made; or 0 */
	struct page *coalesced_ring;		/* (a) made on its first mapping or registration */
};

/* Requests to a vCPU: bits of vcpu->requests, handled in lodge_run_requests(). */
enum lodge_request {
	LODGE_REQ_EVENT,	/* look at interrupts and exceptions anew */
	LODGE_REQ_TLB_FLUSH,	/* drop nested translations of this vCPU */
	LODGE_REQ_NMI,		/* vcpu->nmi_queued has grown */
	LODGE_REQ_APIC,		/* INIT or SIPI waits in the LAPIC */
	LODGE_REQ_CLOCK,	/* the kvm-clock page must be written again */
	LODGE_REQ_EOI_SCAN,	/* routing changed: which vectors need a broadcast EOI */
	LODGE_REQ_STEAL,	/* the steal-time page must be written again */
	LODGE_REQ_ASYNC_PF,	/* tasks that wait for pages must be woken */
	LODGE_REQ_MSR_FILTER,	/* vm->msr_filter was replaced */
	LODGE_REQ_DEAD,		/* the VM was killed */
	LODGE_REQ_DIRTY_RING,	/* the dirty ring is as good as full */
	LODGE_REQ_LOG,		/* a dirty log began or the last one ended: lodge_dirty_follow() */
	LODGE_REQ_KICK,		/* nothing to do but leave the guest once */
};

enum lodge_vcpu_mode { LODGE_OUTSIDE_GUEST, LODGE_IN_GUEST };

/* Events on their way to the guest; no vendor's encoding. */
struct lodge_events {
	union {
		struct {
			bool exception_pending;		/* raised, not yet written to the hardware */
			bool exception_injected;	/* its delivery was cut short: deliver again */
			bool interrupt_injected, nmi_injected;	/* likewise */
		};
		u32 in_flight;		/* all at once: looked at before each entry */
	};
	struct {
		bool has_error;
		bool has_payload;	/* payload not yet in CR2 or DR6 */
		u8 vector;
		u32 error;
		u64 payload;
	} exception;
	u8 interrupt_vector;
	struct {
		bool masked;		/* until IRET */
		u8 pending;		/* at most 2 */
	} nmi;
};

/* A port access as the CPU reports it. */
struct lodge_exit_io {
	u16 port;
	u8 size;
	bool in;
	u32 value;
	u64 rip, next_rip;	/* @rip: of the instruction, while user space answers */
};

/**
 * struct lodge_io_hint - what a port's search found last: good while the bus has not changed
 * @generation: vm->io_generation when it was searched for
 */
struct lodge_io_hint {
	u64 generation;
	u32 key;		/* port, and the access's length above it; 0: never searched */
	struct lodge_io_device *dev;	/* NULL: none, it is user space's */
};

#define LODGE_NR_IO_HINTS	8	/* by the low bits of the port */

/**
 * struct lodge_mmio_hint - the same for a GPA, which moreover is in no memslot
 * All zeroes is true of a VM that never had a slot or a device.
 */
struct lodge_mmio_hint {
	u64 generation;
	gpa_t gpa;
	u32 len;
	struct lodge_io_device *dev;	/* that covers an access of @len bytes; NULL: none, it is user space's */
};

#define LODGE_NR_MMIO_HINTS	8	/* by the number of the register, were each of 4 bytes */

/* What the pending user-space exit still owes when KVM_RUN comes back. */
enum lodge_completion {
	LODGE_COMPLETE_NONE,
	LODGE_COMPLETE_PORT,		/* fast port access: data to RAX */
	LODGE_COMPLETE_MOVE,		/* a load from a device: vcpu->move */
	LODGE_COMPLETE_EMULATE,		/* lodge_emulate_resume() goes on */
	LODGE_COMPLETE_MSR,		/* RDMSR or WRMSR: the value, or #GP */
};

/* What KVM_RUN begins with, for the vCPUs that want it. */
#define LODGE_RUN_SIGSET	BIT(0)	/* vcpu->sigset is the thread's signal mask */
#define LODGE_RUN_STEAL		BIT(1)	/* the guest is told of its stolen time */

struct lodge_vcpu {
	/* hot: touched on every exit */
	u64 gprs[LODGE_NR_GPRS];		/* (v) RSP lives in the backend's block while the guest runs */
	u64 rip;				/* (v) */
	u64 rflags;				/* (v) */
	u64 cr0, cr2, cr3, cr4, cr8, efer;	/* (v) as the guest sees them; cr8 only without LAPIC */
	unsigned long requests;			/* (a) bits of enum lodge_request */
	u32 mode;				/* (a) enum lodge_vcpu_mode */
	int cpu;				/* (a) the CPU it last ran on, or -1 */
	struct lodge_vm *vm;			/* (i) */
	struct lodge_lapic *lapic;		/* (i) or NULL */
	const u32 *tpr;				/* (i) its task-priority register, or NULL */
	struct kvm_run *run;			/* (i) */
	struct lodge_cpuid *cpuid;		/* (v) */
	struct lodge_events events;		/* (v) */
	bool events_injected;			/* (v) the hardware holds one of them for the next entry */
	bool tpr_blocks;			/* (v) an interrupt waits behind the TPR */
	bool shadow;				/* (v) an interrupt shadow was in force at the exit */
	union {
		struct {
			bool triple_fault;	/* (v) */
			bool debug_step_done;	/* (v) an emulated instruction ended a debugger's step */
		};
		u16 user_exits;			/* (v) both at once: user space hears of them */
	};
	bool section_undo;			/* (v) the backend has something to bring back when the section ends */
	int (*deferred)(struct lodge_vcpu *vcpu);	/* (v) handler that needed to sleep */
	struct lodge_exit_io io;		/* (v) the port exit being handled */
	struct lodge_io_hint io_hints[LODGE_NR_IO_HINTS];	/* (v) */
	struct lodge_code code;			/* (v) what follows, of the instruction looked at in the section */
	gpa_t code_gpa;
	u64 code_bytes[LODGE_QUICK_BYTES / sizeof(u64)];	/* (v) at RIP, read in the section */
	struct lodge_quick move;		/* (v) the move being handled */
	u64 move_bytes[LODGE_QUICK_BYTES / sizeof(u64)];	/* (v) what it was decoded from */
	struct {
		gpa_t gpa;
		u32 access;
		bool gva_valid;		/* the GPA is the operand's own, not that of a table of the guest's */
	} fault;				/* (v) the nested fault being handled */
	struct lodge_mmio_hint mmio_hints[LODGE_NR_MMIO_HINTS];	/* (v) */
	u64 tlb_generation;			/* (v) the vm->tlb_generation that the TLB holds */
	u64 next_rip;				/* (v) behind the instruction that exited, 0 when not known */
	u64 cpuid_exits_defer;			/* (v) 0, or all ones while CPUID faults outside CPL 0 */
	u64 msr_exits_defer;			/* (v) 0, or all ones: MSR exits leave the section */

	/* warm */
	struct lodge_fpu *fpu;			/* (i) */
	u64 xcr0, guest_xcr0_mask;		/* (v) */
	u64 xss;				/* (v) */
	u32 pkru;				/* (v) */
	u64 db[4], dr6, dr7;			/* (v) as the guest sees them */
	u64 pat, apic_base;			/* (v) */
	u64 tsc_offset;				/* (v) guest TSC = host TSC * tsc_ratio + tsc_offset */
	u64 tsc_ratio;				/* (v) in the form of lodge_tsc_format */
	u32 tsc_khz;				/* (v) KVM_SET_TSC_KHZ */
	u64 tsc_adjust;				/* (v) */
	u64 misc_enable;			/* (v) */
	u32 mp_state;				/* (v) KVM_MP_STATE_* */
	bool ran;				/* (v) KVM_RUN was entered once: CPUID is fixed */
	enum lodge_completion completion;	/* (v) */
	u64 msr_exit_rip;			/* (v) of the RDMSR or WRMSR that user space answers */
	bool msr_exit_writes;			/* (v) likewise */
	bool pv_unhalted;			/* (a) another vCPU kicked it out of HLT */
	bool pv_enforced;			/* (v) KVM_CAP_ENFORCE_PV_FEATURE_CPUID */
	struct lodge_vcpu_pv *pv;		/* (i) pv.c: kvm-clock, steal time, PV EOI */
	struct lodge_dirty_ring *dirty_ring;	/* (i) or NULL */
	struct lodge_vcpu_msrs *msrs;		/* (i) msr.c: MTRRs, machine check banks */
	struct lodge_emulate emulate;		/* (v) */

	/* cold */
	u32 id;					/* (i) also the initial APIC ID */
	u32 index;				/* (i) order of creation */
	struct mutex mutex;
	struct rcuwait wait;			/* HLT and waiting for SIPI; wakes from any context */
	pid_t tid;				/* (a) thread that was last in KVM_RUN, in the initial namespace */
	atomic_t nmi_queued;			/* NMIs asked for from outside */
	sigset_t sigset, saved_sigset;		/* (v) KVM_SET_SIGNAL_MASK; the thread's own while KVM_RUN lasts */
	u8 run_wants;				/* (v) LODGE_RUN_* */
	bool halted_idle;			/* (v) counted in vm->nr_halted */
	struct page *pio_page;			/* (a) made on first use */
	void *pio_data;				/* (v) its address, once an exit needed it */
	u64 nr_exits;				/* (v) */
	u64 nr_tlb_flushes;			/* (v) of nested translations, those of vm->tlb_generation among them */
	atomic64_t nr_kicks;			/* interrupts sent to the CPU that had it in the guest */
	u32 guest_debug;			/* (v) KVM_GUESTDBG_* */
	u64 debug_dr7, debug_db[4];		/* (v) of KVM_SET_GUEST_DEBUG */
	u64 singlestep_rip;			/* (v) where a debugger's step began */
};

/* vm.c */
extern struct list_head lodge_vm_list;
extern struct mutex lodge_vm_list_lock;

/**
 * lodge_vm_create() - make a VM for the calling process
 * Return: the VM with one reference, or ERR_PTR: -ENOMEM, -EBUSY (another hypervisor holds the CPU feature), -EINTR.
 * Context: may sleep.
 */
struct lodge_vm *lodge_vm_create(void);
void lodge_vm_get(struct lodge_vm *vm);
void lodge_vm_put(struct lodge_vm *vm);

/**
 * lodge_vm_kill() - the VM can never run again; the host goes on
 * @vm: the VM
 * @why: the reason, kept for KVM_RUN's answer and for netlink
 * Context: any, interrupts off included. Only the first call counts.
 */
void lodge_vm_kill(struct lodge_vm *vm, enum lodge_vm_death why);

/**
 * lodge_vm_has_lapics() - whether the LAPICs are in the kernel
 */
static inline bool lodge_vm_has_lapics(const struct lodge_vm *vm)
{
	return smp_load_acquire(&vm->irqchip_mode) != LODGE_IRQCHIP_NONE;
}

/*
 * Walk the vCPUs that exist now; @i is an unsigned long. Pairs with the release in lodge_vcpu_fd_create(): one
 * that is not counted yet may still be taken back.
 */
#define lodge_for_each_vcpu(i, vcpu, vm)					\
	for ((i) = 0; (i) < smp_load_acquire(&(vm)->nr_vcpus) &&		\
		      ((vcpu) = xa_load(&(vm)->vcpus, (i))); (i)++)

/* vcpu.c */

/**
 * lodge_vcpu_kick() - make a vCPU look at its requests
 * @vcpu: the vCPU; if it is in the guest it leaves, if it sleeps in HLT it wakes
 * Context: any, interrupts off included.
 */
void lodge_vcpu_kick(struct lodge_vcpu *vcpu);

/**
 * lodge_vcpu_request() - post a request and kick
 * @vcpu: the vCPU
 * @request: what it shall do before it next enters the guest
 * Context: any, interrupts off included.
 */
void lodge_vcpu_request(struct lodge_vcpu *vcpu, enum lodge_request request);

/* A request of the running vCPU to itself: no kick, no barrier. */
static inline void lodge_vcpu_request_self(struct lodge_vcpu *vcpu, enum lodge_request request)
{
	set_bit(request, &vcpu->requests);
}

static inline bool lodge_vcpu_test_request(struct lodge_vcpu *vcpu, enum lodge_request request)
{
	return test_bit(request, &vcpu->requests);
}

static inline bool lodge_vcpu_take_request(struct lodge_vcpu *vcpu, enum lodge_request request)
{
	if (!test_bit(request, &vcpu->requests))
		return false;
	clear_bit(request, &vcpu->requests);
	smp_mb__after_atomic();	/* pairs with the set_bit in lodge_vcpu_request(): its data is seen */
	return true;
}

/**
 * lodge_vcpu_nmi() - queue an NMI
 * Context: any.
 */
void lodge_vcpu_nmi(struct lodge_vcpu *vcpu);

/**
 * lodge_vcpu_by_id() - find a vCPU by its APIC ID as created
 * Return: the vCPU or NULL. It lives as long as the VM.
 */
struct lodge_vcpu *lodge_vcpu_by_id(struct lodge_vm *vm, u32 id);

/**
 * lodge_vcpu_reset() - INIT: bring the register state to its architectural reset values
 * @vcpu: the vCPU, whose mutex the caller holds
 * @init: true for INIT (MSRs, FPU and TSC survive), false for power-up
 * Context: may sleep. APM 2, 14.1.3; SDM 3, 10.1.1.
 */
void lodge_vcpu_reset(struct lodge_vcpu *vcpu, bool init);

/* emulate/mmio.c, beside lodge_vcpu_emulate() of emulate/emulate.h */

/**
 * lodge_vcpu_emulate_complete() - user space answered the access that stopped the emulation
 * Return: as lodge_vcpu_emulate(). Context: may sleep.
 */
int lodge_vcpu_emulate_complete(struct lodge_vcpu *vcpu);

/**
 * lodge_vcpu_decode() - decode the instruction at RIP into vcpu->emulate
 * Return: EMULATE_DONE; EMULATE_FAULT with the exception already queued; EMULATE_RETRY, EMULATE_UNHANDLED.
 * Context: may sleep.
 */
enum lodge_emulate_result lodge_vcpu_decode(struct lodge_vcpu *vcpu);

/**
 * lodge_vcpu_emulate_done() - take rip, rflags, single step and shadow over from vcpu->emulate after
 * lodge_emulate_store() or lodge_emulate_skip(); a due #DB is queued.
 */
void lodge_vcpu_emulate_done(struct lodge_vcpu *vcpu);

/**
 * lodge_vcpu_emulate_result() - what an emulator call's result means for the run loop
 * @result: FAULT queues the exception, IO fills vcpu->run and sets vcpu->completion, UNHANDLED fails
 * Return: LODGE_EXIT_RESUME, LODGE_EXIT_USER or -errno.
 */
int lodge_vcpu_emulate_result(struct lodge_vcpu *vcpu, enum lodge_emulate_result result);

/* RIP behind an instruction of @length bytes at vcpu->rip: cut to 32 bits outside 64-bit code. */
u64 lodge_next_rip(struct lodge_vcpu *vcpu, unsigned int length);

/* Fill vcpu->run with KVM_EXIT_INTERNAL_ERROR/KVM_INTERNAL_ERROR_EMULATION and the instruction's bytes. */
int lodge_vcpu_emulate_failed(struct lodge_vcpu *vcpu);

/* The page of string port data at offset 4096 of the run mapping; made on first use. NULL: no memory. */
void *lodge_vcpu_pio_data(struct lodge_vcpu *vcpu);

/* event.c */

/**
 * lodge_queue_exception() - raise an exception in the guest; two that collide become #DF, then a triple fault
 * @vector: X86_TRAP_*
 * @has_error, @error: error code
 * Context: the vCPU's own thread.
 */
void lodge_queue_exception(struct lodge_vcpu *vcpu, u8 vector, bool has_error, u32 error);
void lodge_queue_page_fault(struct lodge_vcpu *vcpu, u32 error, u64 cr2);
void lodge_queue_debug(struct lodge_vcpu *vcpu, u64 dr6);	/* #DB with these bits for DR6 */

/* exit.c: KVM_EXIT_DEBUG after an emulated instruction under a debugger's single step. */
int lodge_debug_step_done(struct lodge_vcpu *vcpu);

#endif
