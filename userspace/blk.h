/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * virtio-blk on a raw file or block device.
 */
#ifndef LODGE_BLK_H
#define LODGE_BLK_H

#include <stdbool.h>
#include <stdint.h>

struct lodge_blk;
struct lodge_pci;
struct lodge_vm;

/**
 * struct lodge_disk - an opened disk image
 * @path: its name
 * @fd: descriptor, locked against other VMs
 * @read_only: the guest may not write
 * @size: bytes, a multiple of 512
 */
struct lodge_disk {
	const char *path;
	int fd;
	bool read_only;
	uint64_t size;
};

/**
 * lodge_disk_open() - open FILE[,ro]
 * @disk: filled in
 * @argument: argument of --disk; a ",ro" is cut off in place
 *
 * Ends the tool when the file is missing, unfit, or used by another VM.
 */
void lodge_disk_open(struct lodge_disk *disk, char *argument);

/**
 * lodge_blk_create() - plug a disk into the bus
 * @vm: VM
 * @bus: PCI bus
 * @disk: open disk; it must outlive the VM
 * @index: its number, which makes its serial number
 *
 * Return: the device.
 */
struct lodge_blk *lodge_blk_create(struct lodge_vm *vm, struct lodge_pci *bus,
				   const struct lodge_disk *disk, unsigned int index);

/**
 * lodge_blk_start() - start the device's worker
 * @blk: device
 */
void lodge_blk_start(struct lodge_blk *blk);

/**
 * lodge_blk_stop() - finish what is in flight and end the worker
 * @blk: device of an ended VM
 */
void lodge_blk_stop(struct lodge_blk *blk);

#endif
