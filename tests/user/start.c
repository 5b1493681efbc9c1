/* SPDX-License-Identifier: MIT */
/*
 * tests/user/start.c - what a new program finds: arguments, environment, auxiliary vector,
 * registers
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: System V ABI, AMD64, "Initial Stack and Register State"; getauxval(3).
 * Tour:   after tests/user/ktap.h.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <elf.h>
#include <sys/auxv.h>

extern char **environ;
extern const Elf64_Ehdr __ehdr_start __attribute__((weak, visibility("hidden")));
extern void _start(void);

static int arg_count;
static char **args;

/* The auxiliary vector follows the environment on the stack. */
static const Elf64_auxv_t *aux_vector(void)
{
    char **p = environ;

    while (*p)
        p++;
    return (const Elf64_auxv_t *)(p + 1);
}

static const Elf64_auxv_t *aux(unsigned long type)
{
    const Elf64_auxv_t *v = aux_vector();

    while (v->a_type != AT_NULL && v->a_type != type)
        v++;
    return v->a_type == type ? v : NULL;
}

static unsigned long aux_value(unsigned long type)
{
    const Elf64_auxv_t *v = aux(type);

    EXPECT(v != NULL);
    return v ? v->a_un.a_val : 0;
}

static void arguments_arrive(void)
{
    EXPECT_IS(arg_count, 4);
    EXPECT(!strcmp(args[1], "one") && !strcmp(args[2], "") && !strcmp(args[3], "three words"));
    EXPECT(args[4] == NULL);
}

static void environment_arrives_in_order(void)
{
    EXPECT(environ == args + arg_count + 1);
    EXPECT(environ[0] && !strcmp(environ[0], "FIRST=1"));
    EXPECT(environ[1] && !strcmp(environ[1], "EMPTY="));
    EXPECT(environ[2] == NULL);
}

static void strings_lie_above_the_vectors_in_order(void)
{
    EXPECT(args[0] > (char *)aux_vector());
    EXPECT(args[0] + strlen(args[0]) + 1 == args[1]);
    EXPECT(args[1] + 4 == args[2] && args[2] + 1 == args[3]);
    EXPECT(args[3] + strlen(args[3]) + 1 == environ[0]);
}

static void argument_count_lies_on_16_bytes(void)
{
    long *argc_slot = (long *)args - 1;

    EXPECT_IS(*argc_slot, arg_count);
    EXPECT_IS((uintptr_t)argc_slot % 16, 0);
}

static void machine_is_described(void)
{
    EXPECT_IS(aux_value(AT_PAGESZ), PAGE);
    EXPECT_IS(aux_value(AT_CLKTCK), 100);
    EXPECT(aux_value(AT_HWCAP) & 1); /* CPUID 1 EDX: there is an FPU */
    EXPECT(aux(AT_PLATFORM) && !strcmp((char *)aux_value(AT_PLATFORM), "x86_64"));
}

static void program_headers_are_where_it_says(void)
{
    const Elf64_Phdr *phdr = (const Elf64_Phdr *)aux_value(AT_PHDR);

    EXPECT_IS(aux_value(AT_PHENT), sizeof(Elf64_Phdr));
    EXPECT_IS(aux_value(AT_PHNUM), __ehdr_start.e_phnum);
    EXPECT((const char *)phdr == (const char *)&__ehdr_start + __ehdr_start.e_phoff);
    EXPECT_IS(aux_value(AT_ENTRY), (unsigned long)_start);
    EXPECT_IS(aux_value(AT_BASE), 0); /* no interpreter */
    EXPECT_IS(aux_value(AT_FLAGS), 0);
}

static void random_bytes_are_given(void)
{
    const unsigned char *r = (const unsigned char *)aux_value(AT_RANDOM);
    unsigned seen = 0;

    for (int i = 0; r && i < 16; i++)
        seen |= r[i];
    EXPECT(seen != 0);
}

static void identity_is_given(void)
{
    EXPECT_IS(aux_value(AT_UID), getuid());
    EXPECT_IS(aux_value(AT_EUID), geteuid());
    EXPECT_IS(aux_value(AT_GID), getgid());
    EXPECT_IS(aux_value(AT_EGID), getegid());
    EXPECT_IS(aux_value(AT_SECURE), 0);
}

static void file_name_is_the_path_of_execve(void)
{
    EXPECT(aux(AT_EXECFN) && !strcmp((char *)aux_value(AT_EXECFN), args[0]));
}

static void each_entry_comes_once(void)
{
    unsigned long long seen = 0;
    bool twice = false;

    for (const Elf64_auxv_t *v = aux_vector(); v->a_type != AT_NULL; v++) {
        if (v->a_type >= 64)
            continue;
        twice |= seen >> v->a_type & 1;
        seen |= 1ULL << v->a_type;
    }
    EXPECT(!twice);
}

static void registers_and_flags_are_sane(void)
{
    unsigned long flags;
    unsigned mxcsr = 0;

    __asm__ volatile("pushfq; popq %0" : "=r"(flags));
    __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
    EXPECT(flags & 0x200);             /* interrupts on */
    EXPECT((flags & 0x7000) == 0);     /* IOPL 0, no nested task */
    EXPECT_IS(mxcsr & 0xffc0, 0x1f80); /* all SSE exceptions masked, round to nearest */
}

static void floating_point_works(void)
{
    volatile double x = 1.0, y = 3.0;
    volatile long double z = 1.0L;

    EXPECT(x / y * y == 1.0);
    EXPECT(z / 3 * 3 == 1.0L);
}

static void stack_is_writable_and_not_executable(void)
{
    volatile unsigned char code[16] = {0xc3};
    const char *rights = maps_rights((const void *)code);

    EXPECT(!*rights || !strcmp(rights, "rw-p"));
    EXPECT(probe(code, PROBE_CALL).sig == SIGSEGV);
}

static void code_is_not_writable(void)
{
    const char *rights = maps_rights((const void *)(uintptr_t)_start);

    EXPECT(!*rights || !strcmp(rights, "r-xp"));
    EXPECT(probe((const void *)(uintptr_t)_start, PROBE_WRITE).sig == SIGSEGV);
}

static const struct ktap_test tests[] = {
    TEST(arguments_arrive),
    TEST(environment_arrives_in_order),
    TEST(strings_lie_above_the_vectors_in_order),
    TEST(argument_count_lies_on_16_bytes),
    TEST(machine_is_described),
    TEST(program_headers_are_where_it_says),
    TEST(random_bytes_are_given),
    TEST(identity_is_given),
    TEST(file_name_is_the_path_of_execve),
    TEST(each_entry_comes_once),
    TEST(registers_and_flags_are_sane),
    TEST(floating_point_works),
    TEST(stack_is_writable_and_not_executable),
    TEST(code_is_not_writable),
};

/* Started by hand, the program starts itself again with arguments that are known. */
int main(int argc, char **argv)
{
    char *known_args[] = {argv[0], "one", "", "three words", NULL};
    char *known_env[] = {"FIRST=1", "EMPTY=", NULL};

    if (argc == 1) {
        execve(argv[0], known_args, known_env);
        perror("execve");
        return 1;
    }
    arg_count = argc;
    args = argv;
    return KTAP_MAIN(tests);
}
