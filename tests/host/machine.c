/* SPDX-License-Identifier: MIT */
/*
 * tests/host/machine.c - the machine that mm/ sees in a host test
 *
 * Room:   tests/host.
 * Owns:   what the shadow headers and the base contracts promise.
 * Locks:  one thread.
 * Always: (1) RAM and page array are reserved address space, opened page by page.
 * Source: design.md section 10, ring 2.
 * Tour:   after tests/host/machine.h.
 */
#define _GNU_SOURCE /* memfd_create() */
#include "machine.h"

#include <asm/cpu.h>
#include <asm/machine.h>
#include <asm/spinlock.h>
#include <base/fail.h>
#include <base/log.h>
#include <mm/boot_alloc.h>
#include <mm/buddy.h>
#include <mm/page.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define LOCKS_MAX        16
#define PAGE_ARRAY_BYTES (HOST_RAM_MAX / PAGE_SIZE * sizeof(struct page))

unsigned host_cpu;
char *host_ram;
char *host_page_array;
struct memmap host_memmap;
jmp_buf host_panic_jump;
bool host_panic_expected;
char host_panic_message[512];
char host_log_line[512];

static char *programs_ram;
static spinlock_t *locks[LOCKS_MAX];
static unsigned nr_locks;
static bool irqs_on = true;
static uint64_t random_state = 88172645463325252ULL;

static _Noreturn void report_panic(void)
{
    if (!host_panic_expected) {
        printf("Bail out! panic: %s\n", host_panic_message);
        fflush(stdout);
        abort();
    }
    while (nr_locks > 0)
        locks[--nr_locks]->held = 0;
    irqs_on = true;
    longjmp(host_panic_jump, 1);
}

void panic(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(host_panic_message, sizeof(host_panic_message), fmt, args);
    va_end(args);
    report_panic();
}

void assert_failed(const char *claim, const char *file, int line, const char *fmt, ...)
{
    va_list args;
    int len =
        snprintf(host_panic_message, sizeof(host_panic_message), "%s:%d: %s: ", file, line, claim);

    va_start(args, fmt);
    vsnprintf(host_panic_message + len, sizeof(host_panic_message) - (size_t)len, fmt, args);
    va_end(args);
    report_panic();
}

void log_line(enum log_level level, const char *fmt, ...)
{
    va_list args;

    (void)level;
    va_start(args, fmt);
    vsnprintf(host_log_line, sizeof(host_log_line), fmt, args);
    va_end(args);
}

void host_lock_nested(spinlock_t *lock)
{
    if (lock->held)
        panic("lock %p (rank %u) taken twice", (void *)lock, lock->rank);
    lock->held = 1;
    lock->irqs_off = !irqs_on;
    locks[nr_locks++] = lock;
}

void host_lock(spinlock_t *lock)
{
    if (nr_locks > 0 && locks[nr_locks - 1]->rank >= lock->rank)
        panic("lock of rank %u taken under rank %u", lock->rank, locks[nr_locks - 1]->rank);
    host_lock_nested(lock);
}

void host_unlock(spinlock_t *lock)
{
    if (nr_locks == 0 || locks[nr_locks - 1] != lock)
        panic("lock %p (rank %u) released out of order", (void *)lock, lock->rank);
    lock->held = 0;
    nr_locks--;
}

void host_may_wait(enum lock_rank below)
{
    if (nr_locks > 0 && locks[nr_locks - 1]->rank >= below)
        panic("waits while holding a lock of rank %u", locks[nr_locks - 1]->rank);
    if (!irqs_on)
        panic("waits with interrupts off");
}

irq_flags_t irq_save(void)
{
    irq_flags_t flags = irqs_on;

    irqs_on = false;
    return flags;
}

void irq_restore(irq_flags_t flags)
{
    if (irqs_on)
        panic("irq_restore() with interrupts on");
    for (unsigned i = 0; flags != 0 && i < nr_locks; i++)
        if (locks[i]->irqs_off)
            panic("interrupts on while holding a lock of rank %u", locks[i]->rank);
    irqs_on = flags != 0;
}

bool irqs_enabled(void)
{
    return irqs_on;
}

static void open_memory(char *at, uint64_t len_bytes)
{
    if (mprotect(at, len_bytes, PROT_READ | PROT_WRITE) != 0)
        panic("mprotect(%p, %lu)", (void *)at, len_bytes);
}

/* The array's frames are only marked as taken: its bytes live at @va alone. */
void kernel_map_early(void *va, phys_addr_t a, uint64_t len_bytes)
{
    if (range_set_overlap(&host_memmap.ram, a.raw, a.raw + len_bytes) != len_bytes)
        panic("page array at %lx, where there is no RAM", a.raw);
    if (range_set_overlap(&host_memmap.free, a.raw, a.raw + len_bytes) != 0)
        panic("page array at %lx, which is free", a.raw);
    open_memory(va, len_bytes);
}

static char *reserve(char *old, uint64_t len_bytes)
{
    if (old != NULL)
        munmap(old, len_bytes);

    void *at = mmap(NULL, len_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (at == MAP_FAILED)
        panic("mmap(%lu)", len_bytes);
    return at;
}

/* The same memory twice: as the kernel sees it (page by page), and as programs do. */
static void reserve_ram(void)
{
    static int fd = -1;

    if (fd >= 0) {
        munmap(host_ram, HOST_RAM_MAX);
        munmap(programs_ram, HOST_RAM_MAX);
        close(fd);
    }
    fd = memfd_create("ram", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, HOST_RAM_MAX) != 0)
        panic("memfd of %lu bytes", HOST_RAM_MAX);
    host_ram = mmap(NULL, HOST_RAM_MAX, PROT_NONE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    programs_ram =
        mmap(NULL, HOST_RAM_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (host_ram == MAP_FAILED || programs_ram == MAP_FAILED)
        panic("mmap(%lu)", HOST_RAM_MAX);
}

void *host_ram_of_programs(phys_addr_t a)
{
    return programs_ram + a.raw;
}

void host_region(struct boot_info *info, uint64_t start, uint64_t end, enum boot_region_kind kind)
{
    info->regions[info->nr_regions++] = (struct boot_region){phys(start), phys(end), kind};
}

void host_machine_boot(const struct boot_info *info)
{
    host_cpu = 0;
    reserve_ram();
    host_page_array = reserve(host_page_array, PAGE_ARRAY_BYTES);
    fail_at_set(0);
    if (memmap_build(info, &host_memmap) != 0)
        panic("no memory");
    for (unsigned i = 0; i < host_memmap.ram.nr; i++) {
        struct mem_range range = host_memmap.ram.ranges[i];

        open_memory(host_ram + range.start, range.end - range.start);
    }
    boot_alloc_init(&host_memmap);
}

void host_machine_start_mm(void)
{
    boot_alloc_unlimit();
    page_array_init(&host_memmap);
    buddy_init(&host_memmap);
}

void host_machine_start(uint64_t ram_bytes)
{
    struct boot_info info = {0};

    host_region(&info, 0, 640 * KIB, BOOT_REGION_USABLE);
    host_region(&info, 1 * MIB, 1 * MIB + ram_bytes, BOOT_REGION_USABLE);
    host_machine_boot(&info);
    host_machine_start_mm();
}

uint64_t host_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

void host_random_seed(uint64_t seed)
{
    random_state = seed * 0x9e3779b97f4a7c15ULL + 1;
}
