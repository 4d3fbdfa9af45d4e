// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tool's front door: the table of verbs, from which `help` is printed, and
 * nothing else. Each verb lives in a file of its name.
 */
#include "tool.h"

#include <stdio.h>
#include <string.h>

static int verb_help(int argc, char **argv);
static int verb_version(int argc, char **argv);

static const struct verb {
	const char *name;
	const char *arguments;
	const char *summary;
	int (*main)(int argc, char **argv);
} verbs[] = {
	{ "run", "[OPTION]...", "boot a kernel in a new VM", lodge_verb_run },
	{ "check", "[-j]", "say what this host offers and what stands in the way", lodge_verb_check },
	{ "list", "[-j]", "list the VMs of this host, whatever program made them", lodge_verb_list },
	{ "events", "[OPTION]...", "print what happens to VMs, as it happens", lodge_verb_events },
	{ "bench", "[OPTION]...", "measure what exits and VMs cost, on lodge and on KVM", lodge_verb_bench },
	{ "help", "", "print this text", verb_help },
	{ "version", "", "print the tool's version", verb_version },
};

#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

static void verbs_print(FILE *out)
{
	fputs("usage: lodge VERB [ARGUMENT]...\n\n", out);
	for (unsigned int i = 0; i < VERBS; i++)
		fprintf(out, "  lodge %-8s%-14s%s\n", verbs[i].name, verbs[i].arguments,
			verbs[i].summary);
	fputs("\n`lodge VERB --help` lists the options of a verb.\n", out);
}

static int verb_help(int argc, char **argv)
{
	if (argc > 1)
		lodge_fail(STATUS_USAGE, "help takes no argument, but \"%s\" was given", argv[1]);
	verbs_print(stdout);
	return STATUS_OK;
}

static int verb_version(int argc, char **argv)
{
	if (argc > 1)
		lodge_fail(STATUS_USAGE, "version takes no argument, but \"%s\" was given",
			   argv[1]);
	puts("lodge " LODGE_TOOL_VERSION);
	return STATUS_OK;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		verbs_print(stderr);
		return STATUS_USAGE;
	}
	for (unsigned int i = 0; i < VERBS; i++)
		if (!strcmp(argv[1], verbs[i].name))
			return verbs[i].main(argc - 1, argv + 1);
	lodge_fail(STATUS_USAGE, "there is no verb \"%s\": `lodge help` lists them", argv[1]);
}
