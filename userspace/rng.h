/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * virtio-rng: the host's random numbers for the guest.
 */
#ifndef LODGE_RNG_H
#define LODGE_RNG_H

struct lodge_pci;
struct lodge_rng;
struct lodge_vm;

/**
 * lodge_rng_create() - plug an entropy source into the bus
 * @vm: VM
 * @bus: PCI bus
 *
 * Return: the device.
 */
struct lodge_rng *lodge_rng_create(struct lodge_vm *vm, struct lodge_pci *bus);

/**
 * lodge_rng_start() - start the device's worker
 * @rng: device
 */
void lodge_rng_start(struct lodge_rng *rng);

/**
 * lodge_rng_stop() - end the worker
 * @rng: device of an ended VM
 */
void lodge_rng_stop(struct lodge_rng *rng);

#endif
