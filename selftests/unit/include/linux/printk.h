/* SPDX-License-Identifier: GPL-2.0-only */
/* Messages go to standard output as KTAP diagnostics. */
#ifndef UNIT_PRINTK_H
#define UNIT_PRINTK_H

#include <stdio.h>

#ifndef pr_fmt
#define pr_fmt(fmt)	fmt
#endif
#define printk(fmt, ...)	printf("# " fmt, ##__VA_ARGS__)
#define pr_err(fmt, ...)	printf("# " pr_fmt(fmt), ##__VA_ARGS__)
#define pr_warn(fmt, ...)	pr_err(fmt, ##__VA_ARGS__)
#define pr_info(fmt, ...)	pr_err(fmt, ##__VA_ARGS__)
#define pr_debug(fmt, ...)	do { if (0) pr_err(fmt, ##__VA_ARGS__); } while (0)

#endif
