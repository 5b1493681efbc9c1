/* SPDX-License-Identifier: MIT */
/*
 * tests/user/scripts.c - programs that another program reads: "#!" lines, and loaders of libraries
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   a folder in /tmp.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: execve(2), "Interpreter scripts"; execveat(2); elf(5).
 * Tour:   after tests/user/start.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <elf.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define PLACE "/tmp/bulla-scripts"

static char self[4096];
static char shown[8192]; /* what the last program said: its arguments, a line each, and its name */

/* This program as an interpreter: says how it was called. */
static int show(int argc, char **argv)
{
    char name[17] = "";

    for (int i = 1; i < argc; i++)
        printf("<%s>\n", argv[i]);
    prctl(PR_GET_NAME, name);
    printf("(%s)\n", name);
    return 0;
}

static void write_file(const char *name, const char *text, size_t len, mode_t mode)
{
    unlink(name);
    int fd = open(name, O_CREAT | O_WRONLY | O_TRUNC, 0700);
    EXPECT_IS(write(fd, text, len), len);
    EXPECT_IS(fchmod(fd, mode), 0);
    close(fd);
}

static void script(const char *name, const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    int len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    write_file(name, text, len, 0700);
}

/* 0, or the errno with which the program could not be started; @dirfd < 0: by execve(). */
static int start_at(int dirfd, const char *path, char *const *argv, int flags)
{
    int to[2], status;

    EXPECT_IS(pipe(to), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(to[1], 1);
        close(to[0]);
        close(to[1]);
        if (dirfd < 0)
            execve(path, argv, NULL);
        else
            syscall(SYS_execveat, dirfd, path, argv, NULL, flags);
        _exit(errno);
    }
    close(to[1]);
    size_t len = 0;
    for (ssize_t n; (n = read(to[0], shown + len, sizeof(shown) - 1 - len)) > 0;)
        len += n;
    shown[len] = '\0';
    close(to[0]);
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int start(const char *path)
{
    return start_at(-1, path, (char *[]){"zero", "one", "two", NULL}, 0);
}

static void line_names_interpreter_and_one_argument(void)
{
    script("a", "#!%s show", self);
    EXPECT_IS(start("./a"), 0);
    EXPECT(!strcmp(shown, "<show>\n<./a>\n<one>\n<two>\n(a)\n"));
    script("a", "#! \t%s \t show  of words \t \nrest", self);
    EXPECT_IS(start(PLACE "/a"), 0);
    EXPECT(!strcmp(shown, "<show  of words>\n<" PLACE "/a>\n<one>\n<two>\n(a)\n"));
    EXPECT_IS(start_at(-1, "a", (char *[]){NULL}, 0), 0); /* argv[0] is there all the same */
    EXPECT(!strcmp(shown, "<show  of words>\n<a>\n(a)\n"));
}

static void line_without_interpreter_is_no_program(void)
{
    script("a", "#!\n");
    EXPECT_IS(start("a"), ENOEXEC);
    script("a", "#!   \t\n%s", self);
    EXPECT_IS(start("a"), ENOEXEC);
    script("a", "#!");
    EXPECT_IS(start("a"), EACCES); /* it is taken for the directory */
    script("a", "#");
    EXPECT_IS(start("a"), ENOEXEC);
    script("a", "echo no line at all\n");
    EXPECT_IS(start("a"), ENOEXEC);
    script("a", "%s", "");
    EXPECT_IS(start("a"), ENOEXEC);
}

static void interpreter_must_be_executable(void)
{
    script("a", "#!" PLACE "/none\n");
    EXPECT_IS(start("a"), ENOENT);
    script("b", "not executable");
    EXPECT_IS(chmod("b", 0600), 0);
    script("a", "#!" PLACE "/b\n");
    EXPECT_IS(start("a"), EACCES);
    script("a", "#!/tmp\n");
    EXPECT_IS(start("a"), EACCES);
    script("a", "#!%s show\n", self);
    EXPECT_IS(chmod("a", 0600), 0);
    EXPECT_IS(start("a"), EACCES);
}

/* A name that ends where reading ended may go on; an argument may be cut. */
static void long_lines_are_cut_behind_the_name(void)
{
    char line[600];

    memset(line, 'x', sizeof(line));
    int len = snprintf(line, sizeof(line), "#!%s ", self);
    line[len] = 'x';
    write_file("a", line, sizeof(line), 0700);
    EXPECT_IS(start("a"), 0);
    EXPECT_IS(strspn(shown + 1, "x"), 255 - len);
    memcpy(line, "#!/", 3);
    memset(line + 3, 'x', sizeof(line) - 3);
    write_file("a", line, sizeof(line), 0700);
    EXPECT_IS(start("a"), ENOEXEC);
    memset(line + 2, ' ', sizeof(line) - 2);
    write_file("a", line, sizeof(line), 0700);
    EXPECT_IS(start("a"), ENOEXEC);
}

static void scripts_interpret_scripts_five_deep(void)
{
    script("s0", "#!%s show\n", self);
    for (int i = 1; i <= 6; i++) {
        char name[8];
        snprintf(name, sizeof(name), "s%d", i);
        script(name, "#!" PLACE "/s%d by%d\n", i - 1, i);
    }
    EXPECT_IS(start("s1"), 0);
    EXPECT(!strcmp(shown, "<show>\n<" PLACE "/s0>\n<by1>\n<s1>\n<one>\n<two>\n(s1)\n"));
    EXPECT_IS(start("s4"), 0);
    EXPECT_IS(start("s5"), ELOOP);
    EXPECT_IS(start("s6"), ELOOP);
    script("s0", "#!" PLACE "/s0");
    EXPECT_IS(start("s0"), ELOOP);
}

static void descriptor_gives_the_script_a_name(void)
{
    char wanted[64];

    script("a", "#!%s show", self);
    int fd = open("a", O_RDONLY), dir = open(".", O_DIRECTORY | O_RDONLY);
    EXPECT_IS(start_at(fd, "", (char *[]){"zero", NULL}, AT_EMPTY_PATH), 0);
    snprintf(wanted, sizeof(wanted), "<show>\n</dev/fd/%d>\n", fd);
    EXPECT(!strncmp(shown, wanted, strlen(wanted)));
    EXPECT_IS(start_at(dir, "a", (char *[]){"zero", NULL}, 0), 0);
    snprintf(wanted, sizeof(wanted), "<show>\n</dev/fd/%d/a>\n(a)\n", dir);
    EXPECT(!strcmp(shown, wanted));
    EXPECT_IS(fcntl(fd, F_SETFD, FD_CLOEXEC), 0); /* the interpreter could not open that name */
    EXPECT_IS(start_at(fd, "", (char *[]){"zero", NULL}, AT_EMPTY_PATH), ENOENT);
    close(fd);
    close(dir);
}

/* A program that wants @loader, and is nothing else. */
static void program_with_loader(const char *name, const char *loader, size_t len)
{
    struct {
        Elf64_Ehdr header;
        Elf64_Phdr interp, load;
        char loader[64];
    } file = {
        .header = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                   .e_type = ET_DYN,
                   .e_machine = EM_X86_64,
                   .e_phoff = sizeof(Elf64_Ehdr),
                   .e_phentsize = sizeof(Elf64_Phdr),
                   .e_phnum = 2},
        .interp = {.p_type = PT_INTERP, .p_filesz = len},
        .load = {.p_type = PT_LOAD, .p_flags = PF_R, .p_align = 4096},
    };

    file.interp.p_offset = (char *)file.loader - (char *)&file;
    file.load.p_filesz = file.load.p_memsz = sizeof(file);
    memcpy(file.loader, loader, len < sizeof(file.loader) ? len : sizeof(file.loader));
    write_file(name, (const char *)&file, sizeof(file), 0700);
}

