/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the host's CPU and kernel say about virtualization. Facts only; advice
 * is given in check.c and device.c.
 */
#ifndef LODGE_HOST_H
#define LODGE_HOST_H

#include <stdbool.h>
#include <stddef.h>

enum lodge_host_vendor { HOST_OTHER, HOST_AMD, HOST_INTEL };

/**
 * struct lodge_host_module - one line of /proc/modules
 * @loaded: it is there
 * @users: its reference count
 */
struct lodge_host_module {
	bool loaded;
	unsigned int users;
};

/**
 * lodge_host_vendor() - who made the CPU (AMD stands for Hygon too)
 * @name: if not NULL, room for the 12 letters of CPUID leaf 0 and a NUL
 */
enum lodge_host_vendor lodge_host_vendor(char name[13]);

/** lodge_host_has_feature() - does CPUID show SVM or VMX? */
bool lodge_host_has_feature(void);

/**
 * lodge_host_feature_name() - "AMD-V", "VT-x" or "hardware virtualization"
 */
const char *lodge_host_feature_name(void);

/**
 * lodge_host_module() - is a kernel module loaded, and by how many used?
 * @name: as in /proc/modules
 */
struct lodge_host_module lodge_host_module(const char *name);

/**
 * lodge_host_holder() - a foreign module that may hold the CPU feature
 *
 * Return: its name, or NULL when none is loaded.
 */
const char *lodge_host_holder(void);

/**
 * lodge_host_vmx_flag() - whether VT-x here can do something
 * @name: as the kernel calls it in /proc/cpuinfo, where it shows what the CPU tells in MSRs
 */
bool lodge_host_vmx_flag(const char *name);

/**
 * lodge_host_read() - first line of a small file, without newline
 * @path: file
 * @text: room
 * @size: of @text
 *
 * Return: whether there was one.
 */
bool lodge_host_read(const char *path, char *text, size_t size);

#endif
