# SPDX-License-Identifier: MIT
# tools/tlb.mk - make tlb and make lab-iso: the TLB laboratory
#
# Room:   tools. Included by the Makefile.
# Owns:   build/lab: a kernel with experiments, and the program beside it.
# Tour:   before tools/tlb.

TLBFLAGS ?=
LAB_USER := $(sort $(wildcard tests/experiments/user/*.c)) tests/experiments/measure.c

.PHONY: tlb lab lab-iso
lab: build/lab/bulla.elf build/lab/bulla-pvh.elf build/lab/lab

build/lab/lab: $(LAB_USER) $(wildcard tests/experiments/*.h tests/experiments/user/*.h) Makefile
	@mkdir -p $(@D)
	@echo "  USER  $@"
	$(Q)$(MUSL_CC) $(USERFLAGS) $(LAB_USER) -o $@

tlb: deps
	@tools/install-deps tools/bench.deps
	@$(MAKE) --no-print-directory kernel user lab
	@tools/tlb $(TLBFLAGS)

# It says what it is, runs all experiments, writes to screen and serial line, and switches off.
lab-iso: build/lab/bulla.elf
	@echo "  ISO   build/lab.iso"
	$(Q)tools/mkiso build/lab.iso $< "" \
	    "lab=* lab.clock=time lab.commit=$(shell git describe --always --dirty 2>/dev/null)"
