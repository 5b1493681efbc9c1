/* SPDX-License-Identifier: MIT */
/*
 * tests/user/attacker.c - what somebody finds who can read all that the kernel can, and all of RAM
 *
 * Room:   tests/user. Kernels without an attacker (Linux, releases) skip all of it.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) what is not found was looked for in the same way in which a control is found.
 * Source: trust.md section 4: S1 to S6, S11, S12.
 * Tour:   after tests/user/attacker.h; tests/attack looks from outside.
 */
#include "attacker_ways.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>

#define PAGES 3

/* Secret memory of @pages, each with the pattern; *@fd is its file. */
static char *planted(size_t pages, int *fd)
{
    *fd = secret_file(pages);
    char *p = secret_map(*fd, pages);
    for (size_t i = 0; i < pages; i++)
        plant(p + i * PAGE + 64 * i);
    return p;
}

static void an_ordinary_page_is_found_on_every_cpu(void)
{
    NEED_ATTACKER;
    char *p = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    plant(p + 1000);
    EXPECT_IS(cpus_that_find(), nr_cpus());
    EXPECT_IS(frames_with_it(), 1);
    EXPECT_IS(attack_now.words, 4);
    EXPECT_IS(readable_frames(), nr_cpus());
    wipe(p + 1000);
    EXPECT_IS(frames_with_it(), 0);
    munmap(p, PAGE);
}

static void no_leaf_leads_to_a_secret_page(void)
{
    int fd;

    NEED_ATTACKER;
    char *p = planted(PAGES, &fd);
    EXPECT_IS(cpus_that_find(), 0);
    EXPECT_IS(frames_with_it(), PAGES);
    EXPECT_IS(attack_now.words, PAGES * 4);
    EXPECT(attack_now.absent >= attack_now.absent_at_boot + PAGES);
    EXPECT_IS(readable_frames(), 0);
    munmap(p, PAGES * PAGE);
    close(fd);
}

static void no_leaf_leads_to_a_huge_secret_page(void)
{
    NEED_ATTACKER;
    int fd = secret(SECRET_HUGETLB);
    EXPECT_IS(ftruncate(fd, HUGE), 0);
    char *p = mmap(NULL, HUGE, RW, MAP_SHARED, fd, 0);
    EXPECT(p != MAP_FAILED);
    close(fd);
    plant(p + 9);
    plant(p + HUGE - 100);
    EXPECT_IS(cpus_that_find(), 0);
    EXPECT_IS(frames_with_it(), 2);
    EXPECT(attack_now.absent >= attack_now.absent_at_boot + HUGE / PAGE);
    EXPECT_IS(readable_frames(), 0);
    munmap(p, HUGE);
    EXPECT_IS(frames_with_it(), 0);
}

static void nothing_is_left_of_what_was_unmapped_and_closed(void)
{
    int fd;

    NEED_ATTACKER;
    char *p = planted(PAGES, &fd);
    close(fd);
    EXPECT_IS(frames_with_it(), PAGES);
    munmap(p + PAGE, PAGE);
    EXPECT_IS(frames_with_it(), PAGES); /* the file has it */
    munmap(p, PAGES * PAGE);
    EXPECT_IS(frames_with_it(), 0);
}

/* Fork a child that does @work, and end it by signal @sig (0: it ends by itself). */
static void in_child_that_ends(void (*work)(int done), int sig)
{
    int done[2], status;
    char byte;

    EXPECT_IS(pipe(done), 0);
    pid_t child = fork();
    if (child == 0) {
        work(done[1]);
        _exit(0);
    }
    close(done[1]);
    EXPECT_IS(read(done[0], &byte, 1), 1);
    if (sig)
        kill(child, sig);
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT(sig ? WIFSIGNALED(status) && WTERMSIG(status) == sig : WIFEXITED(status));
    close(done[0]);
}

static void ready(int done)
{
    EXPECT_IS(write(done, "r", 1), 1);
}

