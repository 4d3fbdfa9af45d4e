/* SPDX-License-Identifier: GPL-2.0-only */
/* RCU in one thread: what is given to be freed later is freed now. */
#ifndef UNIT_RCUPDATE_H
#define UNIT_RCUPDATE_H

#include <linux/bug.h>
#include <linux/compiler.h>
#include <linux/container_of.h>

struct rcu_head {
	void *unused;
};

extern int unit_rcu_depth;

static inline void unit_rcu_free(struct rcu_head *head, void (*free)(struct rcu_head *head))
{
	/* Freed under the eyes of a reader. */
	WARN_ON(unit_rcu_depth);
	free(head);
}

#define rcu_read_lock()				((void)unit_rcu_depth++)
#define rcu_read_unlock()			((void)unit_rcu_depth--)
#define rcu_dereference(p)			({ WARN_ON(!unit_rcu_depth); READ_ONCE(p); })
#define rcu_dereference_check(p, safe)		({ WARN_ON(!unit_rcu_depth && !(safe)); READ_ONCE(p); })
#define rcu_dereference_protected(p, held)	({ WARN_ON(!(held)); (p); })
#define rcu_assign_pointer(p, v)		((p) = (v))
#define RCU_INIT_POINTER(p, v)			((p) = (v))
#define call_rcu(head, free)			unit_rcu_free(head, free)
#define kvfree_rcu(p, member)			({ WARN_ON(unit_rcu_depth); kvfree(p); })
#define synchronize_rcu()			WARN_ON(unit_rcu_depth)
#define rcu_barrier()				WARN_ON(unit_rcu_depth)

#endif
