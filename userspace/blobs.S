/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files that the build puts into the tool: the compiled DSDT, the guest's init.
 */
	.macro blob name, file
	.globl	\name, \name\()_end
\name:
	.incbin	"\file"
\name\()_end:
	.endm

	.section .rodata
	blob	lodge_blob_dsdt, BLOB_DSDT
	blob	lodge_blob_init, BLOB_INIT

	.section .note.GNU-stack, "", @progbits
