// SPDX-License-Identifier: GPL-2.0-only
/*
 * The C half of exception entry in the guest: hand the vector to the test's
 * handler, go on behind a GUEST_TRY, or tell the host and stop.
 * Runs in the guest only. Locking: own struct guest_cpu only.
 */
#include "guest.h"

_Static_assert(offsetof(struct guest_cpu, resume) == GUEST_CPU_RESUME,
	       "GUEST_TRY stores through gs:8");

guest_handler_t guest_handlers[256];

void guest_exception(struct guest_frame *frame);

void guest_exception(struct guest_frame *frame)
{
	struct guest_cpu *cpu = guest_this();
	guest_handler_t handler = READ_ONCE(guest_handlers[frame->vector & 255]);
	u64 cr2 = GUEST_READ_CR(2);

	if (handler) {
		handler(frame);
		return;
	}
	if (cpu->resume && frame->vector < 32) {
		cpu->exc.vector = frame->vector;
		cpu->exc.error = frame->error;
		cpu->exc.rip = frame->rip;
		cpu->exc.cr2 = cr2;
		frame->rip = cpu->resume;
		cpu->resume = 0;
		return;
	}
	for (;;)
		guest_ucall(UCALL_EXCEPTION, frame->vector, frame->error,
			    frame->rip, cr2);
}
