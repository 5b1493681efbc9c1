/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/power.c - leaving the machine
 *
 * Room:   arch.
 * Owns:   the ways out, each tried in turn.
 * Locks:  none: the other CPUs are stopped first, whatever they held.
 * Always: (1) none of these functions returns;
 *         (2) after a failure a real machine stays on, so that the screen can be read.
 * Source: ACPI, "Transitioning from the Working to the Sleeping State"; QEMU, "isa-debug-exit";
 *         Bochs, "Shutdown" port; Intel I/O Controller Hub, "Reset Control Register".
 * Tour:   last.
 */
#include <asm/power.h>

#include "acpi.h"
#include "insn.h"
#include <asm/machine.h>
#include <asm/smp.h>
#include <asm/spinlock.h>
#include <stddef.h>

#define DEBUG_EXIT_PORT     0xf4
#define BOCHS_SHUTDOWN_PORT 0x8900

#define PM1_SCI_ENABLED      (1 << 0) /* ACPI mode, not firmware's */
#define PM1_SLEEP_TYPE_SHIFT 10
#define PM1_SLEEP_TYPE_MASK  (7 << PM1_SLEEP_TYPE_SHIFT)
#define PM1_SLEEP_ENABLE     (1 << 13)
#define SLEEP_TYPE_SHIFT     2 /* of the sleep control register, where there is no PM1 */
#define SLEEP_ENABLE         (1 << 5)

#define RESET_CONTROL_PORT   0xcf9
#define RESET_CONTROL_SYSTEM 0x02
#define RESET_CONTROL_NOW    0x06
#define KEYBOARD_PORT        0x64
#define KEYBOARD_BUSY        0x02
#define KEYBOARD_RESET       0xfe

#define WAIT_LOOPS 100000 /* for hardware that reacts late; works before there is a clock */

static void wait_a_little(void)
{
    for (unsigned n = 0; n < WAIT_LOOPS; n++)
        cpu_relax();
}

_Noreturn void machine_halt_this_cpu(void)
{
    for (;;)
        __asm__ volatile("cli; hlt");
}

static void register_write(const struct acpi_register *r, uint8_t v)
{
    if (r->space == ACPI_REGISTER_PORT) {
        outb(r->address, v);
    } else if (r->space == ACPI_REGISTER_MEMORY) {
        volatile uint8_t *window = device_map(phys(r->address), 1);
        if (window)
            *window = v;
    }
}

static void acpi_mode_enter(const struct acpi_fadt *fadt)
{
    if (!fadt->smi_command || !fadt->acpi_enable || inw(fadt->pm1_control[0]) & PM1_SCI_ENABLED)
        return;
    outb(fadt->smi_command, fadt->acpi_enable);
    for (unsigned n = 0; !(inw(fadt->pm1_control[0]) & PM1_SCI_ENABLED) && n < WAIT_LOOPS; n++)
        cpu_relax();
}

static void pm1_sleep(uint16_t port, uint8_t type)
{
    if (!port)
        return;
    uint16_t control = inw(port) & ~PM1_SLEEP_TYPE_MASK;
    outw(port, control | type << PM1_SLEEP_TYPE_SHIFT | PM1_SLEEP_ENABLE);
}

static void acpi_power_off(void)
{
    const struct acpi_fadt *fadt = &acpi_info.fadt;
    uint8_t type[2];

    if (!acpi_info.dsdt || acpi_parse_s5(acpi_info.dsdt, acpi_info.dsdt_bytes, type))
        return;
    if (fadt->pm1_control[0])
        acpi_mode_enter(fadt);
    for (unsigned i = 0; i < 2; i++)
        pm1_sleep(fadt->pm1_control[i], type[i] & 7);
    register_write(&fadt->sleep_control, type[0] << SLEEP_TYPE_SHIFT | SLEEP_ENABLE);
    wait_a_little();
}

static void bochs_power_off(void)
{
    for (const char *c = "Shutdown"; *c; c++)
        outb(BOCHS_SHUTDOWN_PORT, *c);
}

/* Where emulators without ACPI tables have their PM1 control register. */
static void emulator_power_off(void)
{
    static const uint16_t ports[] = {0x604, 0xb004, 0x4004}; /* q35; Bochs; VirtualBox */

    for (unsigned i = 0; i < ARRAY_SIZE(ports); i++)
        outw(ports[i], i == 2 ? 0x3400 : PM1_SLEEP_ENABLE);
    wait_a_little();
}

_Noreturn void machine_power_off(enum exit_code code)
{
    irq_disable();
    smp_stop_others();
    outl(DEBUG_EXIT_PORT, code);
    if (code == EXIT_CODE_OK)
        acpi_power_off();
    bochs_power_off();
    if (code == EXIT_CODE_OK)
        emulator_power_off();
    machine_halt_this_cpu();
}

_Noreturn void machine_reset(void)
{
    irq_disable();
    smp_stop_others();
    register_write(&acpi_info.fadt.reset, acpi_info.fadt.reset_value);
    wait_a_little();
    outb(RESET_CONTROL_PORT, RESET_CONTROL_SYSTEM);
    outb(RESET_CONTROL_PORT, RESET_CONTROL_NOW);
    wait_a_little();
    for (unsigned n = 0; inb(KEYBOARD_PORT) & KEYBOARD_BUSY && n < WAIT_LOOPS; n++)
        cpu_relax();
    outb(KEYBOARD_PORT, KEYBOARD_RESET);
    wait_a_little();
    machine_halt_this_cpu();
}
