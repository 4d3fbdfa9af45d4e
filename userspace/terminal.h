/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The user's terminal: raw while a guest has it, as it was afterwards.
 */
#ifndef LODGE_TERMINAL_H
#define LODGE_TERMINAL_H

#include <stdbool.h>

/**
 * lodge_terminal_raw() - give the terminal on a descriptor to the guest
 * @fd: descriptor
 *
 * Does nothing while the terminal belongs to another job: a background job must
 * not touch its mode. Harmless when it was taken before.
 *
 * Return: whether the terminal is the guest's now.
 */
bool lodge_terminal_raw(int fd);

/**
 * lodge_terminal_restore() - give it back; harmless when nothing was taken
 *
 * Context: async-signal-safe.
 */
void lodge_terminal_restore(void);

#endif
