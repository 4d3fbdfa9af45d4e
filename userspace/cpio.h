/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writing a cpio archive (newc) for a guest's initramfs, by libarchive.
 */
#ifndef LODGE_CPIO_H
#define LODGE_CPIO_H

#include <stddef.h>
#include <sys/types.h>

struct archive;

/**
 * lodge_cpio_open() - start an archive
 * @fd: where it goes; stays the caller's
 *
 * Return: the archive. Every function here ends the tool on failure.
 */
struct archive *lodge_cpio_open(int fd);

/**
 * lodge_cpio_add_node() - add a directory or a character device
 * @archive: archive
 * @path: its name
 * @mode: type and permissions
 * @device: device number, 0 for directories
 */
void lodge_cpio_add_node(struct archive *archive, const char *path, mode_t mode, dev_t device);

/**
 * lodge_cpio_add_bytes() - add a regular file
 * @archive: archive
 * @path: its name
 * @mode: permissions
 * @bytes: contents
 * @size: how many
 */
void lodge_cpio_add_bytes(struct archive *archive, const char *path, mode_t mode,
			  const void *bytes, size_t size);

/**
 * lodge_cpio_add_file() - add a file of the host, decompressed if it is compressed
 * @archive: archive
 * @path: its name in the archive
 * @mode: permissions
 * @source: its name on the host
 */
void lodge_cpio_add_file(struct archive *archive, const char *path, mode_t mode,
			 const char *source);

/**
 * lodge_cpio_close() - finish the archive
 * @archive: archive
 */
void lodge_cpio_close(struct archive *archive);

#endif
