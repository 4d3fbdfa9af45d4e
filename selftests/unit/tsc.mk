# SPDX-License-Identifier: GPL-2.0-only
UNITS += tsc_rate
tsc_rate-sources := kmod/selftest/tsc_rate.c kmod/tsc_rate.c
