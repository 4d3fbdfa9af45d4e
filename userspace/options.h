/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The command line of `lodge run`.
 */
#ifndef LODGE_OPTIONS_H
#define LODGE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#define LODGE_DISKS_MAX 24

/**
 * struct lodge_run_options - what the user asked for
 * @kernel: kernel image, or NULL for the host's own
 * @initrd: initrd, or NULL
 * @command_line: kernel command line, or NULL for the default
 * @name: name of the VM, or NULL
 * @device: device node, or NULL for the default
 * @serial: where the serial port goes
 * @memory: bytes of guest RAM
 * @cpus: vCPUs
 * @disks: arguments of --disk
 * @disk_count: how many
 * @report: let the guest report on itself and complete its line
 */
struct lodge_run_options {
	const char *kernel;
	const char *initrd;
	const char *command_line;
	const char *name;
	const char *device;
	const char *serial;
	uint64_t memory;
	unsigned int cpus;
	char *disks[LODGE_DISKS_MAX];
	unsigned int disk_count;
	bool report;
};

/**
 * lodge_run_options_parse() - read the command line
 * @options: filled in
 * @argc: as of main()
 * @argv: as of main(), the verb first
 *
 * Ends the tool on a bad command line.
 *
 * Return: false when only the help was asked for, and printed.
 */
bool lodge_run_options_parse(struct lodge_run_options *options, int argc, char **argv);

#endif
