/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/uaccess.c - copying to and from a program's memory
 *
 * Room:   arch.
 * Owns:   the range check in front of every copy.
 * Locks:  none.
 * Always: (1) the range is checked before the first byte is touched;
 *         (2) where some memory is not for the kernel to copy, no range passes the short check, and
 *             the long one asks; what is mapped so while a copy is under way is refused page by
 *             page as it is faulted in, but for pages that the program itself has touched by then.
 * Source: asm/uaccess.h.
 * Tour:   after arch/x86_64/uaccess.asm.
 */
#include <asm/uaccess.h>

#include "entry.h"
#include "percpu.h"
#include <asm/smp.h>
#include <uapi/errno.h>
#include <upcalls.h>

size_t user_copy(void *to, const void *from, size_t len);
size_t user_clear(void *to, size_t len);
long user_copy_string(char *to, const char *from, size_t size);
int user_cmpxchg32(uint32_t *at, uint32_t *expected, uint32_t new);

/* The end of what is copied without asking: USER_END, or 0. */
static inline uint64_t copy_end(void)
{
    uint64_t end;
    __asm__ volatile("movq %%gs:40, %0" : "=r"(end));
    return end;
}

/* The short check. */
static inline bool may_copy(user_addr_t p, size_t len)
{
    uint64_t end = copy_end();
    return likely(len <= end) && likely(p.raw <= end - len);
}

/* The long one: how many bytes. */
static __cold size_t copyable(user_addr_t p, size_t len)
{
    bool may_ask = user_range_ok(p, len) && irqs_enabled();
    return may_ask ? upcall_copyable(p.raw, len) : 0;
}

bool uaccess_may_fault(uint64_t address)
{
    return may_copy(user(address), 1) || copyable(user(address), 1);
}

static void look_again(void *arg)
{
    struct cpu *cpu = this_cpu();
    (void)arg;

    cpu->copy_end = atomic_load(&cpu->pgt->copy_end);
}

void uaccess_ask(struct pgtable *pgt)
{
    if (!atomic_exchange(&pgt->copy_end, 0))
        return;
    smp_call_others(look_again, NULL);
    irq_flags_t flags = irq_save();
    look_again(NULL);
    irq_restore(flags);
}

/* The same copies where they ask. Apart, so that the others save no registers. */

static __cold size_t copy_from_asked(void *to, user_addr_t from, size_t len)
{
    size_t part = copyable(from, len);
    return len - part + user_copy(to, (const void *)from.raw, part);
}

static __cold size_t copy_to_asked(user_addr_t to, const void *from, size_t len)
{
    size_t part = copyable(to, len);
    return len - part + user_copy((void *)to.raw, from, part);
}

static __cold size_t clear_asked(user_addr_t to, size_t len)
{
    size_t part = copyable(to, len);
    return len - part + user_clear((void *)to.raw, part);
}

size_t copy_from_user_partial(void *to, user_addr_t from, size_t len)
{
    bool at_once = may_copy(from, len);
    return at_once ? user_copy(to, (const void *)from.raw, len) : copy_from_asked(to, from, len);
}

size_t copy_to_user_partial(user_addr_t to, const void *from, size_t len)
{
    bool at_once = may_copy(to, len);
    return at_once ? user_copy((void *)to.raw, from, len) : copy_to_asked(to, from, len);
}

int copy_from_user(void *to, user_addr_t from, size_t len)
{
    return copy_from_user_partial(to, from, len) ? -EFAULT : 0;
}

int copy_to_user(user_addr_t to, const void *from, size_t len)
{
    return copy_to_user_partial(to, from, len) ? -EFAULT : 0;
}

size_t clear_user(user_addr_t to, size_t len)
{
    return may_copy(to, len) ? user_clear((void *)to.raw, len) : clear_asked(to, len);
}

int cmpxchg32_user(user_addr_t at, uint32_t *expected, uint32_t new)
{
    if (!may_copy(at, sizeof(new)) && copyable(at, sizeof(new)) < sizeof(new))
        return -EFAULT;
    return user_cmpxchg32((uint32_t *)at.raw, expected, new);
}

/* Of a string the end is not known: how far it may reach. */
static __cold size_t string_reach_asked(user_addr_t from, size_t size)
{
    return user_range_ok(from, 0) ? copyable(from, min(size, USER_END - from.raw)) : 0;
}

long copy_string_from_user(char *to, user_addr_t from, size_t size)
{
    uint64_t end = copy_end();
    size_t reach = from.raw <= end ? min(size, end - from.raw) : string_reach_asked(from, size);
    long len = user_copy_string(to, (const char *)from.raw, reach);
    if (len < (long)reach) /* -EFAULT, too */
        return len;
    return reach < size ? -EFAULT : -ENAMETOOLONG;
}
