/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rows of named values for people or for programs: the caller says each value
 * once, the printer writes a table column or a JSON member. No locking; a
 * printer belongs to one thread.
 */
#ifndef LODGE_PRINT_H
#define LODGE_PRINT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/**
 * enum lodge_print_form - what the rows become
 * @PRINT_TABLE: one line each, below a line of headings
 * @PRINT_LINES: the same without headings, flushed line by line
 * @PRINT_JSON: one array of objects
 * @PRINT_JSON_LINES: one object per line, flushed line by line
 */
enum lodge_print_form { PRINT_TABLE, PRINT_LINES, PRINT_JSON, PRINT_JSON_LINES };

/**
 * struct lodge_column - one value of a row
 * @key: JSON member, and in capitals the heading
 * @width: letters of its column; a longer value pushes the rest of its line on
 * @right: numbers stand at the right edge
 */
struct lodge_column {
	const char *key;
	unsigned int width;
	bool right;
};

/**
 * struct lodge_print - the printer's place in its output
 * @out: where to
 * @form: of the output
 * @rows: begun so far
 * @values: printed of the current row
 */
struct lodge_print {
	FILE *out;
	enum lodge_print_form form;
	unsigned long rows;
	unsigned int values;
};

/**
 * lodge_print_begin() - start the output
 * @print: the printer to set up
 * @out: open stream
 * @form: what rows become
 * @columns: for the headings of PRINT_TABLE, in the order in which values will come
 * @nr: how many
 */
void lodge_print_begin(struct lodge_print *print, FILE *out, enum lodge_print_form form,
		       const struct lodge_column *columns, unsigned int nr);

/** lodge_print_row_begin() - start a row */
void lodge_print_row_begin(struct lodge_print *print);

/** lodge_print_row_end() - close the row */
void lodge_print_row_end(struct lodge_print *print);

/** lodge_print_number() - one number of the row */
void lodge_print_number(struct lodge_print *print, const struct lodge_column *column,
			uint64_t value);

/** lodge_print_size() - bytes: with a unit for people, plain for programs */
void lodge_print_size(struct lodge_print *print, const struct lodge_column *column,
		      uint64_t bytes);

/** lodge_print_text() - text; NULL is "-" for people, null for programs */
void lodge_print_text(struct lodge_print *print, const struct lodge_column *column,
		      const char *text);

/**
 * lodge_print_end() - close the output and flush it
 * Return: 0, or -1 with errno set when something could not be written.
 */
int lodge_print_end(struct lodge_print *print);

#endif
