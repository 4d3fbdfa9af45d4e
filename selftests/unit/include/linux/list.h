/* SPDX-License-Identifier: GPL-2.0-only */
/* The few list operations that units need. */
#ifndef UNIT_LIST_H
#define UNIT_LIST_H

#include <linux/container_of.h>
#include <linux/types.h>

struct list_head {
	struct list_head *next, *prev;
};

struct hlist_node {
	struct hlist_node *next, **pprev;
};

struct hlist_head {
	struct hlist_node *first;
};

#define INIT_HLIST_HEAD(head)	((head)->first = NULL)

#endif
