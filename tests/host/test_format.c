/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_format.c - the kernel's snprintf() against the C library's
 *
 * Room:   tests/host. The kernel's functions are linked under the prefix kernel_.
 * Owns:   the generator of random conversions.
 * Locks:  none.
 * Always: (1) every conversion is tried with buffers that are too small, too.
 * Source: lib/format.c.
 * Tour:   with lib/format.c.
 */
#include "machine.h"

#include <lib/compiler.h>
#include <limits.h>
#include <stdio.h>

#pragma GCC diagnostic ignored "-Wformat"
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

int kernel_snprintf(char *buf, size_t size, const char *format, ...);

#define assert_same(...)                                                                    \
    do {                                                                                    \
        char expected_[300], got_[300];                                                     \
        for (size_t size_ = 0; size_ < 300; size_ = size_ < 12 ? size_ + 1 : size_ + 144) { \
            memset(expected_, 'X', sizeof(expected_));                                      \
            memset(got_, 'X', sizeof(got_));                                                \
            assert_int_equal(kernel_snprintf(got_, size_, __VA_ARGS__),                     \
                             snprintf(expected_, size_, __VA_ARGS__));                      \
            if (memcmp(got_, expected_, sizeof(got_)) != 0)                                 \
                fail_msg("size %zu: '%.290s' is not '%.290s'", size_, got_, expected_);     \
        }                                                                                   \
    } while (0)

/* "%" flags width precision length letter, at random. */
static void random_conversion(char *format, const char *lengths[], unsigned nr_lengths,
                              const char *letters)
{
    static const char flags[] = "-0#+ ";
    unsigned len = 0;

    format[len++] = '%';
    for (unsigned i = 0; i < sizeof(flags) - 1; i++) {
        if (host_random_below(4) == 0)
            format[len++] = flags[i];
    }
    if (host_random_below(2))
        len += (unsigned)sprintf(format + len, "%u", 1 + (unsigned)host_random_below(30));
    if (host_random_below(2))
        len += (unsigned)sprintf(format + len, ".%u", (unsigned)host_random_below(25));
    len += (unsigned)sprintf(format + len, "%s", lengths[host_random_below(nr_lengths)]);
    format[len++] = letters[host_random_below(strlen(letters))];
    format[len] = '\0';
}

static unsigned long random_number(void)
{
    static const unsigned long special[] = {0,       1,        7,           8,         9,
                                            INT_MAX, INT_MIN,  UINT_MAX,    SCHAR_MIN, USHRT_MAX,
                                            0x8000,  LONG_MAX, (1UL << 63), ULONG_MAX};

    if (host_random_below(2))
        return special[host_random_below(ARRAY_SIZE(special))];
    return host_random() >> host_random_below(64);
}

static void random_long_conversions_match(void **state)
{
    (void)state;
    static const char *lengths[] = {"l", "ll", "z", "j"};
    char format[40];

    for (unsigned i = 0; i < 20000; i++) {
        random_conversion(format, lengths, ARRAY_SIZE(lengths), "diuxXo");
        unsigned long number = random_number();

        assert_same(format, number);
    }
}

static void random_int_conversions_match(void **state)
{
    (void)state;
    static const char *lengths[] = {"", "h", "hh"};
    char format[40];

    for (unsigned i = 0; i < 20000; i++) {
        random_conversion(format, lengths, ARRAY_SIZE(lengths), "diuxXoc");
        if (strchr(format, 'h') != NULL && strchr(format, 'c') != NULL)
            continue;
        int number = (int)random_number();

        assert_same(format, number);
    }
}

static void strings_match(void **state)
{
    (void)state;
    assert_same("%s|%10s|%-10s|%.2s|%10.2s|%.0s", "abc", "abc", "abc", "abc", "abc", "abc");
    assert_same("%*s|%-*s|%.*s|%*.*s", 6, "ab", 6, "ab", 1, "ab", 5, 1, "ab");
    assert_same("%*s", -6, "ab");
    assert_same("%.*d|%.*s", -1, 7, -1, "ab");
    assert_same("100%% %c%5c%-5c|", 'a', 'b', 'c');

    const char unterminated[3] = {'x', 'y', 'z'};

    assert_same("%.3s", unterminated);
}

static void null_and_pointers_are_printed_our_way(void **state)
{
    (void)state;
    char text[64];

    kernel_snprintf(text, sizeof(text), "%s", (char *)NULL);
    assert_string_equal(text, "(null)");
    kernel_snprintf(text, sizeof(text), "%p", (void *)0xffff888000001000UL);
    assert_string_equal(text, "0xffff888000001000");
    kernel_snprintf(text, sizeof(text), "%p", NULL);
    assert_string_equal(text, "0x0000000000000000");
}

static void unknown_conversion_is_left_as_it_stands(void **state)
{
    (void)state;
    char text[64];

    kernel_snprintf(text, sizeof(text), "a %5q b", 1);
    assert_string_equal(text, "a %5q b");
    kernel_snprintf(text, sizeof(text), "end %");
    assert_string_equal(text, "end %");
    kernel_snprintf(text, sizeof(text), "end %-08l");
    assert_string_equal(text, "end %-08l");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_long_conversions_match),
        cmocka_unit_test(random_int_conversions_match),
        cmocka_unit_test(strings_match),
        cmocka_unit_test(null_and_pointers_are_printed_our_way),
        cmocka_unit_test(unknown_conversion_is_left_as_it_stands),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
