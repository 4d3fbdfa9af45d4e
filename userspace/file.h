/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files on the host that a guest is made from.
 */
#ifndef LODGE_FILE_H
#define LODGE_FILE_H

#include <stddef.h>
#include <stdint.h>

/**
 * lodge_file_open() - open a regular file for reading
 * @path: its name
 * @what: what it is to the user ("kernel", "initrd"), for messages
 * @size: its size goes here
 *
 * Ends the tool when there is none.
 *
 * Return: descriptor.
 */
int lodge_file_open(const char *path, const char *what, uint64_t *size);

/**
 * lodge_file_read() - read a range of a file whole
 * @fd: descriptor
 * @buffer: room
 * @size: bytes
 * @offset: first byte
 *
 * Return: 0, or -1 with errno; a file that ends early is EIO.
 */
int lodge_file_read(int fd, void *buffer, size_t size, uint64_t offset);

#endif
