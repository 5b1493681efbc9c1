# SPDX-License-Identifier: MIT
# tools/bench.mk - make bench: Bulla against Linux
#
# Room:   tools. Included by the Makefile.
# Owns:   what make bench needs beyond make deps.
# Tour:   before tools/bench.

BENCHFLAGS ?=

.PHONY: bench
bench: deps
	@tools/install-deps tools/bench.deps
	@$(MAKE) --no-print-directory kernel user
	@tools/bench $(BENCHFLAGS)
