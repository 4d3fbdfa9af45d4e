/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Arrays of segments: drivers may cut a request anywhere, so a device never
 * assumes which segment holds what.
 */
#ifndef LODGE_IOV_H
#define LODGE_IOV_H

#include <stddef.h>
#include <sys/uio.h>

/**
 * lodge_iov_length() - bytes in all segments
 * @segments: segments
 * @count: how many
 */
size_t lodge_iov_length(const struct iovec *segments, unsigned int count);

/**
 * lodge_iov_take() - copy bytes off the front
 * @segments: segments; those used up become empty
 * @count: how many
 * @buffer: where the bytes go, or NULL to drop them
 * @size: bytes; no more than there are
 */
void lodge_iov_take(struct iovec *segments, unsigned int count, void *buffer, size_t size);

/**
 * lodge_iov_put() - copy bytes to the front
 * @segments: segments, left as they are
 * @count: how many
 * @buffer: the bytes
 * @size: bytes; what does not fit is dropped
 */
void lodge_iov_put(const struct iovec *segments, unsigned int count, const void *buffer,
		   size_t size);

/**
 * lodge_iov_cut() - take the last byte off the end
 * @segments: segments with at least one byte
 * @count: how many
 *
 * Return: where that byte is.
 */
void *lodge_iov_cut(struct iovec *segments, unsigned int count);

#endif
