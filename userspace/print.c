// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rows as a table or as JSON. What the rows mean is the caller's business. A
 * failed write is remembered by the stream and told once, at the end.
 */
#include "print.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

static bool form_is_json(enum lodge_print_form form)
{
	return form == PRINT_JSON || form == PRINT_JSON_LINES;
}

/* RFC 8259, section 7; bytes above ASCII pass as they are. */
static void json_string_print(FILE *out, const char *text)
{
	putc('"', out);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x20 || c == 0x7f)
			fprintf(out, "\\u%04x", c);
		else if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else
			putc(c, out);
	}
	putc('"', out);
}

/* Text from elsewhere must not move the reader's cursor. */
static void plain_text_copy(char *to, size_t size, const char *text)
{
	size_t i;

	for (i = 0; text[i] && i + 1 < size; i++)
		to[i] = isprint((unsigned char)text[i]) ? text[i] : '?';
	to[i] = '\0';
}

static void value_begin(struct lodge_print *print, const struct lodge_column *column)
{
	if (print->values++)
		fputs(form_is_json(print->form) ? ", " : "  ", print->out);
	if (form_is_json(print->form)) {
		json_string_print(print->out, column->key);
		fputs(": ", print->out);
	}
}

static void cell_print(struct lodge_print *print, const struct lodge_column *column,
		       const char *text)
{
	int width = (int)column->width;

	fprintf(print->out, "%*s", column->right ? width : -width, text);
}

void lodge_print_begin(struct lodge_print *print, FILE *out, enum lodge_print_form form,
		       const struct lodge_column *columns, unsigned int nr)
{
	*print = (struct lodge_print){ .out = out, .form = form };
	if (form == PRINT_JSON)
		putc('[', out);
	if (form != PRINT_TABLE)
		return;
	for (unsigned int i = 0; i < nr; i++) {
		char heading[32];
		size_t j;

		for (j = 0; columns[i].key[j] && j + 1 < sizeof(heading); j++)
			heading[j] = (char)toupper((unsigned char)columns[i].key[j]);
		heading[j] = '\0';
		value_begin(print, &columns[i]);
		cell_print(print, &columns[i], heading);
	}
	putc('\n', out);
}

void lodge_print_row_begin(struct lodge_print *print)
{
	if (print->form == PRINT_JSON)
		fputs(print->rows ? ",\n " : "\n ", print->out);
	if (form_is_json(print->form))
		putc('{', print->out);
	print->rows++;
	print->values = 0;
}

void lodge_print_row_end(struct lodge_print *print)
{
	if (form_is_json(print->form))
		putc('}', print->out);
	if (print->form != PRINT_JSON)
		putc('\n', print->out);
	if (print->form == PRINT_LINES || print->form == PRINT_JSON_LINES)
		fflush(print->out);
}

void lodge_print_number(struct lodge_print *print, const struct lodge_column *column,
			uint64_t value)
{
	char text[24];

	value_begin(print, column);
	snprintf(text, sizeof(text), "%" PRIu64, value);
	if (form_is_json(print->form))
		fputs(text, print->out);
	else
		cell_print(print, column, text);
}

void lodge_print_size(struct lodge_print *print, const struct lodge_column *column,
		      uint64_t bytes)
{
	static const char units[] = { 0, 'K', 'M', 'G', 'T' };
	unsigned int unit = 0;
	char text[24];

	if (form_is_json(print->form)) {
		lodge_print_number(print, column, bytes);
		return;
	}
	/* The largest unit that says it exactly, as the sizes of the command line are read. */
	while (unit + 1 < sizeof(units) && bytes && !(bytes % 1024)) {
		bytes /= 1024;
		unit++;
	}
	value_begin(print, column);
	snprintf(text, sizeof(text), unit ? "%" PRIu64 "%c" : "%" PRIu64, bytes, units[unit]);
	cell_print(print, column, text);
}

void lodge_print_text(struct lodge_print *print, const struct lodge_column *column,
		      const char *text)
{
	char plain[256];

	value_begin(print, column);
	if (!form_is_json(print->form)) {
		plain_text_copy(plain, sizeof(plain), text ? text : "-");
		cell_print(print, column, plain);
	} else if (text) {
		json_string_print(print->out, text);
	} else {
		fputs("null", print->out);
	}
}

int lodge_print_end(struct lodge_print *print)
{
	if (print->form == PRINT_JSON)
		fputs(print->rows ? "\n]\n" : "]\n", print->out);
	/* A flush that failed earlier left its mark on the stream, but no errno. */
	errno = EIO;
	return fflush(print->out) || ferror(print->out) ? -1 : 0;
}
