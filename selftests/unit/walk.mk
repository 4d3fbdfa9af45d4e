# SPDX-License-Identifier: GPL-2.0-only
UNITS += walk
walk-sources := kmod/selftest/walk.c
