// SPDX-License-Identifier: GPL-2.0-only
/*
 * `lodge list`: every VM of the host, whatever VMM made it, one row each. The
 * rows' columns are also those of `lodge events`. Their order and names are ABI.
 */
#include "netlink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "generated/netlink_names.h"
#include "tool.h"

enum { COLUMN_ID, COLUMN_NAME, COLUMN_PID, COLUMN_VCPUS, COLUMN_MEMORY, COLUMN_STATE,
       COLUMN_REASON };

const struct lodge_column lodge_vm_columns[LODGE_VM_COLUMNS] = {
	[COLUMN_ID] = { "id", 4, true },
	[COLUMN_NAME] = { "name", 16, false },
	[COLUMN_PID] = { "pid", 7, true },
	[COLUMN_VCPUS] = { "vcpus", 5, true },
	[COLUMN_MEMORY] = { "memory", 8, true },
	[COLUMN_STATE] = { "state", 9, false },
	[COLUMN_REASON] = { "reason", 0, false },
};

static const char list_usage[] =
	"usage: lodge list [-j]\n"
	"Lists the VMs of this host, whatever program made them. Needs CAP_NET_ADMIN.\n"
	"\n"
	"  -j, --json    an array of JSON objects; memory in bytes\n"
	"      --help    print this text\n";

static const char *state_name(uint32_t state)
{
	if (state >= sizeof(lodge_state_names) / sizeof(lodge_state_names[0]))
		return "unknown";	/* the module is newer than the tool */
	return lodge_state_names[state];
}

static const char *text_or_null(const char *text)
{
	return *text ? text : NULL;
}

void lodge_vm_values_print(struct lodge_print *print, const struct lodge_vm_info *vm)
{
	const struct lodge_column *columns = lodge_vm_columns;

	lodge_print_number(print, &columns[COLUMN_ID], vm->id);
	lodge_print_text(print, &columns[COLUMN_NAME], text_or_null(vm->name));
	lodge_print_number(print, &columns[COLUMN_PID], vm->pid);
	lodge_print_number(print, &columns[COLUMN_VCPUS], vm->vcpus);
	lodge_print_size(print, &columns[COLUMN_MEMORY], vm->memory);
	lodge_print_text(print, &columns[COLUMN_STATE], state_name(vm->state));
	lodge_print_text(print, &columns[COLUMN_REASON], text_or_null(vm->reason));
}

static int vms_print(enum lodge_print_form form)
{
	struct lodge_netlink *netlink = lodge_netlink_open();
	struct lodge_vm_infos infos = lodge_netlink_vms(netlink);
	struct lodge_print print;
	int status = STATUS_OK;

	lodge_print_begin(&print, stdout, form, lodge_vm_columns, LODGE_VM_COLUMNS);
	for (size_t i = 0; i < infos.nr; i++) {
		lodge_print_row_begin(&print);
		lodge_vm_values_print(&print, &infos.vms[i]);
		lodge_print_row_end(&print);
	}
	if (lodge_print_end(&print)) {
		lodge_warn("the list cannot be written: %s", strerror(errno));
		status = STATUS_FAILED;
	}
	free(infos.vms);
	lodge_netlink_close(netlink);
	return status;
}

int lodge_verb_list(int argc, char **argv)
{
	enum lodge_print_form form = PRINT_TABLE;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "-j") || !strcmp(argv[i], "--json")) {
			form = PRINT_JSON;
		} else if (!strcmp(argv[i], "--help")) {
			fputs(list_usage, stdout);
			return STATUS_OK;
		} else {
			lodge_fail(STATUS_USAGE, "list does not know \"%s\": `lodge list --help`",
				   argv[i]);
		}
	}
	return vms_print(form);
}
