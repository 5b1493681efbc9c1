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

build/lab/initramfs: build/lab/lab tools/initramfs.py
	@echo "  CPIO  $@"
	$(Q)/usr/bin/python3 tools/initramfs.py $@ init=$<

# They say what they are, run all experiments, write to screen and serial line, and switch off.
lab-iso: build/lab/bulla.elf build/bulla.elf build/lab/initramfs
	@echo "  ISO   build/lab-program.iso"
	$(Q)tools/mkiso build/lab-program.iso build/bulla.elf build/lab/initramfs ""
	@echo "  ISO   build/lab.iso"
	$(Q)tools/mkiso build/lab.iso $< "" \
	    "lab=* lab.clock=time lab.commit=$(shell git describe --always --dirty 2>/dev/null)"
