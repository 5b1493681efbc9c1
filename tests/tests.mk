# SPDX-License-Identifier: MIT
# tests/tests.mk - make test and its parts
#
# Room:   tests. Included by the Makefile.
# Owns:   what must be built before each ring; the rings themselves are lines of tests/run.
# Tour:   before tests/run.

include tests/host/host.mk

.PHONY: test test-build test-kernel test-user test-boot test-lint lint stats
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

lint:
	@tools/lint

stats:
	@tools/stats
