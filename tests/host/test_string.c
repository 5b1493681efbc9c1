/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_string.c - the kernel's bytes and strings against the C library's
 *
 * Room:   tests/host. The kernel's functions are linked under the prefix kernel_.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) all small lengths at all alignments, with guard bytes on both sides.
 * Source: lib/string.c.
 * Tour:   with lib/string.c.
 */
#include "machine.h"

#include "../../include/lib/frames.h" /* not the stand-in for it */
#include <lib/compiler.h>

#define AREA  400
#define GUARD 0xa5

void *kernel_memcpy(void *dst, const void *src, size_t len);
void *kernel_memmove(void *dst, const void *src, size_t len);
void *kernel_memset(void *dst, int byte, size_t len);
int kernel_memcmp(const void *a, const void *b, size_t len);
size_t kernel_strlen(const char *s);
size_t kernel_strnlen(const char *s, size_t max);
int kernel_strcmp(const char *a, const char *b);
int kernel_strncmp(const char *a, const char *b, size_t max);
char *kernel_strchr(const char *s, int c);
char *kernel_strrchr(const char *s, int c);
size_t strlcpy(char *dst, const char *src, size_t size);

static unsigned char expected[AREA], got[AREA], source[AREA];

static void fill(void)
{
    for (unsigned i = 0; i < AREA; i++) {
        source[i] = (unsigned char)host_random();
        expected[i] = got[i] = (unsigned char)(i ^ GUARD);
    }
}

static void memcpy_copies_exactly_len_bytes(void **state)
{
    (void)state;
    for (size_t len = 0; len < 70; len++) {
        for (unsigned to = 0; to < 9; to++) {
            for (unsigned from = 0; from < 9; from++) {
                fill();
                memcpy(expected + 16 + to, source + from, len);
                assert_ptr_equal(kernel_memcpy(got + 16 + to, source + from, len), got + 16 + to);
                assert_memory_equal(got, expected, AREA);
            }
        }
    }
}

bool fast_string;

static void pages_are_the_same_by_moves_and_by_string_instructions(void **state)
{
    enum { PAGE = 4096, ROOM = 4 * PAGE };
    static unsigned char from[ROOM], want[ROOM], have[ROOM];
    (void)state;

    for (unsigned i = 0; i < 16; i++) {
        fast_string = i % 2;
        for (unsigned j = 0; j < ROOM; j++) {
            from[j] = (unsigned char)host_random();
            want[j] = have[j] = (unsigned char)host_random();
        }
        size_t size = PAGE << i / 8;
        memcpy(want + 64, from + i, size);
        copy_frames(have + 64, from + i, size);
        assert_memory_equal(have, want, ROOM);
        memset(want + PAGE, 0, size);
        zero_frames(have + PAGE, size);
        assert_memory_equal(have, want, ROOM);
    }
}

static void memmove_copes_with_every_overlap(void **state)
{
    (void)state;
    for (size_t len = 0; len < 70; len++) {
        for (unsigned to = 100; to < 200; to++) {
            fill();
            memmove(expected + to, expected + 150, len);
            assert_ptr_equal(kernel_memmove(got + to, got + 150, len), got + to);
            assert_memory_equal(got, expected, AREA);
        }
    }
}

static void memset_fills_exactly_len_bytes(void **state)
{
    (void)state;
    for (size_t len = 0; len < 70; len++) {
        for (unsigned to = 0; to < 9; to++) {
            fill();
            memset(expected + 16 + to, 0x1c7, len);
            assert_ptr_equal(kernel_memset(got + 16 + to, 0x1c7, len), got + 16 + to);
            assert_memory_equal(got, expected, AREA);
        }
    }
}

static int sign(int x)
{
    return (x > 0) - (x < 0);
}

static void memcmp_orders_as_the_library_does(void **state)
{
    (void)state;
    for (size_t len = 0; len < 40; len++) {
        for (unsigned at = 0; at <= len; at++) {
            fill();
            memcpy(expected, source + 3, len);
            expected[at] ^= (unsigned char)host_random();
            assert_int_equal(sign(kernel_memcmp(expected, source + 3, len)),
                             sign(memcmp(expected, source + 3, len)));
        }
    }
}

static void comparisons_agree_with_the_library(void **state)
{
    (void)state;
    static const char *const words[] = {"", "a", "b", "ab", "abc", "abd", "\xff", "a\xff"};

    for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
        for (unsigned j = 0; j < ARRAY_SIZE(words); j++) {
            assert_int_equal(sign(kernel_strcmp(words[i], words[j])),
                             sign(strcmp(words[i], words[j])));
            for (size_t max = 0; max < 5; max++)
                assert_int_equal(sign(kernel_strncmp(words[i], words[j], max)),
                                 sign(strncmp(words[i], words[j], max)));
        }
    }
}

static void lengths_and_searches_agree_with_the_library(void **state)
{
    (void)state;
    static const char text[] = "key=value=end";

    assert_int_equal(kernel_strlen(text), strlen(text));
    assert_int_equal(kernel_strlen(""), 0);
    for (size_t max = 0; max < 20; max++)
        assert_int_equal(kernel_strnlen(text, max), strnlen(text, max));
    for (int c = 0; c < 256; c++) {
        assert_ptr_equal(kernel_strchr(text, c), strchr(text, c));
        assert_ptr_equal(kernel_strrchr(text, c), strrchr(text, c));
    }
}

static void strlcpy_terminates_and_tells_the_whole_length(void **state)
{
    (void)state;
    char buf[8] = "xxxxxxx";

    assert_int_equal(strlcpy(buf, "hello", sizeof(buf)), 5);
    assert_string_equal(buf, "hello");
    assert_int_equal(strlcpy(buf, "hello, world", sizeof(buf)), 12);
    assert_string_equal(buf, "hello, ");
    assert_int_equal(strlcpy(buf, "abc", 1), 3);
    assert_string_equal(buf, "");
    buf[0] = 'q';
    assert_int_equal(strlcpy(buf, "abc", 0), 3);
    assert_int_equal(buf[0], 'q');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memcpy_copies_exactly_len_bytes),
        cmocka_unit_test(pages_are_the_same_by_moves_and_by_string_instructions),
        cmocka_unit_test(memmove_copes_with_every_overlap),
        cmocka_unit_test(memset_fills_exactly_len_bytes),
        cmocka_unit_test(memcmp_orders_as_the_library_does),
        cmocka_unit_test(comparisons_agree_with_the_library),
        cmocka_unit_test(lengths_and_searches_agree_with_the_library),
        cmocka_unit_test(strlcpy_terminates_and_tells_the_whole_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
