/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interrupts from the tool's devices into the in-kernel chips: wires (GSI
 * lines) and messages (MSI routes behind irqfds).
 */
#ifndef LODGE_IRQ_H
#define LODGE_IRQ_H

#include <linux/kvm.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "layout.h"

#define LODGE_IRQ_MESSAGES 256

/**
 * struct lodge_irq - the VM's routes
 * @vm_fd: the VM's descriptor (immutable)
 * @lock: guards all below
 * @wires: for each shared GSI, the devices that hold it up, one bit each
 * @messages: number of MSI routes in use
 * @address: address of each message
 * @data: data of each message
 */
struct lodge_irq {
	int vm_fd;
	pthread_mutex_t lock;
	uint32_t wires[LAYOUT_GSI_IOAPIC];
	unsigned int messages;
	uint64_t address[LODGE_IRQ_MESSAGES];
	uint32_t data[LODGE_IRQ_MESSAGES];
};

/**
 * lodge_irq_create() - start with the pins of the PIC and the IOAPIC alone
 * @irq: zeroed
 * @vm_fd: VM that has its interrupt chips
 */
void lodge_irq_create(struct lodge_irq *irq, int vm_fd);

/**
 * lodge_irq_line() - drive a wire that has one owner
 * @irq: routes
 * @gsi: wire
 * @level: up or down
 */
void lodge_irq_line(struct lodge_irq *irq, uint32_t gsi, bool level);

/**
 * lodge_irq_wire() - drive a wire that several devices share
 * @irq: routes
 * @gsi: wire, below LAYOUT_GSI_IOAPIC
 * @device: 0 to 31
 * @level: what this device drives; the wire is up while any device holds it
 */
void lodge_irq_wire(struct lodge_irq *irq, uint32_t gsi, unsigned int device, bool level);

/**
 * lodge_irq_message_create() - a message that a device will send
 * @irq: routes
 * @message: its number goes here
 *
 * Start-up only; ends the tool on failure.
 *
 * Return: an eventfd; writing to it sends the message.
 */
int lodge_irq_message_create(struct lodge_irq *irq, unsigned int *message);

/**
 * lodge_irq_message_set() - where a message goes, as the guest programmed it
 * @irq: routes
 * @message: number
 * @address: MSI address
 * @data: MSI data
 *
 * Return: 0 or -errno.
 */
int lodge_irq_message_set(struct lodge_irq *irq, unsigned int message, uint64_t address,
			  uint32_t data);

#endif
