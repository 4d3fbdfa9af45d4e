/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What every part of the tool shares: exit statuses, the one way to fail, the
 * verbs. Nothing about virtual machines lives here.
 */
#ifndef LODGE_TOOL_H
#define LODGE_TOOL_H

#include <stdint.h>

#define LODGE_TOOL_VERSION "0.1"

/**
 * enum lodge_status - exit statuses of the tool; they are ABI
 *
 * 0 to 15: what the host or the command line said. 16 to 31: how a guest
 * ended. 128 + n: the tool was ended by signal n, as a shell counts.
 */
enum lodge_status {
	STATUS_OK		= 0,	/* done; a guest powered itself off */
	STATUS_FAILED		= 1,	/* a host error that no other status names */
	STATUS_USAGE		= 2,	/* the command line is wrong */
	STATUS_IMAGE		= 3,	/* the kernel image is not one */
	STATUS_FILE		= 4,	/* a file is missing or cannot be used */
	STATUS_MEMORY		= 5,	/* memory that host or guest does not have */
	STATUS_PERMISSION	= 6,	/* no permission on the device */
	STATUS_NO_DEVICE	= 7,	/* no device, or no virtualization */
	STATUS_BUSY		= 8,	/* another hypervisor holds the CPU feature */
	STATUS_UNSUPPORTED	= 9,	/* the device lacks what is needed */

	STATUS_REBOOT		= 16,	/* the guest asked for a reset */
	STATUS_TRIPLE_FAULT	= 17,	/* the guest triple-faulted */
	STATUS_EMULATION	= 18,	/* an instruction that cannot be emulated */
	STATUS_ENTRY		= 19,	/* the CPU refused to enter the guest */
	STATUS_UNBACKED		= 20,	/* the guest touched unbacked memory */
	STATUS_CRASH		= 21,	/* any other end that the guest did not ask for */
	STATUS_REPORT		= 22,	/* --report: a check in the guest failed */

	STATUS_SIGNAL		= 128,
};

/**
 * lodge_fail() - say one sentence on stderr and end the tool
 * @status: exit status
 * @format: the sentence, without the leading "lodge: " and without newline
 *
 * For start-up only: once vCPU threads run, lodge_vm_end() is the way out.
 */
void lodge_fail(enum lodge_status status, const char *format, ...)
	__attribute__((noreturn, format(printf, 2, 3)));

/**
 * lodge_warn() - say one sentence on stderr and go on
 * @format: the sentence, without the leading "lodge: " and without newline
 */
void lodge_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/**
 * lodge_size_parse() - read a size such as 512M
 * @text: digits and an optional K, M, G or T; without a letter, MiB
 * @size: where the bytes go
 *
 * Return: 0, or -1 when @text is no size or does not fit 64 bits.
 */
int lodge_size_parse(const char *text, uint64_t *size);

/* Verbs: argv[0] is the verb itself; the return value is the exit status. */
int lodge_verb_run(int argc, char **argv);
int lodge_verb_check(int argc, char **argv);
int lodge_verb_list(int argc, char **argv);
int lodge_verb_events(int argc, char **argv);
int lodge_verb_bench(int argc, char **argv);

#endif
