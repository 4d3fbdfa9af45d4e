// SPDX-License-Identifier: GPL-2.0-only
/*
 * `lodge check`: what this host offers to VMs, what stands in the way, and the
 * next command to type. The judgement is not a guess: a VM is made and thrown
 * away. Rows and their states are ABI. No state, no lock.
 */
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <libkmod.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "device.h"
#include "host.h"
#include "print.h"
#include "tool.h"
#include "uapi/lodge.h"

enum { COLUMN_ITEM, COLUMN_STATE, COLUMN_DETAIL, COLUMNS };

static const struct lodge_column columns[COLUMNS] = {
	[COLUMN_ITEM] = { "item", 14, false },
	[COLUMN_STATE] = { "state", 8, false },
	[COLUMN_DETAIL] = { "detail", 0, false },
};

static const char check_usage[] =
	"usage: lodge check [-j] [--device NODE]\n"
	"Says what this host offers to VMs, what stands in the way, and what to type next.\n"
	"Exit status 0 when a VM can run, else by kind of obstacle: see lodge(1).\n"
	"\n"
	"  -j, --json       an array of JSON objects\n"
	"      --device NODE   device node (default $LODGE_DEVICE, else /dev/lodge)\n"
	"      --help       print this text\n";

/**
 * struct check - the output, and the verdict that builds up
 * @print: where rows go
 * @path: device node
 * @status: the first obstacle's exit status, STATUS_OK while there is none
 * @next: the command that takes the first obstacle away
 */
struct check {
	struct lodge_print print;
	const char *path;
	enum lodge_status status;
	char next[160];
};

