// SPDX-License-Identifier: GPL-2.0-only
/*
 * A 16550A: receive FIFO of 16 bytes, a transmitter that is never busy, modem
 * lines that are always up, loop-back for drivers that probe with it. Bytes
 * come from and go to console.c. serial->lock guards the registers; it is
 * dropped before a byte goes out, because the console may block.
 */
#include "serial.h"

#include <linux/serial_reg.h>

#include "console.h"
#include "irq.h"
#include "layout.h"

#define SERIAL_PORTS	8
#define FIFO_ENABLED(serial) ((serial)->fcr & UART_FCR_ENABLE_FIFO)

/*
 * The guest's driver takes input once the receive interrupt is on and OUT2,
 * which on a PC lets the interrupt through to the PIC, is set. A driver that
 * probes switches the one on without the other, and would drop the byte.
 */
static bool serial_has_room(const struct lodge_serial *serial)
{
	unsigned int size = FIFO_ENABLED(serial) ? LODGE_SERIAL_FIFO : 1;

	return serial->ier & UART_IER_RDI && serial->count < size &&
	       (serial->mcr & (UART_MCR_OUT2 | UART_MCR_LOOP)) == UART_MCR_OUT2;
}

static uint8_t serial_cause(const struct lodge_serial *serial)
{
	if (serial->ier & UART_IER_RLSI && serial->overrun)
		return UART_IIR_RLSI;
	/* The time-out cause would come at once: bytes here have no distance in time. */
	if (serial->ier & UART_IER_RDI && serial->count)
		return UART_IIR_RDI;
	if (serial->ier & UART_IER_THRI && serial->transmit_event)
		return UART_IIR_THRI;
	return UART_IIR_NO_INT;
}

static void serial_update(struct lodge_serial *serial)
{
	bool level = serial_cause(serial) != UART_IIR_NO_INT;

	if (level != serial->level) {
		serial->level = level;
		lodge_irq_line(serial->irq, LAYOUT_GSI_SERIAL, level);
	}
	if (serial_has_room(serial))
		pthread_cond_signal(&serial->room);
}

static void serial_receive(struct lodge_serial *serial, uint8_t byte)
{
	unsigned int size = FIFO_ENABLED(serial) ? LODGE_SERIAL_FIFO : 1;

	if (serial->count == size) {
		serial->overrun = true;
		return;
	}
	serial->fifo[(serial->head + serial->count++) % LODGE_SERIAL_FIFO] = byte;
}

static uint8_t serial_receive_read(struct lodge_serial *serial)
{
	uint8_t byte = 0;

	if (serial->count) {
		byte = serial->fifo[serial->head];
		serial->head = (serial->head + 1) % LODGE_SERIAL_FIFO;
		serial->count--;
	}
	return byte;
}

static uint8_t serial_line_status(struct lodge_serial *serial)
{
	uint8_t status = UART_LSR_THRE | UART_LSR_TEMT;

	if (serial->count)
		status |= UART_LSR_DR;
	if (serial->overrun)
		status |= UART_LSR_OE;
	serial->overrun = false;
	return status;
}

/* In loop-back the outputs come back as the inputs (PC16550D, modem control). */
static uint8_t serial_modem_status(const struct lodge_serial *serial)
{
	uint8_t status = 0;

	if (!(serial->mcr & UART_MCR_LOOP))
		return UART_MSR_DCD | UART_MSR_DSR | UART_MSR_CTS;
	if (serial->mcr & UART_MCR_RTS)
		status |= UART_MSR_CTS;
	if (serial->mcr & UART_MCR_DTR)
		status |= UART_MSR_DSR;
	if (serial->mcr & UART_MCR_OUT1)
		status |= UART_MSR_RI;
	if (serial->mcr & UART_MCR_OUT2)
		status |= UART_MSR_DCD;
	return status;
}

static uint8_t serial_cause_read(struct lodge_serial *serial)
{
	uint8_t cause = serial_cause(serial);

	if (cause == UART_IIR_THRI)
		serial->transmit_event = false;
	return cause | (FIFO_ENABLED(serial) ? 0xc0 : 0);
}

