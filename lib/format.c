/* SPDX-License-Identifier: MIT */
/*
 * lib/format.c - printf without the file
 *
 * Room:   lib.
 * Owns:   the reading of a format and the making of digits.
 * Locks:  none.
 * Always: (1) out.len counts every byte produced, out.buf holds those that fit;
 *         (2) no recursion and 64 bytes of digits at most: safe on a small stack.
 * Source: ISO C11 7.21.6.1.
 * Tour:   after include/lib/format.h, before kernel/log.c.
 */
#include <lib/format.h>

#include <lib/string.h>
#include <stdbool.h>
#include <stdint.h>

#define DIGITS_MAX 24 /* 64 bits in octal need 22 */

struct out {
    char *buf;
    size_t size, len;
};

/* One conversion: %[flags][width][.precision][length]letter */
struct spec {
    bool left, zero, alternate, plus, space;
    int width, precision; /* precision < 0: none given */
    unsigned size_bytes;  /* of the integer argument */
    char letter;
};

static void put(struct out *out, char c)
{
    if (out->len + 1 < out->size)
        out->buf[out->len] = c;
    out->len++;
}

static void put_many(struct out *out, const char *text, size_t len)
{
    if (out->len + len < out->size)
        memcpy(out->buf + out->len, text, len);
    else if (out->len + 1 < out->size)
        memcpy(out->buf + out->len, text, out->size - 1 - out->len);
    out->len += len;
}

static void pad(struct out *out, char c, int count)
{
    while (count-- > 0)
        put(out, c);
}

static void put_padded(struct out *out, const struct spec *spec, const char *text, size_t len)
{
    int fill = spec->width - (int)len;

    if (!spec->left)
        pad(out, ' ', fill);
    put_many(out, text, len);
    if (spec->left)
        pad(out, ' ', fill);
}

static const char *read_number(const char *p, int *number, va_list *args)
{
    if (*p == '*') {
        *number = va_arg(*args, int);
        return p + 1;
    }
    for (*number = 0; *p >= '0' && *p <= '9'; p++)
        *number = *number * 10 + (*p - '0');
    return p;
}

static const char *read_flags(const char *p, struct spec *spec)
{
    for (;; p++) {
        if (*p == '-')
            spec->left = true;
        else if (*p == '0')
            spec->zero = true;
        else if (*p == '#')
            spec->alternate = true;
        else if (*p == '+')
            spec->plus = true;
        else if (*p == ' ')
            spec->space = true;
        else
            return p;
    }
}

static const char *read_length(const char *p, struct spec *spec)
{
    spec->size_bytes = sizeof(int);
    if (*p == 'l' || *p == 'z' || *p == 'j' || *p == 't') {
        spec->size_bytes = sizeof(long);
        return p[0] == 'l' && p[1] == 'l' ? p + 2 : p + 1;
    }
    if (*p == 'h') {
        spec->size_bytes = p[1] == 'h' ? sizeof(char) : sizeof(short);
        return p[1] == 'h' ? p + 2 : p + 1;
    }
    return p;
}

static const char *read_spec(const char *p, struct spec *spec, va_list *args)
{
    *spec = (struct spec){.precision = -1};
    p = read_flags(p, spec);
    p = read_number(p, &spec->width, args);
    if (spec->width < 0) {
        spec->left = true;
        spec->width = -spec->width;
    }
    if (*p == '.')
        p = read_number(p + 1, &spec->precision, args);
    p = read_length(p, spec);
    spec->letter = *p;
    return *p == '\0' ? p : p + 1;
}

static uint64_t unsigned_argument(unsigned size_bytes, va_list *args)
{
    if (size_bytes == sizeof(long))
        return va_arg(*args, unsigned long);
    unsigned value = va_arg(*args, unsigned);
    if (size_bytes == sizeof(short))
        return (unsigned short)value;
    if (size_bytes == sizeof(char))
        return (unsigned char)value;
    return value;
}

static int64_t signed_argument(unsigned size_bytes, va_list *args)
{
    if (size_bytes == sizeof(long))
        return va_arg(*args, long);
    int value = va_arg(*args, int);
    if (size_bytes == sizeof(short))
        return (short)value;
    if (size_bytes == sizeof(char))
        return (signed char)value;
    return value;
}

/* Writes the digits of @value so that they end at @end; returns where they start. */
static char *make_digits(char *end, uint64_t value, unsigned base, bool upper)
{
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";

    for (; value != 0; value /= base)
        *--end = digits[value % base];
    return end;
}

