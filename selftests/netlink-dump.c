// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dumps over netlink that do not fit one message: they go on where they
 * stopped, and a list that changed in between is marked as such.
 */
#include <unistd.h>

#include "netlink.h"
#include "vm.h"

#define VMS	200	/* at least four pieces: the kernel makes one ahead of the reader */
#define VCPUS	128
#define PIECE	4096	/* the kernel's pieces are no smaller */

static struct vm *vms[VMS];
static struct nl_vms told;
static struct nl_vcpus vcpus;

static void vms_make(void)
{
	unsigned int i;

	for (i = 0; i < VMS; i++)
		vms[i] = vm_create_bare();
}

static void vms_drop(void)
{
	unsigned int i;

	for (i = 0; i < VMS; i++)
		if (vms[i])
			vm_free(vms[i]);
}

/* Sends the request for a dump and reads its first piece alone. */
static struct nl *dump_begin(u8 cmd, void (*fn)(const struct nl_answer *answer, void *context),
			     void *context)
{
	struct nl *nl = nl_open();
	struct nl_request request;

	/* The kernel remembers the largest buffer that a socket was read with. */
	CHECK_EQ(close(nl->fd), 0);
	nl->fd = nl_socket();
	nl->buffer = PIECE;
	nl_request_begin(nl, &request, cmd, NLM_F_DUMP);
	nl_send(nl, &request);
	CHECK_EQ(nl_receive(nl, fn, context), 1);
	return nl;
}

static void dump_finish(struct nl *nl, void (*fn)(const struct nl_answer *answer, void *context),
			void *context)
{
	long ret;

	do
		ret = nl_receive(nl, fn, context);
	while (ret > 0);
	CHECK_EQ(ret, 0);
}

static size_t own_told(void)
{
	size_t i, own = 0;

	for (i = 0; i < told.nr; i++) {
		if (i)
			CHECK(told.list[i].id > told.list[i - 1].id);
		own += told.list[i].pid == (u32)getpid();
	}
	return own;
}

static void pieces_make_the_whole(void)
{
	struct nl *nl;

	vms_make();
	told.nr = 0;
	nl = dump_begin(LODGE_CMD_VM_GET, nl_vm_add, &told);
	CHECK_LE(own_told(), VMS - 1);
	dump_finish(nl, nl_vm_add, &told);
	CHECK_EQ(own_told(), VMS);
	CHECK(!nl->interrupted);
	vms_drop();
}

static void creation_interrupts(void)
{
	struct vm *late;
	struct nl *nl;

	vms_make();
	told.nr = 0;
	nl = dump_begin(LODGE_CMD_VM_GET, nl_vm_add, &told);
	CHECK(!nl->interrupted);
	late = vm_create_bare();
	dump_finish(nl, nl_vm_add, &told);
	CHECK(nl->interrupted);
	vm_free(late);
	vms_drop();
}

/* A VM that was told goes, one that was not told yet goes: the others come, each once. */
static void destruction_interrupts(void)
{
	struct nl *nl;

	vms_make();
	told.nr = 0;
	nl = dump_begin(LODGE_CMD_VM_GET, nl_vm_add, &told);
	CHECK(!nl->interrupted);
	vm_free(vms[0]);
	vm_free(vms[VMS - 1]);
	vms[0] = vms[VMS - 1] = NULL;
	dump_finish(nl, nl_vm_add, &told);
	CHECK(nl->interrupted);
	CHECK_EQ(own_told(), VMS - 1);
	vms_drop();
}

static void vcpus_resume_within_a_vm(void)
{
	struct vm *vm = vm_create_bare();
	struct nl *nl;
	u32 i, own = 0;
	u64 id;

	for (i = 0; i < VCPUS; i++)
		CHECK_OK(xioctl(vm->fd, KVM_CREATE_VCPU, (unsigned long)i));
	nl = nl_open();
	id = nl_own_vm(nl).id;
	vcpus.nr = 0;
	nl = dump_begin(LODGE_CMD_VCPU_GET, nl_vcpu_add, &vcpus);
	CHECK_LE(vcpus.nr, VCPUS - 1);
	dump_finish(nl, nl_vcpu_add, &vcpus);
	for (i = 0; i < vcpus.nr; i++) {
		if (vcpus.list[i].vm_id != id)
			continue;
		CHECK_EQ(vcpus.list[i].index, own);
		own++;
	}
	CHECK_EQ(own, VCPUS);
	CHECK(!nl->interrupted);
}

static void abandoned_dump_holds_nothing(void)
{
	struct nl *nl;

	vms_make();
	told.nr = 0;
	nl = dump_begin(LODGE_CMD_VM_GET, nl_vm_add, &told);
	close(nl->fd);
	vms_drop();
	memset(vms, 0, sizeof(vms));
	nl = nl_open();
	nl_vms_get(nl, &told);
	CHECK_EQ(own_told(), 0);
}

static const struct test tests[] = {
	TEST(pieces_make_the_whole),
	TEST(creation_interrupts),
	TEST(destruction_interrupts),
	TEST(vcpus_resume_within_a_vm),
	TEST(abandoned_dump_holds_nothing),
};

KTAP_MAIN(tests)