static uint8_t serial_read(struct lodge_serial *serial, uint64_t offset)
{
	bool latch = serial->lcr & UART_LCR_DLAB;

	switch (offset) {
	case UART_RX:
		return latch ? serial->divisor & 0xff : serial_receive_read(serial);
	case UART_IER:
		return latch ? serial->divisor >> 8 : serial->ier;
	case UART_IIR:
		return serial_cause_read(serial);
	case UART_LCR:
		return serial->lcr;
	case UART_MCR:
		return serial->mcr;
	case UART_LSR:
		return serial_line_status(serial);
	case UART_MSR:
		return serial_modem_status(serial);
	default:
		return serial->scratch;
	}
}

static void serial_enable_write(struct lodge_serial *serial, uint8_t value)
{
	/* Switching the interrupt on with an empty transmitter raises it. */
	if (value & ~serial->ier & UART_IER_THRI)
		serial->transmit_event = true;
	serial->ier = value & 0x0f;
}

static void serial_fifo_write(struct lodge_serial *serial, uint8_t value)
{
	/*
	 * Switching the FIFO on would clear it too (PC16550D, FCR bit 0). It
	 * does not here: Linux enables the receive interrupt first, and input
	 * that is already waiting on the host would lose its first byte.
	 */
	if (value & UART_FCR_CLEAR_RCVR || !(value & UART_FCR_ENABLE_FIFO))
		serial->count = 0;
	serial->fcr = value & ~(UART_FCR_CLEAR_RCVR | UART_FCR_CLEAR_XMIT);
}

/* Return: whether @value is a byte for the console. */
static bool serial_write(struct lodge_serial *serial, uint64_t offset, uint8_t value)
{
	bool latch = serial->lcr & UART_LCR_DLAB;

	switch (offset) {
	case UART_TX:
		if (latch) {
			serial->divisor = (serial->divisor & 0xff00) | value;
			break;
		}
		serial->transmit_event = true;
		if (!(serial->mcr & UART_MCR_LOOP))
			return true;
		serial_receive(serial, value);
		break;
	case UART_IER:
		if (latch)
			serial->divisor = (uint16_t)((serial->divisor & 0xff) | value << 8);
		else
			serial_enable_write(serial, value);
		break;
	case UART_FCR:
		serial_fifo_write(serial, value);
		break;
	case UART_LCR:
		serial->lcr = value;
		break;
	case UART_MCR:
		serial->mcr = value & 0x1f;
		break;
	case UART_SCR:
		serial->scratch = value;
		break;
	}
	return false;
}

static void serial_access(struct lodge_range *range, struct lodge_access *access)
{
	struct lodge_serial *serial = (struct lodge_serial *)range;
	bool transmit = false;
	uint8_t value = access->data[0];

	pthread_mutex_lock(&serial->lock);
	if (access->write)
		transmit = serial_write(serial, access->offset, value);
	else
		lodge_access_answer(access, serial_read(serial, access->offset));
	serial_update(serial);
	pthread_mutex_unlock(&serial->lock);

	if (transmit)
		lodge_console_output(serial->console, value);
}

void lodge_serial_create(struct lodge_serial *serial, struct lodge_bus *ports,
			 struct lodge_irq *irq, struct lodge_console *console)
{
	pthread_mutex_init(&serial->lock, NULL);
	pthread_cond_init(&serial->room, NULL);
	serial->irq = irq;
	serial->console = console;
	serial->divisor = 1;
	serial->range.base = LAYOUT_PORT_SERIAL;
	serial->range.size = SERIAL_PORTS;
	serial->range.access = serial_access;
	lodge_bus_add(ports, &serial->range);
}

bool lodge_serial_input(struct lodge_serial *serial, uint8_t byte)
{
	bool open;

	pthread_mutex_lock(&serial->lock);
	while (!serial->closed && !serial_has_room(serial))
		pthread_cond_wait(&serial->room, &serial->lock);
	open = !serial->closed;
	if (open) {
		serial_receive(serial, byte);
		serial_update(serial);
	}
	pthread_mutex_unlock(&serial->lock);
	return open;
}

void lodge_serial_close(struct lodge_serial *serial)
{
	pthread_mutex_lock(&serial->lock);
	serial->closed = true;
	pthread_cond_broadcast(&serial->room);
	pthread_mutex_unlock(&serial->lock);
}
