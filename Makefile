# SPDX-License-Identifier: MIT
#
# Makefile - two flavours of one kernel, its doors, and the programs for it
#
#   build/bulla.elf       release            build/test/bulla.elf       DEBUG=2, with tests/kernel
#   build/bugs/...        as build/test, and bug=N puts a bug back: tests/bugs/run
#   build/lab/...         release, with the experiments of tests/experiments: tools/tlb
#   build/soak/...        release, but bug=N as in build/bugs, with tests/kernel/soak*.c: tools/soak
#   build/bulla-pvh.elf   the same, without the multiboot 1 header: QEMU prefers that to a PVH note
#   build/user/NAME       one static Linux program per user/NAME.c
#   build/BOOTX64.EFI     the UEFI loader    build/bulla.iso            CD and USB, BIOS and UEFI

LD        := ld
NASM      := nasm
MUSL_CC   := musl-gcc
ifeq ($(origin CC),default)
CC        := gcc
endif
V         ?= 0
Q         := $(if $(filter 1,$(V)),,@)
INITRAMFS ?= build/initramfs.cpio
APPEND    ?=

CPPFLAGS  := -Iinclude -Iarch/x86_64/include -I.
WARN      := -Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes \
             -Wno-format-zero-length
CFLAGS    := -std=gnu17 -O2 -g -ffreestanding -mcmodel=kernel -mno-red-zone -fno-pic \
             -fno-stack-protector -fcf-protection=none -mgeneral-regs-only -fno-omit-frame-pointer \
             -fno-strict-aliasing -fno-delete-null-pointer-checks \
             -fno-asynchronous-unwind-tables $(WARN)
ASFLAGS   := -f elf64 -g -F dwarf -Wall -Werror -Iarch/x86_64/
LDFLAGS   := -nostdlib -static -z max-page-size=0x1000 -z noexecstack -no-pie \
             --build-id=none --no-warn-rwx-segments -T linker.ld
USERFLAGS := -std=gnu17 -static -O2 -g -Wall -Wextra -Werror -Iinclude

