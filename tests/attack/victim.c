/* SPDX-License-Identifier: MIT */
/*
 * tests/attack/victim.c - plants a pattern where it is told to, and waits to be attacked
 *
 * Room:   tests/attack. A program of the job; its words come from tests/attack/run.
 * Owns:   what it planted.
 * Locks:  none.
 * Always: (1) its arguments are the two halves of the pattern, in hexadecimal;
 *         (2) each line of its input is done before it answers with a line.
 * Source: trust.md section 4: S1, S6, S11, S12.
 * Tour:   with tests/attack/run; tests/user/attacker.h plants, attacker_ways.h leaves traces.
 */
#include "../user/attacker_ways.h"

#define PAGES 8

static char *plain, *kept;
static pid_t child;

static void halves_read(char **arg)
{
    for (int half = 0; half < 2; half++)
        for (int i = 0; i < ATTACKER_BYTES; i++)
            sscanf(arg[half] + 2 * i, "%2hhx", &attack_now.half[half][i]);
}

static char *secret_new(void)
{
    int fd = secret(0);

    if (ftruncate(fd, PAGES * PAGE) < 0)
        return NULL;
    char *p = mmap(NULL, PAGES * PAGE, RW, MAP_SHARED, fd, 0);
    close(fd);
    for (int i = 0; i < PAGES; i++)
        plant(p + i * PAGE + 41 * i);
    return p;
}

static char *huge_new(void)
{
    int fd = secret(SECRET_HUGETLB);

    if (ftruncate(fd, HUGE) < 0)
        return NULL;
    char *p = mmap(NULL, HUGE, RW, MAP_SHARED, fd, 0);
    close(fd);
    for (int i = 0; i < PAGES; i++)
        plant(p + HUGE / PAGES * i + 41 * i);
    return p;
}

static void do_plain(void)
{
    plain = plain ? plain : mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    plant(plain + 200);
}

static void do_wipe(void)
{
    wipe(plain + 200);
}

static void do_secret(void)
{
    kept = secret_new();
}

static void do_drop(void)
{
    munmap(kept, PAGES * PAGE);
}

static void do_huge(void)
{
    kept = huge_new();
}

static void do_drop_huge(void)
{
    munmap(kept, HUGE);
}

/* A child that has the pattern in all its registers, asleep. */
static void do_registers(void)
{
    child = fork();
    if (child == 0)
        hold_in_registers();
    usleep(100 * 1000);
}

static void do_kill(void)
{
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

/* The pattern goes from a secret page through a pipe and a socket into another. */
static void do_pipe(void)
{
    char *from = secret_new(), *to = secret_new();

    send_through_pipe(from, to);
    send_through_socket(from, to);
    munmap(from, PAGES * PAGE);
    munmap(to, PAGES * PAGE);
}

/* Ordinary memory, the name of a file and what is in it. */
static void use_and_drop(void)
{
    char name[5 + ATTACKER_BYTES + 1] = "/tmp/";
    char *many = mmap(NULL, PAGES * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    for (int i = 0; i < PAGES; i++)
        plant(many + i * PAGE);
    plant(name + 5);
    int fd = open(name, O_CREAT | O_RDWR, 0600);
    if (write(fd, many, ATTACKER_BYTES) != ATTACKER_BYTES || unlink(name) < 0)
        printf("the file is not as it should be\n");
    close(fd);
    wipe(name + 5);
    munmap(many, PAGES * PAGE);
}

/* By a process that ends: its kernel stack is given back, too. */
static void do_forget(void)
{
    child = fork();
    if (child == 0) {
        use_and_drop();
        _exit(0);
    }
    waitpid(child, NULL, 0);
}

/* Two processes or more, with secrets that come and go, until they are killed. */
static void do_storm(void)
{
    int cpus = nr_cpus();

    child = fork();
    if (child)
        return;
    setpgid(0, 0);
    for (int i = 1; i < cpus; i++)
        fork();
    for (unsigned i = 0;; i++) {
        munmap(secret_new(), PAGES * PAGE);
        if (i % 64 == 0)
            munmap(huge_new(), HUGE);
    }
}

static void do_calm(void)
{
    kill(-child, SIGKILL);
    waitpid(child, NULL, 0);
    usleep(100 * 1000); /* init waits for the others */
}

/* What the attacker inside says about frames, and the kernel about its direct map. */
static void do_numbers(void)
{
    char line[128];
    FILE *f = fopen("/proc/meminfo", "r");

    while (fgets(line, sizeof(line), f))
        if (!strncmp(line, "DirectMap", 9))
            printf("%s", line);
    fclose(f);
    attacker = attacker < 0 ? open(ATTACKER_PATH, O_RDWR) : attacker;
    if (attacker < 0)
        return;
    printf("inside: %ld", frames_with_it());
    for (uint64_t i = 0; i < attack_now.nr_frames && i < ATTACKER_FRAMES; i++)
        printf(" %lx", attack_now.frames[i]);
    printf("\nabsent: %lu\n", attack_now.absent);
}

static const struct {
    const char *word;
    void (*act)(void);
} words[] = {
    {"plain", do_plain},         {"wipe", do_wipe},   {"secret", do_secret},
    {"drop", do_drop},           {"huge", do_huge},   {"drop_huge", do_drop_huge},
    {"registers", do_registers}, {"kill", do_kill},   {"pipe", do_pipe},
    {"forget", do_forget},       {"storm", do_storm}, {"calm", do_calm},
    {"numbers", do_numbers},
};

int main(int argc, char **argv)
{
    char line[64];

    if (argc != 3)
        return 2;
    halves_read(argv + 1);
    printf("ready\n");
    fflush(stdout);
    while (fgets(line, sizeof(line), stdin)) {
        line[strcspn(line, "\n")] = '\0';
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
            if (!strcmp(line, words[i].word))
                words[i].act();
        printf("done %s\n", line);
        fflush(stdout);
    }
    return 0;
}
