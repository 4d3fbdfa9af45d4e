// SPDX-License-Identifier: GPL-2.0-only
/*
 * The parts of include/'s kernel that keep state: allocations, one of which can be made to fail, and a clock that
 * moves only when a unit says so, with its timers. One thread, no locks.
 */
#include "kernel.h"

#include <stdlib.h>
#include <string.h>

#include <linux/hrtimer.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

int unit_rcu_depth;

static ktime_t clock_now = NSEC_PER_SEC;	/* no time is 0 */
static struct hrtimer *timers;			/* by expiry */
static unsigned int alloc_fail_in, allocs;

ktime_t ktime_get(void)
{
	return clock_now;
}

void unit_alloc_fail_at(unsigned int n)
{
	alloc_fail_in = n;
}

unsigned int unit_alloc_count(void)
{
	return allocs;
}

void *unit_alloc(size_t size, gfp_t gfp)
{
	if (!(gfp & __GFP_NOFAIL) && alloc_fail_in && !--alloc_fail_in)
		return NULL;
	allocs++;
	return calloc(1, size);
}

void unit_free(const void *p)
{
	allocs -= !!p;
	free((void *)p);
}

unsigned long get_zeroed_page(gfp_t gfp)
{
	if (alloc_fail_in && !--alloc_fail_in)
		return 0;
	allocs++;
	return (unsigned long)memset(aligned_alloc(PAGE_SIZE, PAGE_SIZE), 0, PAGE_SIZE);
}

void free_page(unsigned long addr)
{
	unit_free((void *)addr);
}

void hrtimer_setup(struct hrtimer *timer, enum hrtimer_restart (*callback)(struct hrtimer *timer), int clock,
		   enum hrtimer_mode mode)
{
	*timer = (struct hrtimer){ .callback = callback };
}

int hrtimer_cancel(struct hrtimer *timer)
{
	struct hrtimer **at = &timers;

	if (!timer->queued)
		return 0;
	while (*at != timer)
		at = &(*at)->next;
	*at = timer->next;
	timer->queued = false;
	return 1;
}

void hrtimer_start(struct hrtimer *timer, ktime_t expires, enum hrtimer_mode mode)
{
	struct hrtimer **at = &timers;

	hrtimer_cancel(timer);
	timer->expires = expires;
	while (*at && (*at)->expires <= expires)
		at = &(*at)->next;
	timer->next = *at;
	*at = timer;
	timer->queued = true;
}

u64 hrtimer_forward(struct hrtimer *timer, ktime_t now, ktime_t interval)
{
	u64 steps;

	if (now < timer->expires)
		return 0;
	steps = (now - timer->expires) / interval + 1;
	timer->expires += steps * interval;
	return steps;
}

enum hrtimer_restart unit_delayed_work_due(struct hrtimer *timer)
{
	struct delayed_work *work = container_of(timer, struct delayed_work, timer);

	work->work.run(&work->work);
	return HRTIMER_NORESTART;
}

void unit_clock_advance(u64 ns)
{
	ktime_t end = clock_now + (ktime_t)ns;

	while (timers && timers->expires <= end) {
		struct hrtimer *timer = timers;

		if (timer->expires > clock_now)
			clock_now = timer->expires;
		hrtimer_cancel(timer);
		if (timer->callback(timer) == HRTIMER_RESTART)
			hrtimer_start(timer, timer->expires, HRTIMER_MODE_ABS_HARD);
	}
	clock_now = end;
}
