/* SPDX-License-Identifier: GPL-2.0-only */
/* Timers on the units' own clock. */
#ifndef UNIT_HRTIMER_H
#define UNIT_HRTIMER_H

#include <linux/ktime.h>

enum hrtimer_restart { HRTIMER_NORESTART, HRTIMER_RESTART };
enum hrtimer_mode { HRTIMER_MODE_ABS_HARD };

#define CLOCK_MONOTONIC 1

struct hrtimer {
	ktime_t expires;
	enum hrtimer_restart (*callback)(struct hrtimer *timer);
	struct hrtimer *next;	/* of those queued */
	bool queued;
};

void hrtimer_setup(struct hrtimer *timer, enum hrtimer_restart (*callback)(struct hrtimer *timer), int clock,
		   enum hrtimer_mode mode);
void hrtimer_start(struct hrtimer *timer, ktime_t expires, enum hrtimer_mode mode);
int hrtimer_cancel(struct hrtimer *timer);
u64 hrtimer_forward(struct hrtimer *timer, ktime_t now, ktime_t interval);

#define hrtimer_try_to_cancel(timer)		hrtimer_cancel(timer)
#define hrtimer_is_queued(timer)		((timer)->queued)
#define hrtimer_active(timer)			((timer)->queued)
#define hrtimer_get_remaining(timer)		((timer)->expires - ktime_get())
#define hrtimer_forward_now(timer, interval)	hrtimer_forward(timer, ktime_get(), interval)

#endif
