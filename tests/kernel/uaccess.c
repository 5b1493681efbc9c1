/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/uaccess.c - copies to and from a program end where memory refuses
 *
 * Room:   tests/kernel.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) the running task has no address space: what is not mapped is not faulted in.
 * Source: asm/uaccess.h.
 * Tour:   after arch/x86_64/uaccess.asm.
 */
#include "kit.h"

#include "arch/x86_64/insn.h"

/* Page 0 may be written, page 1 only read, page 2 is a hole, page 3 may be written. */
static struct mm *three_pages(void)
{
    struct mm *mm = kit_mm();

    if (!mm || !EXPECT(kit_map(mm, 0, 4, RW) == 0))
        return NULL;
    for (uint64_t i = 0; i < 4; i++)
        EXPECT(kit_write(mm, i, 0));
    EXPECT(mm_protect(mm, AT(1), PAGE_SIZE, VM_READ, 0) == 0);
    EXPECT(mm_unmap(mm, AT(2), PAGE_SIZE) == 0);
    kit_load(mm);
    return mm;
}

static void drop(struct mm *mm)
{
    kit_unload();
    kit_mm_put(mm);
}

KTEST(copies_stop_at_the_byte_that_is_refused)
{
    static char buffer[2 * PAGE_SIZE], back[64];
    struct mm *mm = three_pages();
    REQUIRE(mm);

    memset(buffer, 'b', sizeof(buffer));
    for (size_t before = 0; before <= 40; before++) {
        for (size_t len = before; len <= before + 20; len++) {
            size_t left = copy_to_user_partial(user(AT(1) - before), buffer, len);
            EXPECT(left == len - before, "%zu bytes, %zu before the edge: %zu left", len, before,
                   left);
            left = copy_from_user_partial(buffer, user(AT(2) - before), len);
            EXPECT(left == len - before, "%zu bytes, %zu before the edge: %zu left", len, before,
                   left);
            left = clear_user(user(AT(1) - before), len);
            EXPECT(left == len - before, "%zu bytes, %zu before the edge: %zu left", len, before,
                   left);
        }
    }
    memset(buffer, 'b', sizeof(buffer));
    EXPECT(copy_to_user(user(AT(1) - 30), buffer, 30) == 0);
    EXPECT(copy_from_user(back, user(AT(1) - 31), 32) == 0);
    EXPECT(back[0] == 0 && back[1] == 'b' && back[30] == 'b' && back[31] == 0);
    EXPECT_EQ(copy_to_user(user(AT(1) - 30), buffer, 31), -EFAULT);
    EXPECT_EQ(copy_from_user(back, user(AT(2)), 1), -EFAULT);
    drop(mm);
}

KTEST(copies_refuse_the_kernels_half_before_they_touch_it)
{
    static uint64_t word = 5;
    static const uint64_t bad[] = {
        USER_END + PAGE_SIZE, 0x00007ffffffff000UL, KERNEL_HALF, DIRECT_MAP_BASE, ~0UL, ~0UL - 7};
    uint64_t copy = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        EXPECT_EQ(copy_from_user(&copy, user(bad[i]), sizeof(copy)), -EFAULT);
        EXPECT_EQ(copy_to_user(user(bad[i]), &copy, sizeof(copy)), -EFAULT);
        EXPECT_EQ(clear_user(user(bad[i]), 8), 8);
    }
    EXPECT_EQ(copy_to_user(user((uint64_t)&word), &copy, sizeof(copy)), -EFAULT);
    EXPECT_EQ(copy_from_user(&copy, user((uint64_t)&word), sizeof(copy)), -EFAULT);
    EXPECT_EQ(copy_from_user(&copy, user(AT(0)), ~0UL), -EFAULT);
    EXPECT(word == 5 && copy == 0);
    EXPECT(user_range_ok(user(0x7fffffffefffUL), 1) && !user_range_ok(user(0x7fffffffefffUL), 2));
}

KTEST(strings_end_at_nul_limit_or_edge)
{
    struct mm *mm = three_pages();
    char text[32];
    REQUIRE(mm);

    EXPECT(copy_to_user(user(AT(1) - 4), "abc", 4) == 0);
    EXPECT_EQ(copy_string_from_user(text, user(AT(1) - 4), sizeof(text)), 3);
    EXPECT(!strcmp(text, "abc"));
    EXPECT_EQ(copy_string_from_user(text, user(AT(1) - 4), 4), 3);
    EXPECT_EQ(copy_string_from_user(text, user(AT(1) - 4), 3), -ENAMETOOLONG);
    EXPECT_EQ(copy_string_from_user(text, user(AT(1) - 4), 0), -ENAMETOOLONG);
    EXPECT(copy_to_user(user(AT(4) - 4), "abcd", 4) == 0); /* no NUL before the hole */
    EXPECT_EQ(copy_string_from_user(text, user(AT(4) - 4), sizeof(text)), -EFAULT);
    EXPECT_EQ(copy_string_from_user(text, user(AT(2)), sizeof(text)), -EFAULT);
    EXPECT_EQ(copy_string_from_user(text, user(AT(1) - 1), sizeof(text)), 0); /* over the edge */
    drop(mm);
}

KTEST(compare_and_swap_of_a_user_word)
{
    struct mm *mm = three_pages();
    uint32_t expected = 0, word = 0;
    REQUIRE(mm);

    EXPECT(cmpxchg32_user(user(AT(0)), &expected, 7) == 0 && expected == 0);
    EXPECT(copy_from_user(&word, user(AT(0)), 4) == 0 && word == 7);
    expected = 1;
    EXPECT(cmpxchg32_user(user(AT(0)), &expected, 9) == 0 && expected == 7);
    EXPECT_EQ(cmpxchg32_user(user(AT(1)), &expected, 9), -EFAULT);
    EXPECT_EQ(cmpxchg32_user(user(AT(2)), &expected, 9), -EFAULT);
    EXPECT_EQ(cmpxchg32_user(user(DIRECT_MAP_BASE), &expected, 9), -EFAULT);
    drop(mm);
}

/* RFLAGS.AC, which opens SMAP, must be shut again on every way out. */
static uint64_t rflags(void)
{
    uint64_t flags;
    __asm__ volatile("pushfq; pop %0" : "=r"(flags)::"memory");
    return flags;
}

static bool smap_is_shut(void)
{
    return !(rflags() & (1UL << 18));
}

KTEST(smap_is_shut_after_every_copy)
{
    struct mm *mm = three_pages();
    uint32_t word = 0;
    char text[8];
    REQUIRE(mm);

    if (!cpu_has(CPU_SMAP)) {
        ktest_skip("no SMAP");
        drop(mm);
        return;
    }
    EXPECT(copy_from_user(&word, user(AT(0)), 4) == 0 && smap_is_shut());
    EXPECT(copy_from_user(&word, user(AT(2)), 4) != 0 && smap_is_shut());
    EXPECT(copy_to_user(user(AT(1)), &word, 4) != 0 && smap_is_shut());
    EXPECT(clear_user(user(AT(1)), 4) != 0 && smap_is_shut());
    EXPECT(cmpxchg32_user(user(AT(2)), &word, 1) != 0 && smap_is_shut());
    EXPECT(copy_string_from_user(text, user(AT(2)), 8) != 0 && smap_is_shut());
    drop(mm);
}
