# SPDX-License-Identifier: MIT
# tests/conformance/conformance.mk - make conformance: Linux's own tests as the measure
#
# Room:   tests. Included by the Makefile.
# Owns:   what make conformance needs beyond make deps.
# Tour:   before tests/conformance/run.

CONFORMANCEFLAGS ?=

.PHONY: conformance
conformance: deps
	@tools/install-deps tests/conformance/conformance.deps
	@$(MAKE) --no-print-directory kernel user
	@tests/conformance/run $(CONFORMANCEFLAGS)
