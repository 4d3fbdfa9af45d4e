/* SPDX-License-Identifier: GPL-2.0-only */
/* Work runs at once; delayed work when the units' clock has come to it. */
#ifndef UNIT_WORKQUEUE_H
#define UNIT_WORKQUEUE_H

#include <linux/container_of.h>
#include <linux/hrtimer.h>
#include <linux/jiffies.h>
#include <linux/rcupdate.h>

struct work_struct {
	void (*run)(struct work_struct *work);
};

struct delayed_work {
	struct work_struct work;
	struct hrtimer timer;
};

struct rcu_work {
	struct work_struct work;
};

struct workqueue_struct;

#define WQ_UNBOUND		0

enum hrtimer_restart unit_delayed_work_due(struct hrtimer *timer);

#define INIT_WORK(w, fn)	((w)->run = (fn))
#define INIT_RCU_WORK(w, fn)	((w)->work.run = (fn))
#define INIT_DELAYED_WORK(w, fn)						\
	do {									\
		(w)->work.run = (fn);						\
		hrtimer_setup(&(w)->timer, unit_delayed_work_due, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_HARD); \
	} while (0)

#define to_delayed_work(w)		container_of(w, struct delayed_work, work)
#define to_rcu_work(w)			container_of(w, struct rcu_work, work)
#define schedule_delayed_work(w, delay)						\
	hrtimer_start(&(w)->timer, ktime_get() + (s64)(delay) * (NSEC_PER_SEC / HZ), HRTIMER_MODE_ABS_HARD)
#define cancel_delayed_work_sync(w)	hrtimer_cancel(&(w)->timer)
#define queue_rcu_work(wq, w)		((w)->work.run(&(w)->work))
#define alloc_workqueue(name, flags, max)	((struct workqueue_struct *)1)
#define destroy_workqueue(wq)		((void)(wq))

#endif
