// SPDX-License-Identifier: GPL-2.0-only
/*
 * The serial port as a driver sees it: probing, interrupts, FIFO, loop-back.
 * The console and the interrupt line are stand-ins that record. One thread.
 */
#include "serial.h"

#include <linux/serial_reg.h>
#include <string.h>

#include "console.h"
#include "irq.h"
#include "layout.h"
#include "tests/ktap.h"

static struct lodge_serial serial;
static struct lodge_bus bus;
static char output[64];
static unsigned int output_count;
static bool line;

void lodge_console_output(struct lodge_console *console, uint8_t byte)
{
	(void)console;
	if (output_count < sizeof(output))
		output[output_count++] = (char)byte;
}

void lodge_irq_line(struct lodge_irq *irq, uint32_t gsi, bool level)
{
	(void)irq;
	if (gsi == LAYOUT_GSI_SERIAL)
		line = level;
}

static void out(unsigned int reg, uint8_t value)
{
	struct lodge_access access = { .data = &value, .length = 1, .write = true };

	lodge_bus_access(&bus, LAYOUT_PORT_SERIAL + reg, &access);
}

static uint8_t in(unsigned int reg)
{
	uint8_t value = 0;
	struct lodge_access access = { .data = &value, .length = 1 };

	lodge_bus_access(&bus, LAYOUT_PORT_SERIAL + reg, &access);
	return value;
}

static void fresh(void)
{
	memset(&serial, 0, sizeof(serial));
	memset(&bus, 0, sizeof(bus));
	output_count = 0;
	line = false;
	lodge_serial_create(&serial, &bus, NULL, NULL);
}

static void test_probe(void)
{
	fresh();
	out(UART_SCR, 0x5a);
	ktap_case(in(UART_SCR) == 0x5a, "scratch register keeps its value");
	out(UART_IER, 0xff);
	ktap_case(in(UART_IER) == 0x0f, "interrupt enable has four bits");
	out(UART_IER, 0);
	out(UART_LCR, UART_LCR_DLAB);
	out(UART_DLL, 12);
	out(UART_DLM, 1);
	ktap_case(in(UART_DLL) == 12 && in(UART_DLM) == 1, "divisor latch");
	out(UART_LCR, UART_LCR_WLEN8);
	ktap_case(in(UART_IER) == 0 && output_count == 0, "the latch hides data and enable");
	ktap_case((in(UART_IIR) & 0xc0) == 0, "no FIFO before it is enabled");
	out(UART_FCR, UART_FCR_ENABLE_FIFO);
	ktap_case((in(UART_IIR) & 0xc0) == 0xc0, "a FIFO that says it is a 16550A's");
	out(UART_MCR, UART_MCR_LOOP | UART_MCR_OUT2 | UART_MCR_RTS);
	ktap_case((in(UART_MSR) & 0xf0) == (UART_MSR_DCD | UART_MSR_CTS),
		  "modem outputs come back in loop-back");
	out(UART_TX, 'x');
	ktap_case(in(UART_LSR) & UART_LSR_DR && in(UART_RX) == 'x' && output_count == 0,
		  "a byte comes back in loop-back and does not leave");
}

static void test_transmit(void)
{
	fresh();
	out(UART_TX, 'h');
	out(UART_TX, 'i');
	ktap_case(output_count == 2 && !memcmp(output, "hi", 2), "bytes leave in order");
	ktap_case(!line, "no interrupt while none is enabled");
	out(UART_IER, UART_IER_THRI);
	ktap_case(line, "enabling the transmit interrupt raises it");
	ktap_case((in(UART_IIR) & 0x0f) == UART_IIR_THRI && !line, "reading the cause lowers it");
	out(UART_TX, '!');
	ktap_case(line, "the next byte raises it again");
	out(UART_IER, 0);
	ktap_case(!line && in(UART_IIR) & UART_IIR_NO_INT, "disabling lowers it");
}

static void test_receive(void)
{
	bool good = true;

	fresh();
	out(UART_IER, UART_IER_RDI);
	out(UART_MCR, UART_MCR_OUT2);
	ktap_case(lodge_serial_input(&serial, 'a') && line, "input raises the interrupt");
	out(UART_FCR, UART_FCR_ENABLE_FIFO);
	ktap_case(in(UART_LSR) & UART_LSR_DR && in(UART_RX) == 'a',
		  "enabling the FIFO keeps what came before");
	ktap_case(!line && !(in(UART_LSR) & UART_LSR_DR), "reading it lowers the interrupt");
	for (unsigned int i = 0; i < LODGE_SERIAL_FIFO; i++)
		good = good && lodge_serial_input(&serial, (uint8_t)('A' + i));
	for (unsigned int i = 0; i < LODGE_SERIAL_FIFO; i++)
		good = good && in(UART_RX) == 'A' + i;
	ktap_case(good, "sixteen bytes in order");
	lodge_serial_input(&serial, 'z');
	out(UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_CLEAR_RCVR);
	ktap_case(!(in(UART_LSR) & UART_LSR_DR) && !line, "clearing the FIFO empties it");
	out(UART_MCR, UART_MCR_LOOP);
	for (unsigned int i = 0; i < LODGE_SERIAL_FIFO + 1; i++)
		out(UART_TX, 'o');
	ktap_case(in(UART_LSR) & UART_LSR_OE && !(in(UART_LSR) & UART_LSR_OE),
		  "an overrun shows once");
	lodge_serial_close(&serial);
	ktap_case(!lodge_serial_input(&serial, 'q'), "a closed port takes nothing");
}

int main(void)
{
	ktap_begin();
	test_probe();
	test_transmit();
	test_receive();
	return ktap_end();
}