static void keep_a_secret(int done)
{
    int fd;

    planted(PAGES, &fd);
    ready(done);
}

static void keep_a_secret_for_ever(int done)
{
    keep_a_secret(done);
    for (;;)
        pause();
}

static void nothing_is_left_of_who_exits_or_is_killed(void)
{
    NEED_ATTACKER;
    in_child_that_ends(keep_a_secret, 0);
    EXPECT_IS(frames_with_it(), 0);
    in_child_that_ends(keep_a_secret_for_ever, SIGKILL);
    EXPECT_IS(frames_with_it(), 0);
}

static void keep_a_secret_and_eat(int done)
{
    const struct rlimit no_core = {0};

    keep_a_secret(done);
    setrlimit(RLIMIT_CORE, &no_core);
    for (;;) {
        char *p = mmap(NULL, 256 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        for (size_t i = 0; p != MAP_FAILED && i < 256; i++)
            p[i * PAGE] = 1;
    }
}

static void nothing_is_left_of_who_ate_all_memory(void)
{
    int done[2], status;
    char byte;

    NEED_ATTACKER;
    EXPECT_IS(pipe(done), 0);
    pid_t child = fork();
    if (child == 0)
        keep_a_secret_and_eat(done[1]);
    EXPECT_IS(read(done[0], &byte, 1), 1);
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    EXPECT_IS(frames_with_it(), 0);
    close(done[0]);
    close(done[1]);
}

static void a_child_shares_the_frame(void)
{
    int fd, status;

    NEED_ATTACKER;
    char *p = planted(1, &fd);
    pid_t child = fork();
    if (child == 0)
        _exit(is_planted(p) ? 0 : 1);
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT_IS(status, 0);
    EXPECT_IS(frames_with_it(), 1);
    munmap(p, PAGE);
    close(fd);
    EXPECT_IS(frames_with_it(), 0);
}

/* Free pages that wait for the next secret become anybody's. */
static void pool_shrink(void)
{
    int fd = open("/sys/kernel/mm/secretmem/shrink", O_WRONLY);

    EXPECT_IS(write(fd, "1", 1), 1);
    close(fd);
}

/* A thread that stays on the other CPU reads frames all the time, through the direct map. */
static struct uapi_attack touch;
static _Atomic enum { TOUCH_WARMS, TOUCH_SECRETS, TOUCH_ENDS } touch_phase;
static _Atomic unsigned long touch_warm, touch_secret;

static void *touch_all_the_time(void *arg)
{
    go_to_cpu(1);
    while (touch_phase != TOUCH_ENDS) {
        bool secret_now = touch_phase == TOUCH_SECRETS;
        ioctl(attacker, ATTACK_TOUCH, &touch);
        touch_warm += touch.pages;
        if (secret_now) {
            touch_secret = touch.pages;
            touch_phase = TOUCH_ENDS;
        }
    }
    return arg;
}

static void another_cpu_forgets_before_a_fault_returns(void)
{
    pthread_t thread;
    int fd;

    NEED_ATTACKER;
    if (nr_cpus() < 2)
        SKIP("one CPU");
    char *p = planted(PAGES, &fd);
    EXPECT_IS(frames_with_it(), PAGES);
    touch = attack_now;
    munmap(p, PAGES * PAGE);
    close(fd);
    pool_shrink();
    go_to_cpu(0);
    touch_phase = TOUCH_WARMS;
    touch_warm = touch_secret = 0;
    EXPECT_IS(pthread_create(&thread, NULL, touch_all_the_time, NULL), 0);
    while (touch_warm < 100 * PAGES)
        sched_yield();
    p = planted(PAGES, &fd);
    touch_phase = TOUCH_SECRETS;
    pthread_join(thread, NULL);
    EXPECT_IS(touch_secret, 0);
    EXPECT_IS(frames_with_it(), PAGES);
    for (int i = 0; i < PAGES; i++) /* the same: a pool fetches the last block that it gave back */
        EXPECT_IS(attack_now.frames[i], touch.frames[i]);
    munmap(p, PAGES * PAGE);
    close(fd);
}

/* Frames that were secret, then anybody's, and are secret again: each CPU read them meanwhile. */
static void old_translations_do_not_help(void)
{
    int fd;

    NEED_ATTACKER;
    char *p = planted(PAGES, &fd);
    EXPECT_IS(frames_with_it(), PAGES);
    munmap(p, PAGES * PAGE);
    close(fd);
    pool_shrink();
    EXPECT_IS(readable_frames(), PAGES * nr_cpus());
    p = planted(PAGES, &fd);
    EXPECT_IS(cpus_that_find(), 0);
    EXPECT_IS(readable_frames(), 0); /* the same: a pool fetches the last block that it gave back */
    EXPECT_IS(frames_with_it(), PAGES);
    EXPECT_IS(readable_frames(), 0);
    munmap(p, PAGES * PAGE);
    close(fd);
}

static void nothing_is_left_of_registers(void)
{
    int status;

    NEED_ATTACKER;
    pid_t child = fork();
    if (child == 0)
        hold_in_registers();
    usleep(100 * 1000);
    EXPECT(frames_with_it() > 0); /* the control: it sleeps, and they are saved */
    kill(child, SIGKILL);
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT_IS(frames_with_it(), 0);
}

static void nothing_is_left_of_what_was_sent(void)
{
    int from_fd, to_fd;

    NEED_ATTACKER;
    char *from = planted(1, &from_fd), *to = planted(1, &to_fd);
    send_through_pipe(from, to);
    EXPECT_IS(frames_with_it(), 2); /* these two */
    send_through_socket(from, to);
    EXPECT_IS(frames_with_it(), 2);
    munmap(from, PAGE);
    munmap(to, PAGE);
    close(from_fd);
    close(to_fd);
    EXPECT_IS(frames_with_it(), 0);
}

/* After the direct map lost leaves, and got them back. */
static void code_has_one_address_where_it_is_not_written(void)
{
    int fd;

    NEED_ATTACKER;
    char *p = planted(PAGES, &fd);
    munmap(p, PAGES * PAGE);
    close(fd);
    pool_shrink();
    attack(ATTACK_LEAVES);
    EXPECT(attack_now.pages > 1000);
    EXPECT_IS(attack_now.open_code, 0);
}

static bool cpu_has_smap(void)
{
    char line[4096];
    bool has = false;
    FILE *f = fopen("/proc/cpuinfo", "r");

    while (f && fgets(line, sizeof(line), f))
        has |= !strncmp(line, "flags", 5) && strstr(line, " smap");
    if (f)
        fclose(f);
    return has;
}

static void ring_0_does_not_read_a_program_by_its_address(void)
{
    NEED_ATTACKER;
    if (!cpu_has_smap())
        SKIP("no SMAP");
    char *p = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    p[0] = 1;
    attack_now.address = (uintptr_t)p;
    attack(ATTACK_USER);
    EXPECT_IS(attack_now.pages, 0);
    munmap(p, PAGE);
}

static const struct ktap_test tests[] = {
    TEST(an_ordinary_page_is_found_on_every_cpu),
    TEST(no_leaf_leads_to_a_secret_page),
    TEST(no_leaf_leads_to_a_huge_secret_page),
    TEST(nothing_is_left_of_what_was_unmapped_and_closed),
    TEST(nothing_is_left_of_who_exits_or_is_killed),
    TEST(nothing_is_left_of_who_ate_all_memory),
    TEST(a_child_shares_the_frame),
    TEST(another_cpu_forgets_before_a_fault_returns),
    TEST(old_translations_do_not_help),
    TEST(nothing_is_left_of_registers),
    TEST(nothing_is_left_of_what_was_sent),
    TEST(code_has_one_address_where_it_is_not_written),
    TEST(ring_0_does_not_read_a_program_by_its_address),
};

int main(void)
{
    return KTAP_MAIN(tests);
}