KERNEL_SRC := $(sort $(wildcard boot/*.c boot/*.asm arch/x86_64/*.c arch/x86_64/*.asm \
                mm/*.c kernel/*.c lib/*.c))
KTEST_SRC  := $(sort $(wildcard tests/kernel/*.c))
LAB_SRC    := $(sort $(wildcard tests/experiments/*.c)) tests/kernel/kit.c tests/kernel/crew.c
SOAK_SRC   := $(sort $(wildcard tests/kernel/soak*.c)) tests/kernel/kit.c tests/kernel/crew.c
USER_SRC   := $(sort $(wildcard user/*.c))
USER       := $(USER_SRC:user/%.c=build/user/%)
FONT       := /usr/share/consolefonts/Lat15-Fixed16.psf.gz

.PHONY: all deps kernel kernel-test kernel-bugs kernel-soak user efi iso run gdb help clean
.DELETE_ON_ERROR:

all: kernel kernel-test kernel-bugs user efi lab kernel-soak

help:
	@echo "make              kernel (both flavours), user programs, UEFI loader"
	@echo "make kernel       build/bulla.elf and build/bulla-pvh.elf"
	@echo "make kernel-test  the same in build/test, with assertions and kernel tests"
	@echo "make kernel-bugs  the same in build/bugs, with bugs that bug=N puts back; see tests/bugs/run"
	@echo "make user         build/user/*: static Linux programs"
	@echo "make efi          build/BOOTX64.EFI: the UEFI loader"
	@echo "make iso          build/bulla.iso: CD and USB, BIOS and UEFI (INITRAMFS=$(INITRAMFS) APPEND=\"$(APPEND)\")"
	@echo "make run          boots the guided tour in QEMU, then a shell on a terminal"
	@echo "make test         all rings of tests; test-host, -kernel, -user, -boot, -lint: one of them"
	@echo "make lint         layers, heads, words, format; make stats prints sizes"
	@echo "make soak         10^8 random memory calls on 2 CPUs, and 10^7 on Bochs: is anything stale used?"
	@echo "make conformance  what others wrote: Linux's memory tests beside Linux, Go programs, trinity"
	@echo "make bench        what memory costs, against Linux in the same QEMU; BENCHFLAGS=\"--wall 11\", \"--threads 11\""
	@echo "make gdb          boots, and waits for the gdb that it starts"
	@echo "make tlb          the TLB laboratory: build/tlb/index.html, CSV and plots; TLBFLAGS=\"--reps 101\""
	@echo "make lab-iso      for a real machine: build/lab.iso, build/lab-program.iso; then tools/tlb log FILE"
	@echo "make deps         installs the Debian packages of tools/deps that are missing"
	@echo "make clean        removes build/"
	@echo "Variables: V=1 shows commands; CC=clang picks a compiler"

deps:
	@tools/install-deps

kernel: build/bulla.elf build/bulla-pvh.elf
kernel-test: build/test/bulla.elf build/test/bulla-pvh.elf
kernel-bugs: build/bugs/bulla-pvh.elf build/bugs/bulla.elf
kernel-soak: build/soak/bulla-pvh.elf build/soak/bulla.elf
user: $(USER)

# One flavour of the kernel: $(1) its folder, $(2) its preprocessor flags, $(3) its sources.
define flavour
$(1)/obj/%.c.o: %.c Makefile
	@mkdir -p $$(@D)
	@echo "  CC    $$@"
	$$(Q)$$(CC) $$(CPPFLAGS) $(2) $$(CFLAGS) -MMD -MP -c $$< -o $$@

$(1)/obj/%.asm.o: %.asm Makefile
	@mkdir -p $$(@D)
	@echo "  NASM  $$@"
	$$(Q)$$(NASM) $$(ASFLAGS) $(2) -MD $$(@:.o=.d) -MP $$< -o $$@

$(1)/nameless.elf $(1)/bulla.elf: $(3:%=$(1)/obj/%.o)
$(1)/bulla-pvh.elf: $$(filter-out %/multiboot1_header.asm.o,$(3:%=$(1)/obj/%.o))
$(1)/bulla.elf $(1)/bulla-pvh.elf: $(1)/made/symbols.o
$(1)/nameless.elf $(1)/bulla.elf $(1)/bulla-pvh.elf: build/made/font.o linker.ld
	@echo "  LD    $$@"
	$$(Q)$$(LD) $$(LDFLAGS) $$(filter %.o,$$^) -o $$@

$(1)/made/symbols.asm: $(1)/nameless.elf tools/symbols
	@mkdir -p $$(@D)
	@echo "  NAMES $$@"
	$$(Q)nm $$< | tools/symbols > $$@

-include $(3:%=$(1)/obj/%.d)
endef

$(eval $(call flavour,build,-DDEBUG=0 -DBUGS=0 -DLAB=0,$(KERNEL_SRC)))
$(eval $(call flavour,build/test,-DDEBUG=2 -DBUGS=0 -DLAB=0,$(KERNEL_SRC) $(KTEST_SRC)))
$(eval $(call flavour,build/bugs,-DDEBUG=2 -DBUGS=1 -DLAB=0,$(KERNEL_SRC) $(KTEST_SRC)))
$(eval $(call flavour,build/lab,-DDEBUG=0 -DBUGS=0 -DLAB=1,$(KERNEL_SRC) $(LAB_SRC)))
$(eval $(call flavour,build/soak,-DDEBUG=0 -DBUGS=1 -DLAB=0,$(KERNEL_SRC) $(SOAK_SRC)))

build/made/font.asm: tools/font $(wildcard $(FONT))
	@mkdir -p $(@D)
	@echo "  FONT  $@"
	$(Q)tools/font $(FONT) > $@

build/%.o: build/%.asm
	@echo "  NASM  $@"
	$(Q)$(NASM) -f elf64 -Wall -Werror $< -o $@

build/user/%: user/%.c Makefile
	@mkdir -p $(@D)
	@echo "  USER  $@"
	$(Q)$(MUSL_CC) $(USERFLAGS) -MMD -MP -MF build/user/$*.d $< -o $@

-include $(USER_SRC:user/%.c=build/user/%.d)

# The UEFI loader: a shared object of GNU-EFI, then turned into a PE image.
EFI_CFLAGS  := -std=gnu17 -O2 -ffreestanding -fpic -fshort-wchar -mno-red-zone \
               -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables \
               -maccumulate-outgoing-args -DEFI_FUNCTION_WRAPPER -DGNU_EFI_USE_MS_ABI $(WARN) \
               -Iinclude -I. -isystem /usr/include/efi -isystem /usr/include/efi/x86_64
EFI_LDFLAGS := -nostdlib -znocombreloc -shared -Bsymbolic -z noexecstack \
               --no-warn-rwx-segments -T /usr/lib/elf_x86_64_efi.lds /usr/lib/crt0-efi-x86_64.o
EFI_LIBS    := /usr/lib/libefi.a /usr/lib/libgnuefi.a
EFI_SECTIONS := $(patsubst %,-j %,.text .sdata .data .rodata .dynamic .dynsym '.rel*' .reloc)
EFI_OBJ     := $(patsubst %.c,build/efi/%.o,$(sort $(wildcard boot/efi/*.c)))

build/efi/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo "  EFICC $@"
	$(Q)$(CC) $(EFI_CFLAGS) -MMD -MP -c $< -o $@

-include $(EFI_OBJ:.o=.d)

efi: build/BOOTX64.EFI

build/BOOTX64.EFI: $(EFI_OBJ)
	@echo "  EFI   $@"
	$(Q)$(LD) $(EFI_LDFLAGS) $^ $(EFI_LIBS) -o build/efi/loader.so
	$(Q)objcopy $(EFI_SECTIONS) --target efi-app-x86_64 --subsystem=10 build/efi/loader.so $@

iso: build/bulla.iso

build/bulla.iso: build/bulla.elf $(INITRAMFS) FORCE
	@echo "  ISO   $@"
	$(Q)tools/mkiso $@ build/bulla.elf "$(INITRAMFS)" "$(APPEND)"

build/initramfs.cpio: tools/initramfs.py $(USER)
	@echo "  CPIO  $@"
	$(Q)/usr/bin/python3 $< $@ $(foreach f,$(filter-out %/init,$(USER)),bin/$(notdir $f)=$f) \
	    $(addprefix init=,$(filter %/init,$(USER)))

run: deps
	@$(MAKE) --no-print-directory kernel user efi
	@tools/run $(RUNFLAGS)

gdb: kernel user
	@tools/run --gdb $(RUNFLAGS) & machine=$$!; \
	    gdb -q -x tools/gdb/bulla.py build/bulla.elf -ex 'target remote :1234'; kill $$machine 2>/dev/null || true

FORCE:

include tests/tests.mk
include tools/bench.mk
include tools/tlb.mk
include tests/conformance/conformance.mk

clean:
	rm -rf build