/* Prefix ("-", "0x", ..), zeros that precision or the 0 flag ask for, digits, blanks. */
static void put_integer(struct out *out, const struct spec *spec, const char *prefix,
                        uint64_t value, unsigned base)
{
    char digits[DIGITS_MAX];
    char *end = digits + sizeof(digits);
    char *start = make_digits(end, value, base, spec->letter == 'X');
    int nr_digits = (int)(end - start);
    int nr_prefix = (int)strlen(prefix);
    int precision = spec->precision < 0 ? 1 : spec->precision;
    int zeros = max(precision - nr_digits, 0);

    if (base == 8 && spec->alternate && zeros == 0)
        zeros = value != 0 || precision == 0;
    if (spec->zero && !spec->left && spec->precision < 0)
        zeros = max(zeros, spec->width - nr_prefix - nr_digits);

    int blanks = spec->width - nr_prefix - zeros - nr_digits;

    if (!spec->left)
        pad(out, ' ', blanks);
    put_many(out, prefix, (size_t)nr_prefix);
    pad(out, '0', zeros);
    put_many(out, start, (size_t)nr_digits);
    if (spec->left)
        pad(out, ' ', blanks);
}

static void put_signed(struct out *out, const struct spec *spec, int64_t value)
{
    const char *prefix = value < 0 ? "-" : spec->plus ? "+" : spec->space ? " " : "";
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    put_integer(out, spec, prefix, magnitude, 10);
}

static void put_hex(struct out *out, const struct spec *spec, uint64_t value)
{
    const char *prefix = "";

    if (spec->alternate && value != 0)
        prefix = spec->letter == 'X' ? "0X" : "0x";
    put_integer(out, spec, prefix, value, 16);
}

static void put_pointer(struct out *out, const struct spec *spec, const void *pointer)
{
    struct spec full = *spec;

    full.precision = 16;
    put_integer(out, &full, "0x", (uintptr_t)pointer, 16);
}

static void put_string(struct out *out, const struct spec *spec, const char *text)
{
    if (text == NULL)
        text = "(null)";
    size_t max_bytes = spec->precision < 0 ? SIZE_MAX : (size_t)spec->precision;
    put_padded(out, spec, text, strnlen(text, max_bytes));
}

static void put_char(struct out *out, const struct spec *spec, char c)
{
    put_padded(out, spec, &c, 1);
}

/* Returns false for a letter we do not know. */
static bool put_conversion(struct out *out, const struct spec *spec, va_list *args)
{
    switch (spec->letter) {
    case 'd':
    case 'i':
        put_signed(out, spec, signed_argument(spec->size_bytes, args));
        return true;
    case 'u':
        put_integer(out, spec, "", unsigned_argument(spec->size_bytes, args), 10);
        return true;
    case 'x':
    case 'X':
        put_hex(out, spec, unsigned_argument(spec->size_bytes, args));
        return true;
    case 'o':
        put_integer(out, spec, "", unsigned_argument(spec->size_bytes, args), 8);
        return true;
    case 'p':
        put_pointer(out, spec, va_arg(*args, const void *));
        return true;
    case 's':
        put_string(out, spec, va_arg(*args, const char *));
        return true;
    case 'c':
        put_char(out, spec, (char)va_arg(*args, int));
        return true;
    case '%':
        put(out, '%');
        return true;
    default:
        return false;
    }
}

int vsnprintf(char *buf, size_t size_bytes, const char *format, va_list args)
{
    struct out out = {.buf = buf, .size = size_bytes};
    va_list rest;

    va_copy(rest, args);
    while (*format != '\0') {
        struct spec spec;
        const char *end = format;

        while (*end != '%' && *end != '\0')
            end++;
        put_many(&out, format, (size_t)(end - format));
        format = end;
        if (*format == '\0')
            break;
        end = read_spec(format + 1, &spec, &rest);

        if (!put_conversion(&out, &spec, &rest))
            put_many(&out, format, (size_t)(end - format));
        format = end;
    }
    va_end(rest);
    if (size_bytes > 0)
        buf[min(out.len, size_bytes - 1)] = '\0';
    return (int)out.len;
}

int snprintf(char *buf, size_t size_bytes, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int len = vsnprintf(buf, size_bytes, format, args);
    va_end(args);
    return len;
}

char *format_hex(char *at, uint64_t value, unsigned min_digits)
{
    unsigned digits = max((67U - (unsigned)__builtin_clzl(value | 1)) / 4, min_digits);

    for (unsigned i = digits; i-- > 0; value >>= 4)
        at[i] = "0123456789abcdef"[value & 15];
    return at + digits;
}

char *format_decimal(char *at, uint64_t value)
{
    char digits[DIGITS_MAX], *end = digits + sizeof(digits);
    char *start = make_digits(end, value, 10, false);

    if (start == end)
        *--start = '0';
    while (start < end)
        *at++ = *start++;
    return at;
}
