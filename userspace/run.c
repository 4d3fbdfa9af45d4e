// SPDX-License-Identifier: GPL-2.0-only
/*
 * `lodge run`: files, VM, devices, kernel, run, end. Everything that can fail
 * for the user's sake fails before a vCPU runs; what the process holds is
 * descriptors and anonymous memory, so its end leaves nothing behind.
 */
#include "run.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "blk.h"
#include "boot.h"
#include "console.h"
#include "device.h"
#include "file.h"
#include "initrd.h"
#include "options.h"
#include "pci.h"
#include "power.h"
#include "report.h"
#include "rng.h"
#include "serial.h"
#include "vm.h"

#define COMMAND_LINE_DEFAULT "console=ttyS0 quiet panic=-1"

/**
 * struct run - all that one run of a guest consists of
 * @options: what the user asked for
 * @watch: who wants to see it, or NULL
 * @image: the kernel
 * @boot: what the kernel is told
 * @entry: where it begins
 * @vm: the VM
 * @console: host's end of the serial port
 * @serial: guest's end
 * @power: power management
 * @pci: PCI bus
 * @disks: opened images
 * @blks: their devices
 * @rng: entropy source
 */
struct run {
	const struct lodge_run_options *options;
	const struct lodge_run_watch *watch;
	struct lodge_image image;
	struct lodge_boot boot;
	struct lodge_entry entry;
	struct lodge_vm vm;
	struct lodge_console console;
	struct lodge_serial serial;
	struct lodge_power power;
	struct lodge_pci pci;
	struct lodge_disk disks[LODGE_DISKS_MAX];
	struct lodge_blk *blks[LODGE_DISKS_MAX];
	struct lodge_rng *rng;
};

static const char *kernel_default(void)
{
	struct utsname host;
	char *path;

	if (uname(&host) || asprintf(&path, "/boot/vmlinuz-%s", host.release) < 0)
		lodge_fail(STATUS_FAILED, "the host does not name its kernel");
	return path;
}

static void run_initrd(struct run *run)
{
	struct lodge_boot *boot = &run->boot;
	char release[128];

	boot->initrd = -1;
	if (run->options->initrd) {
		boot->initrd_path = run->options->initrd;
		boot->initrd = lodge_file_open(boot->initrd_path, "initrd", &boot->initrd_size);
		return;
	}
	if (run->options->kernel && !run->options->report)
		return;
	if (!lodge_image_release(&run->image, release, sizeof(release)))
		lodge_fail(STATUS_IMAGE, "kernel %s does not name its release: give --initrd",
			   run->image.path);
	boot->initrd_path = "of the tool's own making";
	boot->initrd = lodge_initrd_make(release, &boot->initrd_size);
}

static void run_files(struct run *run)
{
	const struct lodge_run_options *options = run->options;

	lodge_image_read(&run->image, options->kernel ?: kernel_default());
	for (unsigned int i = 0; i < options->disk_count; i++)
		lodge_disk_open(&run->disks[i], options->disks[i]);
	run_initrd(run);
	run->boot.image = &run->image;
	run->boot.command_line = options->command_line ?: COMMAND_LINE_DEFAULT;
	if (options->report)
		run->boot.command_line = lodge_report_command_line(
			run->boot.command_line, options->disk_count ? &run->disks[0] : NULL);
}

static void run_machine(struct run *run)
{
	const struct lodge_run_options *options = run->options;
	struct lodge_vm *vm = &run->vm;

	lodge_vm_create(vm, lodge_device_path(options->device), options->memory, options->cpus);
	if (options->name)
		lodge_vm_name(vm, options->name);
	run->boot.memory = &vm->memory;
	lodge_boot_load(&run->boot, options->cpus, &run->entry);
	free(run->image.bytes);

	lodge_console_open(&run->console, options->serial);
	if (options->report)
		lodge_console_keep(&run->console, LODGE_REPORT_PREFIX);
	lodge_serial_create(&run->serial, &vm->ports, &vm->irq, &run->console);
	lodge_power_create(&run->power, vm);
	lodge_pci_create(&run->pci, vm);
	run->rng = lodge_rng_create(vm, &run->pci);
	for (unsigned int i = 0; i < options->disk_count; i++)
		run->blks[i] = lodge_blk_create(vm, &run->pci, &run->disks[i], i);
	lodge_vcpus_create(vm);
}

static sigset_t run_signals(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	return signals;
}

/* The requests to end come here, to one thread, and never into a device's code. */
static void *signals_main(void *argument)
{
	sigset_t signals = run_signals();
	int number;

	while (sigwait(&signals, &number))
		;
	lodge_vm_end(argument, STATUS_SIGNAL + (unsigned int)number, "stopped by %s",
		     strsignal(number));
	return NULL;
}

static void run_start(struct run *run)
{
	sigset_t signals = run_signals();
	pthread_t thread;
	int error;

	/* A console whose reader went away is an error of write(), not a death. */
	signal(SIGPIPE, SIG_IGN);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	error = pthread_create(&thread, NULL, signals_main, &run->vm);
	if (error)
		lodge_fail(STATUS_FAILED, "the host gives no thread for signals: %s",
			   strerror(error));
	lodge_rng_start(run->rng);
	for (unsigned int i = 0; i < run->options->disk_count; i++)
		lodge_blk_start(run->blks[i]);
	lodge_console_start(&run->console, &run->vm, &run->serial);
	if (run->watch)
		run->watch->begin(run->watch, &run->vm);
	lodge_vcpus_start(&run->vm, &run->entry);
}

/* vCPUs first: they are the ones who still use the devices. */
static void run_stop(struct run *run)
{
	lodge_vcpus_join(&run->vm);
	if (run->watch)
		run->watch->end(run->watch, &run->vm);
	lodge_rng_stop(run->rng);
	for (unsigned int i = 0; i < run->options->disk_count; i++)
		lodge_blk_stop(run->blks[i]);
	lodge_console_stop(&run->console);
}

/* Crashes have spoken already, with their registers. */
static void run_end_print(const struct lodge_vm *vm)
{
	if (vm->status == STATUS_REBOOT)
		lodge_warn("the guest asked for a reboot");
	else if (vm->status >= STATUS_SIGNAL || vm->status < STATUS_REBOOT)
		if (vm->reason[0])
			lodge_warn("%s", vm->reason);
}

enum lodge_status lodge_run_guest(const struct lodge_run_options *options, const struct lodge_run_watch *watch)
{
	static struct run run;
	enum lodge_status status;

	run.options = options;
	run.watch = watch;
	run_files(&run);
	run_machine(&run);
	run_start(&run);
	lodge_vm_wait(&run.vm);
	run_stop(&run);

	status = run.vm.status;
	run_end_print(&run.vm);
	if (options->report)
		status = lodge_report_print(run.console.kept, status);
	return status;
}

int lodge_verb_run(int argc, char **argv)
{
	struct lodge_run_options options;

	if (!lodge_run_options_parse(&options, argc, argv))
		return STATUS_OK;
	return (int)lodge_run_guest(&options, NULL);
}
