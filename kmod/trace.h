/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * lodge's tracepoints: entry, exit, nested fault, injection, refused ioctl, state of a VM.
 * They carry numbers alone, so nothing is copied and nothing can be freed under a
 * reader. Off, each costs a patched jump. The thread that a record names is the
 * vCPU's own, which tells VMs apart where only the vCPU's id is given.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM lodge

#if !defined(LODGE_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define LODGE_TRACE_H

#include <linux/tracepoint.h>

#include "lodge.h"
#include "mmu/mmu.h"

#ifndef LODGE_TRACE_KINDS
#define LODGE_TRACE_KINDS
/* What trace_lodge_inject() tells of. */
enum lodge_inject_kind {
	LODGE_INJECT_EXCEPTION,
	LODGE_INJECT_INTERRUPT,
	LODGE_INJECT_NMI,
};
#endif

/* Spelled names for the user-space readers of the binary trace. */
TRACE_DEFINE_ENUM(LODGE_INJECT_EXCEPTION);
TRACE_DEFINE_ENUM(LODGE_INJECT_INTERRUPT);
TRACE_DEFINE_ENUM(LODGE_INJECT_NMI);
TRACE_DEFINE_ENUM(LODGE_FAULT_DONE);
TRACE_DEFINE_ENUM(LODGE_FAULT_MMIO);
TRACE_DEFINE_ENUM(LODGE_FAULT_RETRY_SLEEP);
TRACE_DEFINE_ENUM(LODGE_VM_CREATED);
TRACE_DEFINE_ENUM(LODGE_VM_RUNNING);
TRACE_DEFINE_ENUM(LODGE_VM_HALTED);
TRACE_DEFINE_ENUM(LODGE_VM_CRASHED);
TRACE_DEFINE_ENUM(LODGE_VM_DESTROYED);

#define lodge_show_inject(kind)						\
	__print_symbolic(kind,						\
		{ LODGE_INJECT_EXCEPTION,	"exception" },		\
		{ LODGE_INJECT_INTERRUPT,	"interrupt" },		\
		{ LODGE_INJECT_NMI,		"nmi" })

#define lodge_show_access(access)					\
	__print_flags(access, "|",					\
		{ LODGE_ACCESS_READ,		"read" },		\
		{ LODGE_ACCESS_WRITE,		"write" },		\
		{ LODGE_ACCESS_EXEC,		"exec" },		\
		{ LODGE_ACCESS_USER,		"user" })

#define lodge_show_fault(result)					\
	__print_symbolic(result,					\
		{ LODGE_FAULT_DONE,		"done" },		\
		{ LODGE_FAULT_MMIO,		"mmio" },		\
		{ LODGE_FAULT_RETRY_SLEEP,	"retry" })

#define lodge_show_state(state)						\
	__print_symbolic(state,						\
		{ LODGE_VM_CREATED,		"created" },		\
		{ LODGE_VM_RUNNING,		"running" },		\
		{ LODGE_VM_HALTED,		"halted" },		\
		{ LODGE_VM_CRASHED,		"crashed" },		\
		{ LODGE_VM_DESTROYED,		"destroyed" })

/* Before the guest is entered. */
TRACE_EVENT(lodge_entry,
	TP_PROTO(u32 vcpu_id, u64 rip),
	TP_ARGS(vcpu_id, rip),
	TP_STRUCT__entry(
		__field(u64, rip)
		__field(u32, vcpu_id)
	),
	TP_fast_assign(
		__entry->rip = rip;
		__entry->vcpu_id = vcpu_id;
	),
	TP_printk("vcpu=%u rip=0x%llx", __entry->vcpu_id, __entry->rip)
);

/* After it was left: @reason is the hardware's number, @info what comes with it. */
TRACE_EVENT(lodge_exit,
	TP_PROTO(u32 vcpu_id, u64 rip, u64 reason, u64 info),
	TP_ARGS(vcpu_id, rip, reason, info),
	TP_STRUCT__entry(
		__field(u64, rip)
		__field(u64, reason)
		__field(u64, info)
		__field(u32, vcpu_id)
	),
	TP_fast_assign(
		__entry->rip = rip;
		__entry->reason = reason;
		__entry->info = info;
		__entry->vcpu_id = vcpu_id;
	),
	TP_printk("vcpu=%u rip=0x%llx reason=0x%llx info=0x%llx", __entry->vcpu_id,
		  __entry->rip, __entry->reason, __entry->info)
);

/* A nested page fault and what it came to: enum lodge_fault_result or an errno. */
TRACE_EVENT(lodge_fault,
	TP_PROTO(u32 vcpu_id, gpa_t gpa, u32 access, int result),
	TP_ARGS(vcpu_id, gpa, access, result),
	TP_STRUCT__entry(
		__field(u64, gpa)
		__field(u32, vcpu_id)
		__field(u32, access)
		__field(int, result)
	),
	TP_fast_assign(
		__entry->gpa = gpa;
		__entry->vcpu_id = vcpu_id;
		__entry->access = access;
		__entry->result = result;
	),
	TP_printk("vcpu=%u gpa=0x%llx access=%s result=%d (%s)", __entry->vcpu_id, __entry->gpa,
		  lodge_show_access(__entry->access), __entry->result,
		  __entry->result < 0 ? "error" : lodge_show_fault(__entry->result))
);

/* An event goes to the guest; @error is its error code, 0 when it has none. */
TRACE_EVENT(lodge_inject,
	TP_PROTO(enum lodge_inject_kind kind, u8 vector, u32 error),
	TP_ARGS(kind, vector, error),
	TP_STRUCT__entry(
		__field(u32, kind)
		__field(u32, error)
		__field(u8, vector)
	),
	TP_fast_assign(
		__entry->kind = kind;
		__entry->error = error;
		__entry->vector = vector;
	),
	TP_printk("%s vector=0x%x error=0x%x", lodge_show_inject(__entry->kind), __entry->vector,
		  __entry->error)
);

/* An ioctl was refused: @cmd as given, @error the negative errno. */
TRACE_EVENT(lodge_ioctl_refused,
	TP_PROTO(unsigned int cmd, int error),
	TP_ARGS(cmd, error),
	TP_STRUCT__entry(
		__field(u32, cmd)
		__field(int, error)
	),
	TP_fast_assign(
		__entry->cmd = cmd;
		__entry->error = error;
	),
	TP_printk("cmd=0x%x error=%d", __entry->cmd, __entry->error)
);

/* A VM's state changed. */
TRACE_EVENT(lodge_vm_state,
	TP_PROTO(u64 vm_id, enum lodge_vm_state state),
	TP_ARGS(vm_id, state),
	TP_STRUCT__entry(
		__field(u64, vm_id)
		__field(u32, state)
	),
	TP_fast_assign(
		__entry->vm_id = vm_id;
		__entry->state = state;
	),
	TP_printk("vm=%llu %s", __entry->vm_id, lodge_show_state(__entry->state))
);

#endif

/* trace.c is compiled with the module's directory in the include path. */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
