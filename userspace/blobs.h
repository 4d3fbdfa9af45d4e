/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files that the build puts into the tool; blobs.S brings them in.
 */
#ifndef LODGE_BLOBS_H
#define LODGE_BLOBS_H

/* The DSDT, compiled from dsdt.asl. */
extern const char lodge_blob_dsdt[], lodge_blob_dsdt_end[];

/* The guest's init script, guest-init. */
extern const char lodge_blob_init[], lodge_blob_init_end[];

#endif
