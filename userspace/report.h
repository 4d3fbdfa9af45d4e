/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * `lodge run --report`: the guest's line about itself, completed by the host.
 */
#ifndef LODGE_REPORT_H
#define LODGE_REPORT_H

#include "blk.h"
#include "tool.h"

#define LODGE_REPORT_PREFIX "guest: "

/**
 * lodge_report_command_line() - tell the guest what to report
 * @command_line: as the user or the default has it
 * @disk: the disk that the guest will hash, or NULL
 *
 * Ends the tool when the disk cannot be read.
 *
 * Return: a longer command line, never freed.
 */
const char *lodge_report_command_line(const char *command_line, const struct lodge_disk *disk);

/**
 * lodge_report_print() - print the guest's line and how it ended
 * @line: what the guest printed, empty when it printed none
 * @status: how the VM ended
 *
 * Return: @status, or STATUS_REPORT for a clean end with a bad or no report.
 */
enum lodge_status lodge_report_print(const char *line, enum lodge_status status);

#endif
