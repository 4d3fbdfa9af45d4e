/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One run of a guest from its files to its end, for `lodge run` and for whoever measures what it does.
 */
#ifndef LODGE_RUN_H
#define LODGE_RUN_H

#include "options.h"
#include "tool.h"

struct lodge_vm;

/**
 * struct lodge_run_watch - who wants to see a guest run
 * @begin: the VM and its devices are there, and no vCPU has run; on the thread that ends the run
 * @end: the vCPUs' threads are over, the VM is still there; on the same thread
 */
struct lodge_run_watch {
	void (*begin)(const struct lodge_run_watch *watch, const struct lodge_vm *vm);
	void (*end)(const struct lodge_run_watch *watch, const struct lodge_vm *vm);
};

/**
 * lodge_run_guest() - boot a guest and wait for its end
 * @options: what is wanted
 * @watch: who is told, or NULL
 *
 * Once in a process, whose end gives back what the guest had. Ends the tool when the guest cannot be started.
 *
 * Return: how the guest ended.
 */
enum lodge_status lodge_run_guest(const struct lodge_run_options *options, const struct lodge_run_watch *watch);

#endif
