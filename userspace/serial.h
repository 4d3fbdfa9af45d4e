/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest's serial port, a 16550A.
 */
#ifndef LODGE_SERIAL_H
#define LODGE_SERIAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "bus.h"

struct lodge_console;
struct lodge_irq;

#define LODGE_SERIAL_FIFO 16

/**
 * struct lodge_serial - the port
 * @range: its eight ports (immutable)
 * @irq: where its interrupt goes (immutable)
 * @console: where its bytes go (immutable)
 * @lock: guards all below
 * @room: signalled when the guest can take input
 * @fifo: bytes on their way to the guest
 * @head: index of the oldest
 * @count: how many
 * @ier: interrupt enable; @fcr: FIFO control; @lcr: line control
 * @mcr: modem control; @scratch: scratch; @divisor: divisor latch
 * @transmit_event: the transmitter became empty and nobody read that yet
 * @overrun: a byte was lost
 * @level: state of the interrupt line
 * @closed: no more input, the VM is over
 */
struct lodge_serial {
	struct lodge_range range;
	struct lodge_irq *irq;
	struct lodge_console *console;
	pthread_mutex_t lock;
	pthread_cond_t room;
	uint8_t fifo[LODGE_SERIAL_FIFO];
	unsigned int head;
	unsigned int count;
	uint8_t ier, fcr, lcr, mcr, scratch;
	uint16_t divisor;
	bool transmit_event;
	bool overrun;
	bool level;
	bool closed;
};

/**
 * lodge_serial_create() - plug the port into the bus
 * @serial: zeroed
 * @ports: port bus
 * @irq: interrupt routes
 * @console: where output goes
 */
void lodge_serial_create(struct lodge_serial *serial, struct lodge_bus *ports,
			 struct lodge_irq *irq, struct lodge_console *console);

/**
 * lodge_serial_input() - hand the guest one byte; sleeps until it has room
 * @serial: port
 * @byte: byte
 *
 * Return: false when the port was closed.
 */
bool lodge_serial_input(struct lodge_serial *serial, uint8_t byte);

/**
 * lodge_serial_close() - let a sleeping lodge_serial_input() go
 * @serial: port
 */
void lodge_serial_close(struct lodge_serial *serial);

#endif
