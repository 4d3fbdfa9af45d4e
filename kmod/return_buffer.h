/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Assembly shared by the two ways back from a guest: the return stack buffer is overwritten, so that no RET of the
 * host's is steered by a CALL of the guest's. As the kernel's own macro, which loops over two calls at a time; here
 * they stand in a row, a hundred bytes more of code for half the instructions of each exit. Changes the flags.
 */
#ifndef LODGE_RETURN_BUFFER_H
#define LODGE_RETURN_BUFFER_H

#include <linux/objtool.h>
#include <asm/nospec-branch.h>

/* Each call's target is the next one; where speculation returns to the call it meets INT3. */
.macro LODGE_FILL_RETURN_BUFFER
	.rept	RSB_CLEAR_LOOPS
	ANNOTATE_INTRA_FUNCTION_CALL
	call	772f
	int3
772:
	.endr
	add	$(8 * RSB_CLEAR_LOOPS), %rsp
	lfence
#ifdef CREDIT_CALL_DEPTH
	CREDIT_CALL_DEPTH
#endif
.endm

#endif
