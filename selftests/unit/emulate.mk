# SPDX-License-Identifier: GPL-2.0-only
emulate-core := kmod/selftest/emulate_machine.c $(addprefix kmod/emulate/,decode.c operand.c alu.c modify.c \
	execute.c stack.c string.c vector.c system.c)
emulate-against-cpu := $(addprefix selftests/unit/,emulate-case.c emulate-forms.c native.S) $(emulate-core)

UNITS += emulate emulate_access emulate_quick emulate_native emulate_compat emulate_fuzz
emulate-sources := kmod/selftest/emulate.c $(emulate-core)
emulate_access-sources := kmod/selftest/emulate_access.c $(emulate-core)
emulate_quick-sources := kmod/selftest/emulate_quick.c kmod/emulate/quick.c $(emulate-core)
emulate_native-sources := selftests/unit/emulate-native.c $(emulate-against-cpu)
emulate_compat-sources := selftests/unit/emulate-compat.c $(emulate-against-cpu)
emulate_fuzz-sources := $(addprefix selftests/unit/,emulate-fuzz.c emulate-case.c emulate-forms.c) $(emulate-core)
