/* SPDX-License-Identifier: MIT */
/*
 * lib/parse.c - numbers and options in a command line
 *
 * Room:   lib.
 * Owns:   the reading of words; keeps nothing.
 * Locks:  none.
 * Always: (1) no input makes it read past the NUL.
 * Source: bootparam(7).
 * Tour:   after include/lib/parse.h.
 */
#include <lib/parse.h>

#include <lib/string.h>
#include <uapi/errno.h>

#define NUMBER_TEXT_MAX 32

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Value of a digit in bases up to 16; 16 when it is none. */
static unsigned digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (unsigned)(c - 'a') + 10;
    if (c >= 'A' && c <= 'F')
        return (unsigned)(c - 'A') + 10;
    return 16;
}

/* Power of two that a unit letter stands for; -1 when it is none. */
static int unit_shift(char c)
{
    switch (c) {
    case '\0':
        return 0;
    case 'k':
    case 'K':
        return 10;
    case 'm':
    case 'M':
        return 20;
    case 'g':
    case 'G':
        return 30;
    case 't':
    case 'T':
        return 40;
    default:
        return -1;
    }
}

int parse_number(const char *text, uint64_t *number)
{
    unsigned base = 10;
    uint64_t value = 0;

    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        base = 16;
        text += 2;
    }
    if (digit_value(*text) >= base)
        return -EINVAL;
    bool overflow = false;
    for (; digit_value(*text) < base; text++) {
        overflow |= __builtin_mul_overflow(value, base, &value);
        overflow |= __builtin_add_overflow(value, digit_value(*text), &value);
    }
    int shift = unit_shift(*text);
    if (shift < 0 || (*text != '\0' && text[1] != '\0'))
        return -EINVAL;
    overflow |= __builtin_mul_overflow(value, 1ULL << shift, &value);
    if (overflow)
        return -ERANGE;
    *number = value;
    return 0;
}

/* The last word of @cmdline that is @key, or starts with @key and '='. */
static const char *find_word(const char *cmdline, const char *key)
{
    size_t key_len = strlen(key);
    const char *found = NULL;

    while (*cmdline != '\0') {
        while (is_blank(*cmdline))
            cmdline++;
        if (strncmp(cmdline, key, key_len) == 0) {
            char next = cmdline[key_len];

            if (next == '=' || next == '\0' || is_blank(next))
                found = cmdline;
        }
        while (*cmdline != '\0' && !is_blank(*cmdline))
            cmdline++;
    }
    return found;
}

bool parse_has_option(const char *cmdline, const char *key)
{
    return find_word(cmdline, key) != NULL;
}

int parse_option(const char *cmdline, const char *key, char *value, size_t size_bytes)
{
    const char *word = find_word(cmdline, key);
    size_t len = 0;

    if (word == NULL || word[strlen(key)] != '=')
        return -ENOENT;
    word += strlen(key) + 1;
    while (word[len] != '\0' && !is_blank(word[len]))
        len++;
    if (len >= size_bytes)
        return -E2BIG;
    memcpy(value, word, len);
    value[len] = '\0';
    return 0;
}

int parse_option_number(const char *cmdline, const char *key, uint64_t *number)
{
    char text[NUMBER_TEXT_MAX];
    int err = parse_option(cmdline, key, text, sizeof(text));

    if (err == -E2BIG)
        return -EINVAL;
    if (err != 0)
        return err;
    return parse_number(text, number);
}

uint64_t parse_option_or(const char *cmdline, const char *key, uint64_t otherwise)
{
    uint64_t value;

    return parse_option_number(cmdline, key, &value) ? otherwise : value;
}
