/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The device node: which one, opening it, and what a failure means in words.
 */
#ifndef LODGE_DEVICE_H
#define LODGE_DEVICE_H

/**
 * lodge_device_path() - which device node to use
 * @option: argument of --device, or NULL
 *
 * Return: @option, else the environment's LODGE_DEVICE, else /dev/lodge.
 */
const char *lodge_device_path(const char *option);

/**
 * lodge_device_open() - open a device that speaks KVM's ABI
 * @path: from lodge_device_path()
 *
 * Ends the tool with a sentence and its cure when that is impossible.
 *
 * Return: file descriptor.
 */
int lodge_device_open(const char *path);

/**
 * lodge_device_create_vm() - make a VM
 * @device: file descriptor from lodge_device_open()
 * @path: its path, for messages
 *
 * Ends the tool when the host cannot make one (busy, no virtualization).
 *
 * Return: the VM's file descriptor.
 */
int lodge_device_create_vm(int device, const char *path);

/**
 * lodge_device_require() - end the tool unless all that `lodge run` needs is there
 * @device: file descriptor from lodge_device_open()
 * @path: its path, for messages
 */
void lodge_device_require(int device, const char *path);

#endif
