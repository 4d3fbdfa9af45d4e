// SPDX-License-Identifier: GPL-2.0-only
/*
 * Terminal mode, saved once for the whole process because that is what a
 * signal handler and an exit handler can reach. The console's reader takes it,
 * the main thread gives it back when that reader is gone.
 */
#include "terminal.h"

#include <signal.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

static struct termios terminal_saved;
static volatile sig_atomic_t terminal_fd = -1;

void lodge_terminal_restore(void)
{
	int fd = terminal_fd;

	if (fd < 0)
		return;
	terminal_fd = -1;
	tcsetattr(fd, TCSADRAIN, &terminal_saved);
}

/* A fault in the tool itself: restore, then die of the same signal. */
static void terminal_fault_handle(int number)
{
	lodge_terminal_restore();
	raise(number);
}

bool lodge_terminal_raw(int fd)
{
	static bool taken;
	static const int faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGQUIT };
	struct sigaction action = {
		.sa_handler = terminal_fault_handle,
		.sa_flags = (int)(SA_RESETHAND | SA_NODEFER),
	};
	struct termios raw;

	if (tcgetpgrp(fd) != getpgrp() || terminal_fd >= 0)
		return terminal_fd >= 0;
	if (tcgetattr(fd, &terminal_saved))
		return false;
	raw = terminal_saved;
	cfmakeraw(&raw);
	/* Output stays cooked, for the tool's own sentences. */
	raw.c_oflag = terminal_saved.c_oflag;
	terminal_fd = fd;
	if (!taken) {
		taken = true;
		atexit(lodge_terminal_restore);
		for (unsigned int i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
			sigaction(faults[i], &action, NULL);
	}
	return !tcsetattr(fd, TCSADRAIN, &raw);
}
