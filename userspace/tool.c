// SPDX-License-Identifier: GPL-2.0-only
/*
 * Small helpers that every verb uses: the sentence on stderr, sizes. No state.
 */
#include "tool.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One write per sentence, so that sentences of several threads do not mix. */
static void sentence_print(const char *format, va_list arguments)
{
	char text[1024];

	vsnprintf(text, sizeof(text), format, arguments);
	/* Names come from outside: they must not break the line or drive the terminal. */
	for (char *c = text; *c; c++)
		if (iscntrl((unsigned char)*c))
			*c = '?';
	fprintf(stderr, "lodge: %s\n", text);
}

void lodge_fail(enum lodge_status status, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	sentence_print(format, arguments);
	va_end(arguments);
	exit(status);
}

void lodge_warn(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	sentence_print(format, arguments);
	va_end(arguments);
}

int lodge_size_parse(const char *text, uint64_t *size)
{
	static const char units[] = "KMGT";
	unsigned int shift = 20;
	unsigned long long value;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return -1;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno)
		return -1;
	if (*end) {
		const char *unit = strchr(units, toupper((unsigned char)*end));

		if (!unit || end[1])
			return -1;
		shift = 10 * (unsigned int)(unit - units + 1);
	}
	if (value > UINT64_MAX >> shift)
		return -1;
	*size = (uint64_t)value << shift;
	return 0;
}
