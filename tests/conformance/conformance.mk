# SPDX-License-Identifier: MIT
# tests/conformance/conformance.mk - make conformance: what others wrote as the measure
#
# Room:   tests. Included by the Makefile.
# Owns:   what make conformance needs beyond make deps.
# Tour:   before tests/conformance/run.

CONFORMANCEFLAGS ?=

.PHONY: conformance
conformance: deps
	@tools/install-deps tests/conformance/conformance.deps
	@$(MAKE) --no-print-directory kernel kernel-test user
	@tests/conformance/run $(CONFORMANCEFLAGS)
	@tests/run user/foreign
	@tests/conformance/trinity --minutes 1
