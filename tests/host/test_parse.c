/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_parse.c - options, numbers, bitmaps and lists
 *
 * Room:   tests/host.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) what failed left its out-parameter alone.
 * Source: lib/parse.c, include/lib/bitmap.h, include/lib/list.h.
 * Tour:   with lib/parse.c.
 */
#include "machine.h"

#include <lib/bitmap.h>
#include <lib/list.h>
#include <lib/parse.h>
#include <uapi/errno.h>

static void numbers_with_units_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t number;
    } good[] = {{"0", 0},
                {"42", 42},
                {"0x1F", 31},
                {"0Xff", 255},
                {"4k", 4096},
                {"2M", 2 << 20},
                {"0x10G", 16UL << 30},
                {"1t", 1UL << 40},
                {"18446744073709551615", UINT64_MAX}};
    uint64_t number;

    for (unsigned i = 0; i < ARRAY_SIZE(good); i++) {
        assert_int_equal(parse_number(good[i].text, &number), 0);
        assert_int_equal(number, good[i].number);
    }
}

static void bad_numbers_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",   "-1", "x", "0x",  "12a", "1MB",
                                      "1 ", " 1", "K", "0xg", "1kk"};
    static const char *const large[] = {"18446744073709551616", "99999999999999999999999",
                                        "16777216T", "0x10000000000000000"};
    uint64_t number = 77;

    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(parse_number(bad[i], &number), -EINVAL);
    for (unsigned i = 0; i < ARRAY_SIZE(large); i++)
        assert_int_equal(parse_number(large[i], &number), -ERANGE);
    assert_int_equal(number, 77);
}

static void options_are_whole_words_and_the_last_one_counts(void **state)
{
    (void)state;
    const char *line = "  init=/bin/a nosmap\tmaxcpus=4 xinit=/no init=/bin/b tlb.mode=full\n";
    char value[8] = "before";
    uint64_t number = 0;

    assert_true(parse_has_option(line, "nosmap"));
    assert_true(parse_has_option(line, "init"));
    assert_false(parse_has_option(line, "nosm"));
    assert_false(parse_has_option(line, "smap"));
    assert_false(parse_has_option("", "nosmap"));
    assert_int_equal(parse_option(line, "init", value, sizeof(value)), 0);
    assert_string_equal(value, "/bin/b");
    assert_int_equal(parse_option(line, "tlb.mode", value, sizeof(value)), 0);
    assert_string_equal(value, "full");
    assert_int_equal(parse_option_number(line, "maxcpus", &number), 0);
    assert_int_equal(number, 4);
}

static void missing_and_unfit_options_are_told_apart(void **state)
{
    (void)state;
    const char *line = "a=1 b c= d=12345678 e=1x";
    char value[8] = "before";
    uint64_t number = 9;

    assert_int_equal(parse_option(line, "z", value, sizeof(value)), -ENOENT);
    assert_int_equal(parse_option(line, "b", value, sizeof(value)), -ENOENT);
    assert_int_equal(parse_option(line, "d", value, sizeof(value)), -E2BIG);
    assert_string_equal(value, "before");
    assert_int_equal(parse_option(line, "c", value, sizeof(value)), 0);
    assert_string_equal(value, "");
    assert_int_equal(parse_option_number(line, "z", &number), -ENOENT);
    assert_int_equal(parse_option_number(line, "c", &number), -EINVAL);
    assert_int_equal(parse_option_number(line, "e", &number), -EINVAL);
    assert_int_equal(number, 9);
}

static void bitmap_agrees_with_an_array(void **state)
{
    (void)state;
    enum { BITS = 200 };
    uint64_t map[BITMAP_WORDS(BITS)] = {0};
    bool model[BITS] = {false};

    for (unsigned step = 0; step < 3000; step++) {
        unsigned start = (unsigned)host_random_below(BITS);
        unsigned end = start + (unsigned)host_random_below(min(BITS - start + 1, 40U));
        bool value = host_random_below(2);

        if (value)
            bitmap_set_range(map, start, end);
        else
            bitmap_clear_range(map, start, end);
        for (unsigned i = start; i < end; i++)
            model[i] = value;

        unsigned from = (unsigned)host_random_below(BITS + 1);
        unsigned set = from, zero = from, count = 0;

        while (set < BITS && !model[set])
            set++;
        while (zero < BITS && model[zero])
            zero++;
        for (unsigned i = 0; i < BITS; i++)
            count += model[i];
        assert_int_equal(bitmap_find_set(map, BITS, from), set);
        assert_int_equal(bitmap_find_zero(map, BITS, from), zero);
        assert_int_equal(bitmap_count(map, BITS), count);
        assert_int_equal(bitmap_test(map, start), model[start]);
    }
}

struct item {
    unsigned number;
    struct list_node link;
};

static void assert_list(struct list_node *head, const unsigned *numbers, unsigned nr)
{
    struct item *item;
    unsigned i = 0;

    list_for_each_entry (item, head, link) {
        assert_true(i < nr);
        assert_int_equal(item->number, numbers[i++]);
    }
    assert_int_equal(i, nr);
}

static void lists_keep_their_order(void **state)
{
    (void)state;
    struct item items[5];
    struct item *item, *after;
    struct list_node list = LIST_INIT(list);
    struct list_node other = LIST_INIT(other);

    assert_list(&list, NULL, 0);
    for (unsigned i = 0; i < 5; i++) {
        items[i].number = i;
        if (i < 3)
            list_add_tail(&items[i].link, &list);
        else
            list_add(&items[i].link, &other);
    }
    list_splice_tail(&other, &list);
    assert_true(list_empty(&other));
    assert_list(&list, (unsigned[]){0, 1, 2, 4, 3}, 5);
    list_splice_tail(&other, &list);

    list_for_each_safe (item, after, &list, link) {
        if (item->number % 2)
            list_del(&item->link);
    }
    assert_true(list_empty(&items[1].link));
    assert_list(&list, (unsigned[]){0, 2, 4}, 3);
    list_del(&items[1].link);
    assert_ptr_equal(list_first_entry(&list, struct item, link), &items[0]);
    assert_ptr_equal(list_last_entry(&list, struct item, link), &items[4]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_with_units_are_read),
        cmocka_unit_test(bad_numbers_are_refused),
        cmocka_unit_test(options_are_whole_words_and_the_last_one_counts),
        cmocka_unit_test(missing_and_unfit_options_are_told_apart),
        cmocka_unit_test(bitmap_agrees_with_an_array),
        cmocka_unit_test(lists_keep_their_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
