/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One entry into the guest and back: APM 2, 15.5 and 15.21. Called with interrupts off.
 *
 * Between VMLOAD of the guest and VMLOAD of the host the FS, GS and kernel GS bases are the guest's: no per-CPU
 * data there. GIF is off from CLGI to STGI, so that an NMI waits until the host's state is back. Every SVM
 * instruction has an exception-table entry: with EFER.SVME lost they raise #UD.
 */
#include <linux/linkage.h>
#include <asm/asm.h>
#include <asm/alternative.h>
#include <asm/msr-index.h>
#include <asm/nospec-branch.h>

#include "../return_buffer.h"

#define GPR(n)	(8 * (n))

	.section .noinstr.text, "ax"

/* int svm_enter(u64 *gprs, hpa_t vmcb_pa, hpa_t host_pa); RAX and RSP travel in the VMCB */
SYM_FUNC_START(svm_enter)
	push	%rbp
	push	%r15
	push	%r14
	push	%r13
	push	%r12
	push	%rbx
	push	%rdx			/* host_pa */
	push	%rdi			/* gprs */

	mov	%rsi, %rax
.Lclgi:	clgi
	/* With V_INTR_MASKING the host's IF decides whether host interrupts end the guest's run. */
	sti
.Lload_guest:
	vmload	%rax

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

.Lrun:	vmrun	%rax

	/* RAX and RSP are the host's again. */
.Lsave_guest:
	vmsave	%rax
	mov	(%rsp), %rax
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

	mov	8(%rsp), %rax
.Lload_host:
	vmload	%rax

	/* The guest must not steer the host's returns, nor leave values for it to speculate with. */
SYM_INNER_LABEL(svm_choice_fill, SYM_L_GLOBAL)
	ALTERNATIVE "jmp .Lno_fill", "", X86_FEATURE_RSB_VMEXIT
	LODGE_FILL_RETURN_BUFFER
.Lno_fill:
	CALL_UNTRAIN_RET
	/* Where the host wants a whole branch-prediction barrier: its own is a call that modules may not make. */
SYM_INNER_LABEL(svm_choice_barrier, SYM_L_GLOBAL)
	ALTERNATIVE_2 "jmp .Lno_barrier", "", X86_FEATURE_ENTRY_IBPB, "", X86_FEATURE_IBPB_ON_VMEXIT
	mov	$MSR_IA32_PRED_CMD, %ecx
	mov	$PRED_CMD_IBPB, %eax
	xor	%edx, %edx
	wrmsr
.Lno_barrier:
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%ebx, %ebx
	xor	%ebp, %ebp
	xor	%esi, %esi
	xor	%edi, %edi
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d
	xor	%r12d, %r12d
	xor	%r13d, %r13d
	xor	%r14d, %r14d
	xor	%r15d, %r15d
	cli
.Lstgi:	stgi
	xor	%eax, %eax
.Lout:
	add	$16, %rsp
	pop	%rbx
	pop	%r12
	pop	%r13
	pop	%r14
	pop	%r15
	pop	%rbp
	RET

	/* SVME is off. Nothing of the guest ran after the fault; what CLGI did is undone where that is possible. */
.Llost:
	cli
	mov	$-1, %eax
	jmp	.Lout

	_ASM_EXTABLE(.Lclgi, .Llost)
	_ASM_EXTABLE(.Lload_guest, .Llost)
	_ASM_EXTABLE(.Lrun, .Llost)
	_ASM_EXTABLE(.Lsave_guest, .Llost)
	_ASM_EXTABLE(.Lload_host, .Llost)
	_ASM_EXTABLE(.Lstgi, .Llost)
SYM_FUNC_END(svm_enter)
