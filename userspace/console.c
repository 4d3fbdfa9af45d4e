// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host's end of the serial port. Input is read by a thread of its own,
 * output is written by the vCPU that sent it: a reader that stops reading
 * stops the guest, as flow control would. console->lock guards the line that
 * may have to be kept; the terminal's mode is in terminal.c.
 */
#include "console.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "serial.h"
#include "terminal.h"
#include "vm.h"

#define ESCAPE_KEY	0x01	/* Ctrl-A; twice sends one to the guest */
#define END_OF_INPUT	0x04	/* Ctrl-D */
#define PAUSE		200	/* milliseconds between looks at a terminal that is away */
#define END_REPEAT_MAX	60000	/* milliseconds */

static void console_open_pty(struct lodge_console *console)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	char name[64];

	if (master < 0 || grantpt(master) || unlockpt(master) ||
	    ptsname_r(master, name, sizeof(name)))
		lodge_fail(STATUS_FILE, "the host gives no pseudo-terminal: %s", strerror(errno));
	console->input = console->output = master;
	console->stream = true;
	lodge_warn("serial console is %s", name);
}

void lodge_console_open(struct lodge_console *console, const char *where)
{
	pthread_mutex_init(&console->lock, NULL);
	console->wake = eventfd(0, EFD_CLOEXEC);
	if (console->wake < 0)
		lodge_fail(STATUS_FAILED, "the host gives no eventfd: %s", strerror(errno));
	if (!strcmp(where, "stdio")) {
		console->input = STDIN_FILENO;
		console->output = STDOUT_FILENO;
	} else if (!strcmp(where, "pty") || !strcmp(where, "PTY")) {
		console_open_pty(console);
	} else {
		console->input = -1;
		console->output = open(where, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
		if (console->output < 0)
			lodge_fail(STATUS_FILE, "cannot write serial file %s: %s", where,
				   strerror(errno));
	}
}

void lodge_console_keep(struct lodge_console *console, const char *prefix)
{
	console->prefix = prefix;
	console->holding = true;
}

static void console_write(struct lodge_console *console, const char *bytes, size_t count)
{
	ssize_t done;

	while (count) {
		done = write(console->output, bytes, count);
		if (done >= 0) {
			bytes += done;
			count -= (size_t)done;
			continue;
		}
		if (errno == EINTR && !console->vm->ended)
			continue;
		/*
		 * A full pseudo-terminal has nobody to read it: the bytes are
		 * lost, as on a line without a listener. Anything else means
		 * that the guest's output can no longer go where it was sent.
		 */
		if (!console->stream && !console->vm->ended)
			lodge_vm_end(console->vm, STATUS_FILE,
				     "the serial console cannot be written: %s", strerror(errno));
		return;
	}
}

/* Called with console->lock held. */
static void console_release(struct lodge_console *console)
{
	console_write(console, console->line, console->length);
	console->length = 0;
}

/*
 * Called with console->lock held, at the start of a line or inside one that
 * matches the prefix so far. Return: whether @byte was taken.
 */
static bool console_hold(struct lodge_console *console, char byte)
{
	size_t prefix = strlen(console->prefix);
	bool matches = console->length >= prefix || byte == console->prefix[console->length];

	if (!matches || console->length == sizeof(console->line) - 1) {
		console_release(console);
		console->holding = false;
		return false;
	}
	if (byte != '\n') {
		console->line[console->length++] = byte;
		return true;
	}
	while (console->length && console->line[console->length - 1] == '\r')
		console->length--;
	memcpy(console->kept, console->line, console->length);
	console->kept[console->length] = '\0';
	console->length = 0;
	return true;
}

void lodge_console_output(struct lodge_console *console, uint8_t value)
{
	char byte = (char)value;

	if (!console->prefix) {
		console_write(console, &byte, 1);
		return;
	}
	pthread_mutex_lock(&console->lock);
	if (!console->holding || !console_hold(console, byte)) {
		console_write(console, &byte, 1);
		console->holding = byte == '\n' || byte == '\r';
	}
	pthread_mutex_unlock(&console->lock);
}

/* Return: false when the reader should end. */
static bool console_input(struct lodge_console *console, uint8_t byte, bool *escaped)
{
	if (!console->terminal)
		return lodge_serial_input(console->serial, byte);
	if (!*escaped && byte == ESCAPE_KEY) {
		*escaped = true;
		return true;
	}
	if (*escaped && (byte == 'x' || byte == 'X')) {
		lodge_vm_end(console->vm, STATUS_SIGNAL + SIGINT, "stopped from the terminal");
		return false;
	}
	*escaped = false;
	return lodge_serial_input(console->serial, byte);
}

/* Return: whether the reader should end. */
static bool console_pause(struct lodge_console *console, int milliseconds)
{
	struct pollfd wake = { .fd = console->wake, .events = POLLIN };

	return poll(&wake, 1, milliseconds) > 0;
}

/*
 * The end of a pipe or file is what Ctrl-D is on a terminal. It is said again
 * at growing distance: a line discipline that changes its mode, as a shell with
 * line editing makes it do, forgets one that came before.
 */
static void console_end(struct lodge_console *console)
{
	int milliseconds = 1000;

	while (lodge_serial_input(console->serial, END_OF_INPUT)) {
		if (console_pause(console, milliseconds))
			break;
		if (milliseconds < END_REPEAT_MAX)
			milliseconds *= 2;
	}
}

/* Return: false when nothing more will come. */
static bool console_read(struct lodge_console *console, bool *escaped)
{
	uint8_t bytes[64];
	ssize_t count = read(console->input, bytes, sizeof(bytes));

	if (count < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	if (count < 0 && (console->stream || console->terminal)) {
		/* EIO: nobody has the other side open now, or the job went to the background. */
		console_pause(console, PAUSE);
		return true;
	}
	if (count <= 0) {
		console_end(console);
		return false;
	}
	for (ssize_t i = 0; i < count; i++)
		if (!console_input(console, bytes[i], escaped))
			return false;
	return true;
}

static void *console_main(void *argument)
{
	struct lodge_console *console = argument;
	struct pollfd sources[] = {
		{ .fd = console->wake, .events = POLLIN },
		{ .fd = console->input, .events = POLLIN },
	};
	bool escaped = false;

	for (;;) {
		if (poll(sources, 2, -1) < 0 && errno != EINTR)
			break;
		if (sources[0].revents)
			break;
		if (!sources[1].revents)
			continue;
		/* A shell that brings the job to the foreground says nothing of it. */
		if (console->terminal && !lodge_terminal_raw(console->input))
			console_pause(console, PAUSE);
		else if (!console_read(console, &escaped))
			break;
	}
	return NULL;
}

void lodge_console_start(struct lodge_console *console, struct lodge_vm *vm,
			 struct lodge_serial *serial)
{
	int error;

	console->vm = vm;
	console->serial = serial;
	if (console->input < 0)
		return;
	if (console->input == STDIN_FILENO)
		console->terminal = isatty(STDIN_FILENO);
	/*
	 * In the background the guest runs on and hears nothing; the default,
	 * to stop the process, would stop the guest.
	 */
	signal(SIGTTIN, SIG_IGN);
	signal(SIGTTOU, SIG_IGN);
	if (console->terminal)
		lodge_terminal_raw(console->input);
	error = pthread_create(&console->reader, NULL, console_main, console);
	if (error)
		lodge_fail(STATUS_FAILED, "the host gives no thread for the console: %s",
			   strerror(error));
}

void lodge_console_stop(struct lodge_console *console)
{
	uint64_t one = 1;

	lodge_serial_close(console->serial);
	if (console->input >= 0) {
		if (write(console->wake, &one, sizeof(one)) != sizeof(one))
			lodge_warn("the console's thread cannot be woken: %s", strerror(errno));
		pthread_join(console->reader, NULL);
	}
	pthread_mutex_lock(&console->lock);
	console_release(console);
	pthread_mutex_unlock(&console->lock);
	lodge_terminal_restore();
}
