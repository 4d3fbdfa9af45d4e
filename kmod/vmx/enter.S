/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One entry into the guest and back: SDM 3, 27 and 28. Called with interrupts off, the VMCS current.
 *
 * The exit brings back the host's RSP, RIP, segments and GS base, and leaves every general register but RSP to the
 * guest's values. Until the return buffer is filled no RET and no indirect branch may run. Each VMX instruction has an
 * exception-table entry: with VMX operation lost they raise #UD.
 */
#include <linux/linkage.h>
#include <asm/asm.h>
#include <asm/alternative.h>
#include <asm/ibt.h>
#include <asm/msr-index.h>
#include <asm/nospec-branch.h>
#include <asm/percpu.h>
#include <asm/segment.h>

#include "branch_history.h"
#include "vmcs.h"
#include "../return_buffer.h"

#define GPR(n)	(8 * (n))

	.section .rodata, "a"
	.balign 2
.Lverw:	.word	__KERNEL_DS		/* VERW clears the CPU's buffers when its operand is in memory */

	.section .noinstr.text, "ax"

/* int vmx_enter(u64 *gprs, u64 *host_rsp, bool launched); RSP, RIP and RFLAGS travel in the VMCS */
SYM_FUNC_START(vmx_enter)
	push	%rbp
	push	%r15
	push	%r14
	push	%r13
	push	%r12
	push	%rbx
	push	%rdi			/* gprs */

	/* The stack is mostly as deep as last time. */
	cmp	%rsp, (%rsi)
	je	.Lstack_known
	mov	%rsp, (%rsi)
	mov	$VMCS_HOST_RSP, %eax
.Lwrite:
	vmwrite	%rsp, %rax
.Lstack_known:
	bt	$0, %edx		/* the carry flag outlives VERW */

	mov	GPR(0)(%rdi), %rax
	mov	GPR(1)(%rdi), %rcx
	mov	GPR(2)(%rdi), %rdx
	mov	GPR(3)(%rdi), %rbx
	mov	GPR(5)(%rdi), %rbp
	mov	GPR(6)(%rdi), %rsi
	mov	GPR(8)(%rdi), %r8
	mov	GPR(9)(%rdi), %r9
	mov	GPR(10)(%rdi), %r10
	mov	GPR(11)(%rdi), %r11
	mov	GPR(12)(%rdi), %r12
	mov	GPR(13)(%rdi), %r13
	mov	GPR(14)(%rdi), %r14
	mov	GPR(15)(%rdi), %r15
	mov	GPR(7)(%rdi), %rdi

	/* The guest must not find the host's data in the CPU's buffers. */
SYM_INNER_LABEL(vmx_choice_verw, SYM_L_GLOBAL)
	ALTERNATIVE_2 "jmp .Lno_verw", "", X86_FEATURE_CLEAR_CPU_BUF, "", X86_FEATURE_CLEAR_CPU_BUF_VM
	verw	.Lverw(%rip)
.Lno_verw:
	jnc	.Llaunch
.Lresume:
	vmresume
	jmp	.Lrefused
.Llaunch:
	vmlaunch
	jbe	.Lrefused

	/* Where exits go. */
SYM_INNER_LABEL(vmx_exited, SYM_L_GLOBAL)
	ENDBR
	push	%rax
	mov	8(%rsp), %rax
	mov	%rcx, GPR(1)(%rax)
	mov	%rdx, GPR(2)(%rax)
	mov	%rbx, GPR(3)(%rax)
	mov	%rbp, GPR(5)(%rax)
	mov	%rsi, GPR(6)(%rax)
	mov	%rdi, GPR(7)(%rax)
	mov	%r8, GPR(8)(%rax)
	mov	%r9, GPR(9)(%rax)
	mov	%r10, GPR(10)(%rax)
	mov	%r11, GPR(11)(%rax)
	mov	%r12, GPR(12)(%rax)
	mov	%r13, GPR(13)(%rax)
	mov	%r14, GPR(14)(%rax)
	mov	%r15, GPR(15)(%rax)
	pop	GPR(0)(%rax)
	xor	%ebx, %ebx

	/* The guest must not steer the host's returns and branches, nor leave values for it to speculate with. */
.Lprotect:
SYM_INNER_LABEL(vmx_choice_fill, SYM_L_GLOBAL)
	ALTERNATIVE "jmp .Lno_fill", "", X86_FEATURE_RSB_VMEXIT
	LODGE_FILL_RETURN_BUFFER
.Lno_fill:
	/* Instead of all, on CPUs that protect every entry but the first. */
SYM_INNER_LABEL(vmx_choice_fill_one, SYM_L_GLOBAL)
	ALTERNATIVE "jmp .Lno_fill_one", "", X86_FEATURE_RSB_VMEXIT_LITE
	__FILL_ONE_RETURN
.Lno_fill_one:
	/* The write restricts indirect branches, even one of the value that is there: SDM 4, IA32_SPEC_CTRL. */
SYM_INNER_LABEL(vmx_choice_ibrs, SYM_L_GLOBAL)
	ALTERNATIVE "jmp .Lno_ibrs", "", X86_FEATURE_KERNEL_IBRS
	mov	$MSR_IA32_SPEC_CTRL, %ecx
	movl	PER_CPU_VAR(x86_spec_ctrl_current), %eax
	movl	PER_CPU_VAR(x86_spec_ctrl_current + 4), %edx
	wrmsr
.Lno_ibrs:
#ifdef VMX_CLEAR_BHB
	/* Fill the branch history with branches of the host's: the kernel's own routine is not for modules. */
SYM_INNER_LABEL(vmx_choice_history, SYM_L_GLOBAL)
	ALTERNATIVE "jmp .Lno_history", "", VMX_CLEAR_BHB
	mov	$5, %ecx
	call	vmx_fill_history
	lfence
.Lno_history:
#endif
	mov	%ebx, %eax
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%esi, %esi
	xor	%edi, %edi
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d
	add	$8, %rsp
	pop	%rbx
	pop	%r12
	pop	%r13
	pop	%r14
	pop	%r15
	pop	%rbp
	RET

	/* The entry did not happen: general registers are the guest's still, which no one needs. */
.Lrefused:
	mov	$1, %ebx
	jmp	.Lprotect
.Llost:
	mov	$-1, %ebx
	jmp	.Lprotect

	_ASM_EXTABLE(.Lwrite, .Llost)
	_ASM_EXTABLE(.Lresume, .Llost)
	_ASM_EXTABLE(.Llaunch, .Llost)
SYM_FUNC_END(vmx_enter)

#ifdef VMX_CLEAR_BHB
/* ECX runs of taken branches, EAX of them each: enough for every CPU that needs it. */
SYM_FUNC_START_LOCAL_NOALIGN(vmx_fill_history)
.Lhistory:
	mov	$5, %eax
.Lbranch:
	jmp	.Ltaken
	nop
.Ltaken:
	sub	$1, %eax
	jnz	.Lbranch
	sub	$1, %ecx
	jnz	.Lhistory
	RET
SYM_FUNC_END(vmx_fill_history)
#endif
