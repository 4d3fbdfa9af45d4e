/* SPDX-License-Identifier: GPL-2.0-only */
/* Hash lists; a unit runs in one thread. */
#ifndef UNIT_RCULIST_H
#define UNIT_RCULIST_H

#include <linux/list.h>
#include <linux/rcupdate.h>

static inline void hlist_add_head_rcu(struct hlist_node *node, struct hlist_head *head)
{
	node->next = head->first;
	node->pprev = &head->first;
	if (head->first)
		head->first->pprev = &node->next;
	head->first = node;
}

static inline void hlist_del_init_rcu(struct hlist_node *node)
{
	if (!node->pprev)
		return;
	*node->pprev = node->next;
	if (node->next)
		node->next->pprev = node->pprev;
	node->pprev = NULL;
}

#define unit_hlist_entry(node, type, member)	((node) ? container_of(node, type, member) : NULL)
#define hlist_for_each_entry_rcu(pos, head, member)						\
	for (pos = unit_hlist_entry((head)->first, __typeof__(*pos), member); pos;		\
	     pos = unit_hlist_entry(pos->member.next, __typeof__(*pos), member))

#endif