static void __attribute__((format(printf, 4, 5)))
check_row(struct check *check, const char *item, const char *state, const char *format, ...)
{
	char detail[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(detail, sizeof(detail), format, arguments);
	va_end(arguments);
	lodge_print_row_begin(&check->print);
	lodge_print_text(&check->print, &columns[COLUMN_ITEM], item);
	lodge_print_text(&check->print, &columns[COLUMN_STATE], state);
	lodge_print_text(&check->print, &columns[COLUMN_DETAIL], *detail ? detail : NULL);
	lodge_print_row_end(&check->print);
}

/* The first obstacle is the one to take away first; later ones may follow from it. */
static void __attribute__((format(printf, 3, 4)))
check_obstacle(struct check *check, enum lodge_status status, const char *format, ...)
{
	va_list arguments;

	if (check->status != STATUS_OK)
		return;
	check->status = status;
	va_start(arguments, format);
	vsnprintf(check->next, sizeof(check->next), format, arguments);
	va_end(arguments);
}

static void check_cpu(struct check *check)
{
	char vendor[13], model[128] = "";
	unsigned int leaf[12];

	lodge_host_vendor(vendor);
	if (__get_cpuid_max(0x80000000, NULL) >= 0x80000004) {
		for (unsigned int i = 0; i < 3; i++)
			__cpuid(0x80000002 + i, leaf[4 * i], leaf[4 * i + 1], leaf[4 * i + 2],
				leaf[4 * i + 3]);
		snprintf(model, sizeof(model), ", %.48s", (const char *)leaf);
	}
	check_row(check, "cpu", "ok", "%s%s", vendor, model);
	if (lodge_host_has_feature()) {
		check_row(check, "virtualization", "ok", "%s", lodge_host_feature_name());
		return;
	}
	check_row(check, "virtualization", "missing", "the CPU shows no %s",
		  lodge_host_feature_name());
	check_obstacle(check, STATUS_NO_DEVICE,
		       "switch %s on in the firmware, or nested virtualization in the hypervisor below",
		       lodge_host_feature_name());
}

static void check_feature(struct check *check, const char *item, bool present, bool needed)
{
	check_row(check, item, present ? "ok" : needed ? "missing" : "absent", "%s",
		  present ? "" : needed ? "lodge cannot run without it" : "used where there is one");
	if (!present && needed)
		check_obstacle(check, STATUS_NO_DEVICE, "use a host whose CPU has %s", item);
}

/* CPUID leaf 0x8000000a, EDX (APM 3, appendix E.4.9). */
static void check_amd(struct check *check)
{
	unsigned int a, b, c, d = 0;

	__get_cpuid(0x8000000a, &a, &b, &c, &d);
	check_feature(check, "nested-paging", d & 1u << 0, true);
	check_feature(check, "nrip-save", d & 1u << 3, false);
	check_feature(check, "vmcb-clean", d & 1u << 5, false);
	check_feature(check, "flush-by-asid", d & 1u << 6, false);
	check_feature(check, "decode-assists", d & 1u << 7, false);
	check_feature(check, "pause-filter", d & 1u << 10, false);
	check_feature(check, "avic", d & 1u << 13, false);
	check_feature(check, "vgif", d & 1u << 16, false);
}

static void check_intel(struct check *check)
{
	check_feature(check, "ept", lodge_host_vmx_flag("ept"), true);
	check_feature(check, "unrestricted", lodge_host_vmx_flag("unrestricted_guest"), true);
	check_feature(check, "vpid", lodge_host_vmx_flag("vpid"), false);
	check_feature(check, "apicv", lodge_host_vmx_flag("apicv"), false);
	check_feature(check, "pml", lodge_host_vmx_flag("pml"), false);
}

static bool module_is_installed(void)
{
	struct kmod_ctx *kmod = kmod_new(NULL, NULL);
	struct kmod_list *list = NULL;
	bool installed;

	if (!kmod)
		return false;
	installed = kmod_module_new_from_lookup(kmod, "lodge", &list) >= 0 && list;
	kmod_module_unref_list(list);
	kmod_unref(kmod);
	return installed;
}

static void check_module(struct check *check)
{
	struct lodge_host_module module = lodge_host_module("lodge");
	struct utsname host;

	if (strcmp(check->path, "/dev/lodge"))
		return;		/* another device needs another module */
	uname(&host);
	if (module.loaded) {
		check_row(check, "module", "ok", "lodge, %u users, kernel %s", module.users,
			  host.release);
	} else if (module_is_installed()) {
		check_row(check, "module", "missing", "lodge is not loaded, kernel %s",
			  host.release);
		check_obstacle(check, STATUS_NO_DEVICE, "modprobe lodge");
	} else {
		check_row(check, "module", "missing", "lodge is not installed for kernel %s",
			  host.release);
		check_obstacle(check, STATUS_NO_DEVICE, "make install");
	}
}

static void check_holder(struct check *check)
{
	const char *holder = lodge_host_holder();
	struct lodge_host_module module;
	char at_load[8];

	if (!holder) {
		check_row(check, "other", "ok", "no other hypervisor is loaded");
		return;
	}
	module = lodge_host_module(holder);
	if (!strncmp(holder, "kvm_", 4) &&
	    lodge_host_read("/sys/module/kvm/parameters/enable_virt_at_load", at_load,
			    sizeof(at_load)) && at_load[0] == 'Y')
		check_row(check, "other", "holds", "%s holds %s from load on, unless kvm.enable_virt_at_load=0",
			  holder, lodge_host_feature_name());
	else if (module.users)
		check_row(check, "other", "holds", "%s is in use by %u", holder, module.users);
	else
		check_row(check, "other", "ok", "%s is loaded and idle", holder);
}

static void check_create_vm(struct check *check, int device)
{
	const char *holder = lodge_host_holder();
	int vm = ioctl(device, KVM_CREATE_VM, 0);

	if (vm >= 0) {
		check_row(check, "vm", "ok", "a VM was made and thrown away");
		close(vm);
		return;
	}
	check_row(check, "vm", "missing", "%s does not make one: %s", check->path, strerror(errno));
	if (errno == EBUSY && holder)
		check_obstacle(check, STATUS_BUSY, "modprobe -r %s", holder);
	else if (errno == EBUSY)
		check_obstacle(check, STATUS_BUSY, "stop the hypervisor that holds %s",
			       lodge_host_feature_name());
	else
		check_obstacle(check, STATUS_NO_DEVICE, "dmesg | tail");
}

static void check_device(struct check *check)
{
	struct lodge_query query = { .size = sizeof(query) };
	int device = open(check->path, O_RDWR | O_CLOEXEC);

	if (device < 0) {
		check_row(check, "device", "missing", "%s: %s", check->path, strerror(errno));
		if (errno == EACCES || errno == EPERM)
			check_obstacle(check, STATUS_PERMISSION, "sudo usermod -a -G kvm %s",
				       getenv("USER") ?: "$USER");
		else
			check_obstacle(check, STATUS_NO_DEVICE, "ls -l %s", check->path);
		return;
	}
	if (ioctl(device, KVM_GET_API_VERSION, 0) != KVM_API_VERSION) {
		check_row(check, "device", "missing", "%s does not speak KVM's ABI", check->path);
		check_obstacle(check, STATUS_NO_DEVICE, "unset LODGE_DEVICE");
	} else {
		check_row(check, "device", "ok", "%s", check->path);
		if (!ioctl(device, LODGE_QUERY, &query))
			check_row(check, "abi", "ok", "version %u, features 0x%llx",
				  query.abi_version, (unsigned long long)query.features);
		else
			check_row(check, "abi", "absent", "KVM's ABI alone: no names, no list");
		check_create_vm(check, device);
	}
	close(device);
}

static int check_run(const char *path, enum lodge_print_form form)
{
	struct check check = { .path = path, .status = STATUS_OK, .next = "lodge run" };

	lodge_print_begin(&check.print, stdout, form, columns, COLUMNS);
	check_cpu(&check);
	if (lodge_host_has_feature() && lodge_host_vendor(NULL) == HOST_AMD)
		check_amd(&check);
	if (lodge_host_has_feature() && lodge_host_vendor(NULL) == HOST_INTEL)
		check_intel(&check);
	check_module(&check);
	check_holder(&check);
	check_device(&check);
	check_row(&check, "next", check.status == STATUS_OK ? "ok" : "todo", "%s", check.next);
	if (lodge_print_end(&check.print)) {
		lodge_warn("the answer cannot be written: %s", strerror(errno));
		return STATUS_FAILED;
	}
	return (int)check.status;
}

int lodge_verb_check(int argc, char **argv)
{
	enum lodge_print_form form = PRINT_TABLE;
	const char *device = NULL;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "-j") || !strcmp(argv[i], "--json")) {
			form = PRINT_JSON;
		} else if (!strcmp(argv[i], "--device") && argv[i + 1]) {
			device = argv[++i];
		} else if (!strcmp(argv[i], "--help")) {
			fputs(check_usage, stdout);
			return STATUS_OK;
		} else {
			lodge_fail(STATUS_USAGE, "check does not know \"%s\": `lodge check --help`",
				   argv[i]);
		}
	}
	return check_run(lodge_device_path(device), form);
}
