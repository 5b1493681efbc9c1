/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/uaccess.c - copying to and from a program's memory
 *
 * Room:   arch.
 * Owns:   the range check in front of every copy.
 * Locks:  none.
 * Always: (1) the range is checked before the first byte is touched.
 * Source: asm/uaccess.h.
 * Tour:   after arch/x86_64/uaccess.asm.
 */
#include <asm/uaccess.h>

#include <uapi/errno.h>

size_t user_copy(void *to, const void *from, size_t len);
size_t user_clear(void *to, size_t len);
long user_copy_string(char *to, const char *from, size_t size);
int user_cmpxchg32(uint32_t *at, uint32_t *expected, uint32_t new);

size_t copy_from_user_partial(void *to, user_addr_t from, size_t len)
{
    return user_range_ok(from, len) ? user_copy(to, (const void *)from.raw, len) : len;
}

size_t copy_to_user_partial(user_addr_t to, const void *from, size_t len)
{
    return user_range_ok(to, len) ? user_copy((void *)to.raw, from, len) : len;
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
    return user_range_ok(to, len) ? user_clear((void *)to.raw, len) : len;
}

int cmpxchg32_user(user_addr_t at, uint32_t *expected, uint32_t new)
{
    if (!user_range_ok(at, sizeof(new)))
        return -EFAULT;
    return user_cmpxchg32((uint32_t *)at.raw, expected, new);
}

long copy_string_from_user(char *to, user_addr_t from, size_t size)
{
    if (!user_range_ok(from, 0))
        return -EFAULT;
    size_t reach = min(size, USER_END - from.raw);
    long len = user_copy_string(to, (const char *)from.raw, reach);
    if (len < (long)reach) /* -EFAULT, too */
        return len;
    return reach < size ? -EFAULT : -ENAMETOOLONG;
}
