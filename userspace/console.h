/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The host's end of the serial port: terminal, file or pseudo-terminal.
 */
#ifndef LODGE_CONSOLE_H
#define LODGE_CONSOLE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct lodge_serial;
struct lodge_vm;

/**
 * struct lodge_console - one host end
 * @input: descriptor to read from, or -1 (i)
 * @output: descriptor to write to (i)
 * @terminal: @input is a terminal, with the escape key (i)
 * @stream: the other side may go away and come back: a pseudo-terminal (i)
 * @vm: the VM to end on the escape key (i)
 * @serial: where input goes (i)
 * @wake: eventfd that ends the reader (i)
 * @reader: thread that reads @input (i)
 * @prefix: lines that begin so are kept instead of printed, or NULL (i)
 * @lock: guards what follows
 * @line: the line so far while it may still turn out to begin with @prefix
 * @length: bytes in @line
 * @holding: @line is being collected
 * @kept: the last line that began with @prefix, without its end
 *
 * (i) immutable once vCPUs run.
 */
struct lodge_console {
	int input;
	int output;
	bool terminal;
	bool stream;
	struct lodge_vm *vm;
	struct lodge_serial *serial;
	int wake;
	pthread_t reader;
	const char *prefix;
	pthread_mutex_t lock;
	char line[512];
	unsigned int length;
	bool holding;
	char kept[512];
};

/**
 * lodge_console_open() - open the host's end
 * @console: zeroed
 * @where: "stdio", "pty" or "PTY", or the name of a file to write
 *
 * Ends the tool when @where cannot be opened. Leaves the terminal alone.
 */
void lodge_console_open(struct lodge_console *console, const char *where);

/**
 * lodge_console_keep() - withhold lines that begin with a prefix
 * @console: open console, VM not yet running
 * @prefix: the prefix
 */
void lodge_console_keep(struct lodge_console *console, const char *prefix);

/**
 * lodge_console_start() - read input, from a terminal in raw mode
 * @console: open console
 * @vm: VM
 * @serial: its port
 *
 * The terminal's mode comes back when the tool ends, by whatever exit or
 * signal but SIGKILL.
 */
void lodge_console_start(struct lodge_console *console, struct lodge_vm *vm,
			 struct lodge_serial *serial);

/**
 * lodge_console_output() - one byte from the guest
 * @console: console
 * @byte: byte
 */
void lodge_console_output(struct lodge_console *console, uint8_t byte);

/**
 * lodge_console_stop() - end the reader, print what is held, restore the terminal
 * @console: started console
 */
void lodge_console_stop(struct lodge_console *console);

#endif
