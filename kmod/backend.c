// SPDX-License-Identifier: GPL-2.0-only
/* Chooses the backend at load and points the static calls at it. Nothing changes afterwards. */
#include "backend.h"

#include <linux/errno.h>
#include <linux/printk.h>

const struct lodge_backend *lodge_backend;

#define LODGE_OP(ret, name, args) \
	DEFINE_STATIC_CALL_NULL(lodge_op_##name, *((struct lodge_backend_ops *)NULL)->name);
#include "backend-ops.h"

static const struct lodge_backend *const lodge_backends[] = {
	&lodge_svm_backend,
	&lodge_vmx_backend,
};

static void backend_patch_calls(const struct lodge_backend_ops *ops)
{
#define LODGE_OP(ret, name, args) static_call_update(lodge_op_##name, ops->name);
#include "backend-ops.h"
}

int lodge_backend_choose(void)
{
	unsigned int i;
	int ret = -ENXIO;

	for (i = 0; i < ARRAY_SIZE(lodge_backends) && ret == -ENXIO; i++) {
		ret = lodge_backends[i]->check();
		if (!ret)
			lodge_backend = lodge_backends[i];
	}
	if (ret == -ENXIO) {
		pr_info("this CPU has neither AMD-V (SVM) nor VT-x (VMX)\n");
		return -ENODEV;
	}
	if (ret)
		return ret;
	ret = lodge_backend->setup();
	if (ret)
		return ret;
	backend_patch_calls(&lodge_backend->ops);
	return 0;
}

void lodge_backend_release(void)
{
	lodge_backend->teardown();
}
