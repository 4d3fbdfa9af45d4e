/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest's side of `lodge bench`: one loop a row, in flat 32-bit code without paging, that repeats what it
 * measures ESI times and then leaves by port 0x43. The loops are copied to where the guest begins.
 */
	.section .rodata
	.code32

	.macro bench_loop name, setup, body
	.globl	lodge_bench_\name, lodge_bench_\name\()_end
lodge_bench_\name:
	\setup
1:	\body
	dec	%esi
	jnz	1b
	out	%al, $0x43
lodge_bench_\name\()_end:
	.endm

	bench_loop cpuid, "", "xor %eax, %eax; cpuid"
	bench_loop vmcall, "", "mov $0x7777, %eax; vmcall"
	bench_loop vmmcall, "", "mov $0x7777, %eax; vmmcall"
	/* IA32_MTRRCAP, which every in-kernel MSR is like; IA32_MISC_ENABLE, written as it was read. */
	bench_loop rdmsr, "mov $0xfe, %ecx", "rdmsr"
	bench_loop wrmsr, "mov $0x1a0, %ecx; rdmsr", "wrmsr"
	/* The interrupt controller's mask, all masked. */
	bench_loop port_in, "", "in $0x21, %al"
	bench_loop port_out, "mov $0xff, %al", "out %al, $0x21"
	bench_loop ioeventfd, "", "out %al, $0x45"
	bench_loop apic_read, "", "mov 0xfee00030, %eax"
	/* To itself, vector 0x40; interrupts are off. */
	bench_loop self_ipi, "mov $0x40040, %eax", "mov %eax, 0xfee00300"
	bench_loop port_user, "", "out %al, $0x44"
	/* EDI and EBX: where to begin, and how far apart. */
	bench_loop touch, "", "movb $1, (%edi); add %ebx, %edi"
	bench_loop mmio_user, "", "mov 0xd0000000, %eax"
	/* User space raises the interrupt while it has the port's exit; the LAPIC is enabled first. */
	bench_loop irqfd, "movl $0x1ff, 0xfee000f0; sti", "out %al, $0x44"
	/* The interrupt is there already: no sleep, which no counter of instructions sees. */
	bench_loop hlt_wake, "movl $0x1ff, 0xfee000f0; mov $0x40040, %eax", "mov %eax, 0xfee00300; sti; hlt; cli"

	/* From one vCPU to another, both run by one thread: the port's exit lets it run the other. */
	bench_loop ipi, "movl $0x1ff, 0xfee000f0; movl $0x01000000, 0xfee00310; mov $0x4042, %eax", \
		"mov %eax, 0xfee00300; out %al, $0x44"

	/* The other vCPU: it leaves once for each time that it is let run. */
	.globl	lodge_bench_peer, lodge_bench_peer_end
lodge_bench_peer:
	movl	$0x1ff, 0xfee000f0
	sti
1:	out	%al, $0x44
	jmp	1b
lodge_bench_peer_end:

	/* Every interrupt's handler: a count, at BENCH_COUNTER, and the EOI. */
	.globl	lodge_bench_handler, lodge_bench_handler_end
lodge_bench_handler:
	incl	0x5000
	movl	$0, 0xfee000b0
	iret
lodge_bench_handler_end:

	.section .note.GNU-stack, "", @progbits
