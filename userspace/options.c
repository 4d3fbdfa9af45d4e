// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command line of `lodge run`. No abbreviations: what scripts type today
 * must mean the same when there are more options.
 */
#include "options.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"
#include "uapi/lodge.h"

#define MEMORY_DEFAULT	(512ULL << 20)
#define MEMORY_MIN	(16ULL << 20)
#define CPUS_MAX	254	/* eight-bit APIC ids, less the broadcast one and a spare */

static const char run_help[] =
	"usage: lodge run [OPTION]...\n\n"
	"Boots a kernel in a new VM. Without --kernel it is the host's own, with an\n"
	"initrd made on the spot that ends in a shell.\n\n"
	"  --kernel FILE         a bzImage, or an ELF kernel with a PVH entry point\n"
	"  --initrd FILE         initial RAM disk\n"
	"  --cmdline TEXT        kernel command line (default: console=ttyS0 quiet panic=-1)\n"
	"  --cpus N              vCPUs (default 1)\n"
	"  --memory SIZE         guest memory, in MiB or with K, M, G, T (default 512M)\n"
	"  --disk FILE[,ro]      raw disk image or block device; may be repeated\n"
	"  --serial stdio|FILE|PTY   where the serial console goes (default stdio)\n"
	"  --name NAME           name of the VM, as `lodge list` shows it\n"
	"  --device NODE         device node (default $LODGE_DEVICE, else /dev/lodge)\n"
	"  --report              let the guest print one line about itself and power off\n\n"
	"On a terminal, Ctrl-A x ends the VM and Ctrl-A twice sends one Ctrl-A.\n"
	"The exit status tells how the guest ended: see lodge(1).\n";

static uint64_t memory_parse(const char *text)
{
	uint64_t size;

	if (lodge_size_parse(text, &size) || size % 4096)
		lodge_fail(STATUS_USAGE, "\"%s\" is not a memory size: write one like 512M or 2G",
			   text);
	if (size < MEMORY_MIN)
		lodge_fail(STATUS_USAGE, "%s is too little memory for a kernel: give at least 16M",
			   text);
	return size;
}

static unsigned int cpus_parse(const char *text)
{
	unsigned long value;
	char *end;

	value = strtoul(text, &end, 10);
	if (!isdigit((unsigned char)text[0]) || *end || value < 1 || value > CPUS_MAX)
		lodge_fail(STATUS_USAGE, "\"%s\" is not a number of vCPUs: write one from 1 to %d",
			   text, CPUS_MAX);
	return (unsigned int)value;
}

static const char *name_parse(const char *text)
{
	size_t length = strlen(text);

	for (size_t i = 0; i < length; i++)
		if ((unsigned char)text[i] < ' ' || (unsigned char)text[i] > '~')
			length = 0;
	if (!length || length >= LODGE_NAME_MAX)
		lodge_fail(STATUS_USAGE,
			   "\"%s\" is not a VM's name: write 1 to %d printable ASCII characters",
			   text, LODGE_NAME_MAX - 1);
	return text;
}

static void disk_add(struct lodge_run_options *options, char *text)
{
	if (options->disk_count == LODGE_DISKS_MAX)
		lodge_fail(STATUS_USAGE, "a VM has at most %d disks: drop --disk %s",
			   LODGE_DISKS_MAX, text);
	options->disks[options->disk_count++] = text;
}

enum option {
	OPTION_KERNEL, OPTION_INITRD, OPTION_CMDLINE, OPTION_CPUS, OPTION_MEMORY, OPTION_DISK,
	OPTION_SERIAL, OPTION_NAME, OPTION_DEVICE, OPTION_REPORT, OPTION_HELP, OPTION_UNKNOWN,
};

static const char *const option_names[] = {
	[OPTION_KERNEL] = "--kernel", [OPTION_INITRD] = "--initrd",
	[OPTION_CMDLINE] = "--cmdline", [OPTION_CPUS] = "--cpus",
	[OPTION_MEMORY] = "--memory", [OPTION_DISK] = "--disk",
	[OPTION_SERIAL] = "--serial", [OPTION_NAME] = "--name",
	[OPTION_DEVICE] = "--device", [OPTION_REPORT] = "--report",
	[OPTION_HELP] = "--help",
};

static enum option option_find(const char *text)
{
	enum option option = OPTION_KERNEL;

	while (option < OPTION_UNKNOWN && strcmp(text, option_names[option]))
		option++;
	return option;
}

/* For options before OPTION_REPORT, which take a value. */
static void option_set(struct lodge_run_options *options, enum option option, char *value)
{
	switch (option) {
	case OPTION_KERNEL:
		options->kernel = value;
		break;
	case OPTION_INITRD:
		options->initrd = value;
		break;
	case OPTION_CMDLINE:
		options->command_line = value;
		break;
	case OPTION_CPUS:
		options->cpus = cpus_parse(value);
		break;
	case OPTION_MEMORY:
		options->memory = memory_parse(value);
		break;
	case OPTION_DISK:
		disk_add(options, value);
		break;
	case OPTION_SERIAL:
		options->serial = value;
		break;
	case OPTION_NAME:
		options->name = name_parse(value);
		break;
	default:
		options->device = value;
	}
}

bool lodge_run_options_parse(struct lodge_run_options *options, int argc, char **argv)
{
	enum option option;

	*options = (struct lodge_run_options) {
		.memory = MEMORY_DEFAULT, .cpus = 1, .serial = "stdio",
	};
	for (int i = 1; i < argc; i++) {
		option = option_find(argv[i]);
		if (option == OPTION_UNKNOWN)
			lodge_fail(STATUS_USAGE, "run does not know \"%s\": `lodge run --help`",
				   argv[i]);
		if (option == OPTION_HELP) {
			fputs(run_help, stdout);
			return false;
		}
		if (option == OPTION_REPORT) {
			options->report = true;
			continue;
		}
		if (++i == argc)
			lodge_fail(STATUS_USAGE, "%s needs a value: `lodge run --help`",
				   option_names[option]);
		option_set(options, option, argv[i]);
	}
	return true;
}
