/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_initramfs.c - whole and broken cpio archives
 *
 * Room:   tests/host.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) an archive lies at the end of its own allocation: ASan sees one byte read too far.
 * Source: kernel/cpio.c.
 * Tour:   with kernel/cpio.h.
 */
#include "machine.h"

#include <kernel/cpio.h>
#include <lib/compiler.h>
#include <stdio.h>
#include <stdlib.h>
#include <uapi/errno.h>
#include <uapi/fcntl.h>

#define HEADER_BYTES 110

struct archive {
    uint8_t *bytes;
    size_t len;
};

static void append(struct archive *a, const void *bytes, size_t len)
{
    a->bytes = realloc(a->bytes, a->len + len);
    memcpy(a->bytes + a->len, bytes, len);
    a->len += len;
}

static void pad(struct archive *a)
{
    append(a, "\0\0\0", -a->len % 4);
}

/* An entry as cpio(1) writes it. */
static void add(struct archive *a, const char *name, uint32_t mode, const char *data)
{
    const uint32_t fields[] = {7, mode, 11, 12, 1, 0, strlen(data), 0, 0, 5, 1, strlen(name) + 1,
                               0};
    char field[9];

    append(a, "070701", 6);
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        snprintf(field, sizeof(field), "%08X", fields[i]);
        append(a, field, 8);
    }
    append(a, name, strlen(name) + 1);
    pad(a);
    append(a, data, strlen(data));
    pad(a);
}

static void finish(struct archive *a)
{
    add(a, "TRAILER!!!", 0, "");
}

/* How many entries until the end, or -1; *why is set then. */
static int count(const struct archive *a, const char **why)
{
    struct cpio_entry e;
    size_t offset = 0;
    int n = 0, result;

    uint8_t *exact = malloc(a->len); /* claim 1 */
    memcpy(exact, a->bytes, a->len);
    while ((result = cpio_next(exact, a->len, &offset, &e, why)) > 0) {
        char target[64];
        n += strlen(e.name) > 0;
        if ((e.mode & S_IFMT) == S_IFLNK)
            n += !cpio_link_target(&e, target, sizeof(target)) * 100;
    }
    assert_true(offset <= a->len);
    free(exact);
    return result < 0 ? -1 : n;
}

static void refuse(struct archive *a, const char *reason)
{
    const char *why = "";
    int n = count(a, &why);

    if (n != -1 || !strstr(why, reason))
        fail_msg("%d entries, %s; expected: %s", n, why, reason);
    free(a->bytes);
}

static void entries_are_read_in_order(void **state)
{
    (void)state;
    struct archive a = {0};
    struct cpio_entry e;
    const char *why;
    size_t offset = 0;

    add(&a, "dir", S_IFDIR | 0755, "");
    add(&a, "dir/file", S_IFREG | 0644, "hello");
    add(&a, "link", S_IFLNK | 0777, "dir/file");
    add(&a, "dev", S_IFCHR | 0600, "");
    finish(&a);

    assert_int_equal(cpio_next(a.bytes, a.len, &offset, &e, &why), 1);
    assert_string_equal(e.name, "dir");
    assert_int_equal(e.mode, S_IFDIR | 0755);
    assert_int_equal(cpio_next(a.bytes, a.len, &offset, &e, &why), 1);
    assert_string_equal(e.name, "dir/file");
    assert_int_equal(e.size_bytes, 5);
    assert_memory_equal(e.data, "hello", 5);
    assert_int_equal(e.uid, 11);
    assert_int_equal(e.gid, 12);
    assert_int_equal(cpio_next(a.bytes, a.len, &offset, &e, &why), 1);
    char target[9];
    assert_true(cpio_link_target(&e, target, sizeof(target)));
    assert_string_equal(target, "dir/file");
    assert_false(cpio_link_target(&e, target, sizeof(target) - 1));
    assert_int_equal(cpio_next(a.bytes, a.len, &offset, &e, &why), 1);
    assert_int_equal(e.rdev_major, 5);
    assert_int_equal(e.rdev_minor, 1);
    assert_int_equal(cpio_next(a.bytes, a.len, &offset, &e, &why), 0);
    free(a.bytes);
}

