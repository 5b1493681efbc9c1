# SPDX-License-Identifier: MIT
# tests/tests.mk - make test and its parts
#
# Room:   tests. Included by the Makefile.
# Owns:   what must be built before each ring; the rings themselves are lines of tests/run.
# Tour:   before tests/run.

include tests/host/host.mk

.PHONY: test test-build test-kernel test-user test-boot test-lint soak lint stats
test: deps
	@$(MAKE) --no-print-directory -j2 test-build
	@tests/run

test-build: all $(HOST_PROGRAMS)

test-kernel: kernel-test
	@tests/run kernel

test-user: kernel user
	@tests/run user

test-boot: kernel efi
	@tests/run boot

test-lint:
	@tests/run lint

# In turns, which is the same in every run; a part with a thread for each CPU; and with PCIDs.
soak: kernel-soak
	@tools/soak --events 100000000
	@tools/soak --events 2000000 --parallel
	@tools/soak --events 10000000 --bochs

lint:
	@tools/lint

stats:
	@tools/stats