static void loader_must_be_one(void)
{
    program_with_loader("p", "/tmp/none", sizeof("/tmp/none"));
    EXPECT_IS(start("p"), ENOENT);
    program_with_loader("p", "/tmp", sizeof("/tmp"));
    EXPECT_IS(start("p"), EACCES);
    program_with_loader("p", PLACE "/text", sizeof(PLACE "/text"));
    script("text",
           "some text that is longer than an ELF file's header, so that it can be read whole");
    EXPECT_IS(start("p"), ELIBBAD);
    script("text", "short");
    EXPECT_IS(start("p"), EIO);
    program_with_loader("p", "/tmp", 4); /* no NUL */
    EXPECT_IS(start("p"), ENOEXEC);
    program_with_loader("p", "/tmp", 1);
    EXPECT_IS(start("p"), ENOEXEC);
    program_with_loader("p", "/tmp", 5000);
    EXPECT_IS(start("p"), ENOEXEC);
}

int main(int argc, char **argv)
{
    static const struct ktap_test tests[] = {
        TEST(line_names_interpreter_and_one_argument),
        TEST(line_without_interpreter_is_no_program),
        TEST(interpreter_must_be_executable),
        TEST(long_lines_are_cut_behind_the_name),
        TEST(scripts_interpret_scripts_five_deep),
        TEST(descriptor_gives_the_script_a_name),
        TEST(loader_must_be_one),
    };
    static const char *const files[] = {"a",  "b",  "p",  "text", "s0", "s1",
                                        "s2", "s3", "s4", "s5",   "s6", NULL};

    if (argc > 1)
        return show(argc, argv);
    if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0 ||
        (mkdir(PLACE, 0700) < 0 && errno != EEXIST) || chdir(PLACE) < 0)
        return 1;
    int failed = KTAP_MAIN(tests);
    for (const char *const *name = files; *name; name++)
        unlink(*name);
    rmdir(PLACE);
    return failed;
}
