# SPDX-License-Identifier: MIT
# tests/host/host.mk - ring 2: mm/ and lib/ as programs of the build machine
#
# Room:   tests/host. Included by the Makefile; "make test-host" builds and runs all of it.
# Owns:   build/host/. Two flavours: debug (DEBUG=2) and release (DEBUG=0), both sanitized.
# Always: (1) each tests/host/test_*.c is one program; HOST_SOURCES_test_NAME adds sources to it.
# Tour:   after tests/host/machine.h.

HOST_CC       ?= gcc
HOST_BUILD    := build/host
HOST_FLAVOURS := debug release
HOST_TESTS    := $(patsubst tests/host/%.c,%,$(wildcard tests/host/test_*.c))
HOST_LIBRARY  := $(wildcard lib/*.c mm/*.c) tests/host/machine.c
HOST_CFLAGS   := -std=gnu17 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
                 -fno-omit-frame-pointer -Wall -Wextra -Werror -Wno-format-zero-length -MMD -MP \
                 -Itests/host/shadow -Itests/host -Iinclude -Iarch/x86_64/include -I.

# Files of kernel/ that are pure; the model of a TLB is a tool.
HOST_SOURCES_test_initramfs := kernel/cpio.c
HOST_SOURCES_test_mm        := tests/host/mmu.c arch/x86_64/pgtable.c arch/x86_64/check.c \
                               arch/x86_64/roots.c
HOST_SOURCES_test_table     := $(HOST_SOURCES_test_mm) tests/host/reference.c
HOST_SOURCES_test_tlbmodel  := $(addprefix tools/tlbmodel/,array.c model.c replay.c shapes.c)

HOST_CFLAGS_debug   := -DDEBUG=2 -DBUGS=0
HOST_CFLAGS_release := -DDEBUG=0 -DBUGS=0

# The kernel's own memcpy() and snprintf() would shadow those of the C library, which the
# sanitizers watch: they are linked under other names, and only their tests use them.
HOST_RENAMED := memcpy memmove memset memcmp strlen strnlen strcmp strncmp strchr strrchr \
                snprintf vsnprintf
HOST_RENAME  := $(foreach name,$(HOST_RENAMED),--redefine-sym $(name)=kernel_$(name))

# $(1): flavour. Objects, then an archive: each test links only what it uses.
define host_flavour
$(HOST_BUILD)/$(1)/%.o: %.c
	@mkdir -p $$(@D)
	$$(Q)$$(HOST_CC) $$(HOST_CFLAGS) $$(HOST_CFLAGS_$(1)) -c $$< -o $$@

$(HOST_BUILD)/$(1)/lib/string.o $(HOST_BUILD)/$(1)/lib/format.o: $(HOST_BUILD)/$(1)/lib/%.o: lib/%.c
	@mkdir -p $$(@D)
	$$(Q)$$(HOST_CC) -std=gnu17 -O2 -g -ffreestanding -mgeneral-regs-only -Wall -Wextra -Werror -MMD -MP \
	    -Iinclude -c $$< -o $$@
	$$(Q)objcopy $$(HOST_RENAME) $$@

$(HOST_BUILD)/$(1)/libkernel.a: $$(HOST_LIBRARY:%.c=$(HOST_BUILD)/$(1)/%.o)
	@rm -f $$@
	$$(Q)ar rcs $$@ $$^

-include $$(HOST_LIBRARY:%.c=$(HOST_BUILD)/$(1)/%.d)
endef

# $(1): flavour, $(2): test.
define host_test
$(HOST_BUILD)/$(1)/$(2): $(HOST_BUILD)/$(1)/tests/host/$(2).o \
    $$(HOST_SOURCES_$(2):%.c=$(HOST_BUILD)/$(1)/%.o) $(HOST_BUILD)/$(1)/libkernel.a
	$$(Q)$$(HOST_CC) $$(HOST_CFLAGS) $$^ -lcmocka -o $$@

HOST_PROGRAMS += $(HOST_BUILD)/$(1)/$(2)
-include $(HOST_BUILD)/$(1)/tests/host/$(2).d $$(HOST_SOURCES_$(2):%.c=$(HOST_BUILD)/$(1)/%.d)
endef

$(foreach flavour,$(HOST_FLAVOURS),$(eval $(call host_flavour,$(flavour))))
# The first takes a minute, the second knows no flavours: once is enough.
HOST_ONCE := test_table test_tlbmodel

$(foreach flavour,$(HOST_FLAVOURS),$(foreach test,$(HOST_TESTS),\
    $(if $(filter $(HOST_ONCE:%=debug/%),$(flavour)/$(test)),,\
        $(eval $(call host_test,$(flavour),$(test))))))

.PHONY: test-host
test-host: $(HOST_PROGRAMS)
	$(Q)tests/host/run $(sort $(HOST_PROGRAMS))