static void archives_may_follow_one_another(void **state)
{
    (void)state;
    struct archive a = {0};
    const char *why;
    static const char zeros[512];

    add(&a, "one", S_IFREG, "1");
    finish(&a);
    append(&a, zeros, sizeof(zeros));
    add(&a, "two", S_IFREG, "22");
    finish(&a);
    append(&a, zeros, 3);
    assert_int_equal(count(&a, &why), 2);
    free(a.bytes);
}

static void nothing_and_zeros_are_empty_archives(void **state)
{
    (void)state;
    struct archive a = {0};
    const char *why;

    append(&a, "", 1);
    assert_int_equal(count(&a, &why), 0);
    free(a.bytes);
}

/* Whatever the archive is cut to: its entries, an error, never a byte beyond. */
static void every_truncation_is_survived(void **state)
{
    (void)state;
    struct archive a = {0};
    const char *why;
    size_t refused = 0;

    add(&a, "directory", S_IFDIR | 0755, "");
    add(&a, "directory/file", S_IFREG | 0644, "some contents");
    add(&a, "link", S_IFLNK | 0777, "directory");
    for (; a.len > 1; a.len--)
        refused += count(&a, &why) < 0;
    assert_true(refused > 3 * HEADER_BYTES);
    free(a.bytes);
}

static void every_broken_byte_is_survived(void **state)
{
    (void)state;
    static const uint8_t digits[] = "0123456789abcdefFx\xff";
    const char *why;

    for (int round = 0; round < 20000; round++) {
        struct archive a = {0};
        add(&a, "directory", S_IFDIR | 0755, "");
        add(&a, "directory/file", S_IFREG | 0644, "some contents");
        add(&a, "link", S_IFLNK | 0777, "directory");
        finish(&a);
        for (uint64_t n = host_random_below(4) + 1; n; n--)
            a.bytes[host_random_below(a.len)] = digits[host_random_below(sizeof(digits))];
        (void)count(&a, &why);
        free(a.bytes);
    }
}

/* Overwrite field @n of the only entry. */
static struct archive with_field(unsigned n, const char *digits)
{
    struct archive a = {0};
    add(&a, "name", S_IFREG | 0644, "data");
    memcpy(a.bytes + 6 + n * 8, digits, 8);
    return a;
}

static void broken_fields_are_named(void **state)
{
    (void)state;
    struct archive a = with_field(0, "0000000g");
    refuse(&a, "bad number");
    a = with_field(1, "00000000");
    refuse(&a, "unknown type");
    a = with_field(6, "00000100");
    refuse(&a, "truncated data");
    a = with_field(6, "FFFFFFFF");
    refuse(&a, "truncated data");
    a = with_field(11, "00000000");
    refuse(&a, "bad name");
    a = with_field(11, "00000004");
    refuse(&a, "bad name");
    a = with_field(11, "00000FFF");
    refuse(&a, "truncated name");
    a = with_field(11, "FFFFFFFF");
    refuse(&a, "name too long");
}

static void what_is_no_archive_is_named(void **state)
{
    (void)state;
    struct archive a = {0}, gzip = {0}, binary = {0};
    char junk[200] = "\x1f\x8b\x08";

    append(&gzip, junk, sizeof(junk));
    refuse(&gzip, "bad magic");
    memset(junk, 'x', sizeof(junk));
    append(&binary, junk, sizeof(junk));
    refuse(&binary, "bad magic");
    append(&a, "070701", 6);
    refuse(&a, "truncated header");
}

static void contents_where_none_can_be_are_refused(void **state)
{
    (void)state;
    struct archive a = {0}, b = {0};

    add(&a, "dir", S_IFDIR | 0755, "x");
    refuse(&a, "data where");
    add(&b, "link", S_IFLNK | 0777, "");
    refuse(&b, "without a target");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_read_in_order),
        cmocka_unit_test(archives_may_follow_one_another),
        cmocka_unit_test(nothing_and_zeros_are_empty_archives),
        cmocka_unit_test(every_truncation_is_survived),
        cmocka_unit_test(every_broken_byte_is_survived),
        cmocka_unit_test(broken_fields_are_named),
        cmocka_unit_test(what_is_no_archive_is_named),
        cmocka_unit_test(contents_where_none_can_be_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
