/* SPDX-License-Identifier: MIT */
/*
 * tests/user/sysv_sem.c - semaphores by number: semget, semop, semtimedop, semctl
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   the sets it makes, which it removes.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18, as root.
 * Source: semget(2), semop(2), semctl(2), sysvipc(7).
 * Tour:   after tests/user/sysv_shm.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <sys/ipc.h>
#include <sys/sem.h>
#include <time.h>

#define KEY 0x6b756c62

union semun {
    int val;
    struct semid_ds *buf;
    unsigned short *array;
    struct seminfo *info;
};

static int set(int id, int n, int value)
{
    return semctl(id, n, SETVAL, (union semun){.val = value});
}

static int get(int id, int n)
{
    return semctl(id, n, GETVAL);
}

static int op(int id, int n, int value, int flags)
{
    struct sembuf one = {n, value, flags};

    return semop(id, &one, 1);
}

static int stat_set(int id, struct semid_ds *ds)
{
    return semctl(id, 0, IPC_STAT, (union semun){.buf = ds});
}

static int drop(int id)
{
    return semctl(id, 0, IPC_RMID);
}

static int ends_with(pid_t child)
{
    int status = -1;

    waitpid(child, &status, 0);
    return status;
}

/* Until @n calls wait for semaphore 0 to rise. */
static bool waiting(int id, int n)
{
    for (int i = 0; i < 1000 && semctl(id, 0, GETNCNT) != n; i++)
        usleep(2000);
    return semctl(id, 0, GETNCNT) == n;
}

static void sets_are_found_by_key(void)
{
    struct semid_ds ds = {0};

    EXPECT_ERR(semget(KEY, 3, 0), ENOENT);
    EXPECT_ERR(semget(KEY, 0, IPC_CREAT | 0600), EINVAL);
    EXPECT_ERR(semget(KEY, -1, IPC_CREAT | 0600), EINVAL);
    EXPECT_ERR(semget(KEY, 32001, IPC_CREAT | 0600), EINVAL);
    int id = semget(KEY, 3, IPC_CREAT | 0640);
    EXPECT(id >= 0);
    EXPECT_IS(semget(KEY, 0, 0), id);
    EXPECT_IS(semget(KEY, 3, IPC_CREAT), id);
    EXPECT_ERR(semget(KEY, 4, 0), EINVAL);
    EXPECT_ERR(semget(KEY, 3, IPC_CREAT | IPC_EXCL), EEXIST);
    EXPECT_IS(stat_set(id, &ds), 0);
    EXPECT(ds.sem_nsems == 3 && ds.sem_perm.mode == 0640 && ds.sem_perm.__key == KEY);
    EXPECT(ds.sem_otime == 0 && ds.sem_ctime <= time(NULL) && ds.sem_ctime > time(NULL) - 100);
    EXPECT_IS(drop(id), 0);
    EXPECT_ERR(drop(id), EINVAL);
    EXPECT_ERR(semget(KEY, 3, 0), ENOENT);
}

static void values_are_set_and_read(void)
{
    unsigned short all[3] = {1, 2, 3};
    int id = semget(IPC_PRIVATE, 3, 0600);

    EXPECT_IS(get(id, 0), 0);
    EXPECT_IS(set(id, 1, 5), 0);
    EXPECT_IS(get(id, 1), 5);
    EXPECT_ERR(set(id, 1, -1), ERANGE);
    EXPECT_ERR(set(id, 1, 32768), ERANGE);
    EXPECT_ERR(set(id, 3, 1), EINVAL);
    EXPECT_ERR(set(id, -1, 1), EINVAL);
    EXPECT_ERR(set(-1, 0, 40000), EINVAL);
    EXPECT_ERR(get(id, 3), EINVAL);
    EXPECT_IS(semctl(id, 1, GETPID), getpid());
    EXPECT_IS(semctl(id, 2, GETPID), 0);
    EXPECT_IS(semctl(id, 0, SETALL, (union semun){.array = all}), 0);
    memset(all, 0, sizeof(all));
    EXPECT_IS(semctl(id, 0, GETALL, (union semun){.array = all}), 0);
    EXPECT(all[0] == 1 && all[1] == 2 && all[2] == 3);
    all[1] = 40000;
    EXPECT_ERR(semctl(id, 0, SETALL, (union semun){.array = all}), ERANGE);
    EXPECT_IS(get(id, 0), 1);
    EXPECT_ERR(semctl(id, 0, GETALL, (union semun){.array = (void *)1}), EFAULT);
    EXPECT_ERR(semctl(id, 0, SETALL, (union semun){.array = (void *)1}), EFAULT);
    EXPECT_ERR(semctl(id, 0, IPC_STAT, (union semun){.buf = (void *)1}), EFAULT);
    EXPECT_ERR(semctl(id, 0, 99), EINVAL);
    EXPECT_IS(drop(id), 0);
}

static void a_call_does_all_or_nothing(void)
{
    int id = semget(IPC_PRIVATE, 2, 0600);
    struct sembuf both[3] = {{0, 2, 0}, {1, -1, IPC_NOWAIT}, {0, -1, 0}}, many[501];

    EXPECT_ERR(semop(id, both, 3), EAGAIN);
    EXPECT_IS(get(id, 0), 0);
    EXPECT_IS(set(id, 1, 1), 0);
    EXPECT_IS(semop(id, both, 3), 0);
    EXPECT(get(id, 0) == 1 && get(id, 1) == 0);
    EXPECT_ERR(op(id, 0, 0, IPC_NOWAIT), EAGAIN);
    EXPECT_IS(op(id, 1, 0, IPC_NOWAIT), 0);
    EXPECT_ERR(op(id, 0, -2, IPC_NOWAIT), EAGAIN);
    EXPECT_ERR(op(id, 0, 32767, 0), ERANGE);
    EXPECT_ERR(op(id, 2, 1, 0), EFBIG);
    EXPECT_ERR(op(-1, 0, 1, 0), EINVAL);
    EXPECT_ERR(semop(id, both, 0), EINVAL);
    EXPECT_ERR(semop(id, (void *)1, 1), EFAULT);
    memset(many, 0, sizeof(many));
    EXPECT_ERR(semop(id, many, 501), E2BIG);
    EXPECT_ERR(semop(-1, many, 501), E2BIG);
    for (int i = 0; i < 500; i++)
        many[i] = (struct sembuf){0, 1, 0};
    EXPECT_IS(semop(id, many, 500), 0);
    EXPECT_IS(get(id, 0), 501);
    struct semid_ds ds = {0};
    EXPECT_IS(stat_set(id, &ds), 0);
    EXPECT(ds.sem_otime > 0);
    EXPECT_IS(drop(id), 0);
}

static void who_waits_goes_on_when_it_can(void)
{
    int id = semget(IPC_PRIVATE, 2, 0600);
    pid_t child = fork();

    if (child == 0) {
        struct sembuf ops[2] = {{0, -3, 0}, {1, 1, 0}};
        _exit(semop(id, ops, 2) ? 1 : 0);
    }
    EXPECT(waiting(id, 1));
    EXPECT_IS(semctl(id, 0, GETZCNT), 0);
    EXPECT_IS(semctl(id, 1, GETNCNT), 0);
    EXPECT_IS(op(id, 0, 2, 0), 0);
    EXPECT_IS(get(id, 0), 2);
    EXPECT_IS(op(id, 0, 2, 0), 0);
    EXPECT_IS(get(id, 0), 1);
    EXPECT_IS(get(id, 1), 1);
    EXPECT_IS(ends_with(child), 0);
    EXPECT_IS(semctl(id, 1, GETPID), child);
    child = fork();
    if (child == 0)
        _exit(op(id, 0, 0, 0) ? 1 : 0);
    for (int i = 0; i < 1000 && semctl(id, 0, GETZCNT) != 1; i++)
        usleep(2000);
    EXPECT_IS(semctl(id, 0, GETZCNT), 1);
    EXPECT_IS(set(id, 0, 0), 0);
    EXPECT_IS(ends_with(child), 0);
    EXPECT_IS(drop(id), 0);
}

static void those_who_wait_are_served_in_turn(void)
{
    int id = semget(IPC_PRIVATE, 1, 0600);
    pid_t children[4];

    for (int i = 0; i < 4; i++) {
        children[i] = fork();
        if (children[i] == 0)
            _exit(op(id, 0, -1, 0) ? 1 : 0);
        EXPECT(waiting(id, i + 1));
    }
    for (int i = 0; i < 4; i++) {
        EXPECT_IS(op(id, 0, 1, 0), 0);
        EXPECT_IS(semctl(id, 0, GETPID), children[i]);
        EXPECT_IS(ends_with(children[i]), 0);
    }
    EXPECT_IS(get(id, 0), 0);
    EXPECT_IS(drop(id), 0);
}

static void nothing(int signo)
{
    (void)signo;
}

static void a_wait_ends_by_time_signal_or_removal(void)
{
    int id = semget(IPC_PRIVATE, 1, 0600);
    struct sembuf down = {0, -1, 0};
    struct timespec soon = {0, 20000000}, bad = {0, 1000000000}, none = {0, 0};

    EXPECT_ERR(semtimedop(id, &down, 1, &soon), EAGAIN);
    EXPECT_ERR(semtimedop(id, &down, 1, &none), EAGAIN);
    EXPECT_ERR(semtimedop(id, &down, 1, &bad), EINVAL);
    EXPECT_ERR(semtimedop(id, &down, 1, (void *)1), EFAULT);
    EXPECT_IS(semctl(id, 0, GETNCNT), 0);
    pid_t child = fork();
    if (child == 0) {
        struct sigaction action = {.sa_handler = nothing, .sa_flags = SA_RESTART};
        sigaction(SIGUSR1, &action, NULL);
        _exit(semop(id, &down, 1) == -1 && errno == EINTR ? 0 : 1);
    }
    EXPECT(waiting(id, 1));
    kill(child, SIGUSR1);
    EXPECT_IS(ends_with(child), 0);
    EXPECT_IS(semctl(id, 0, GETNCNT), 0);
    child = fork();
    if (child == 0)
        _exit(semop(id, &down, 1) == -1 && errno == EIDRM ? 0 : 1);
    EXPECT(waiting(id, 1));
    EXPECT_IS(drop(id), 0);
    EXPECT_IS(ends_with(child), 0);
}

static void what_a_process_did_is_undone_at_its_end(void)
{
    int id = semget(IPC_PRIVATE, 3, 0600);

    EXPECT_IS(set(id, 0, 5), 0);
    pid_t child = fork();
    if (child == 0) {
        EXPECT_IS(op(id, 0, -2, SEM_UNDO), 0);
        EXPECT_IS(op(id, 0, -1, 0), 0);
        EXPECT_IS(op(id, 1, 4, SEM_UNDO), 0);
        EXPECT_IS(op(id, 1, -3, 0), 0);
        EXPECT_IS(op(id, 2, 0, SEM_UNDO), 0);
        EXPECT_IS(op(id, 2, 2, SEM_UNDO), 0);
        EXPECT_IS(set(id, 2, 7), 0);
        _exit(ktap_failed);
    }
    EXPECT_IS(ends_with(child), 0);
    EXPECT_IS(get(id, 0), 4);
    EXPECT_IS(semctl(id, 0, GETPID), child);
    EXPECT_IS(get(id, 1), 0);
    EXPECT_IS(get(id, 2), 7);
    child = fork();
    if (child == 0) {
        EXPECT_IS(op(id, 0, -1, SEM_UNDO), 0);
        pid_t grandchild = fork();
        if (grandchild == 0) /* has nothing to undo */
            _exit(0);
        EXPECT_IS(ends_with(grandchild), 0);
        EXPECT_IS(get(id, 0), 3);
        _exit(ktap_failed);
    }
    EXPECT_IS(ends_with(child), 0);
    EXPECT_IS(get(id, 0), 4);
    EXPECT_IS(drop(id), 0);
    child = fork();
    if (child == 0) {
        int own = semget(IPC_PRIVATE, 1, 0600);
        EXPECT_IS(op(own, 0, 1, SEM_UNDO), 0);
        EXPECT_IS(drop(own), 0);
        _exit(ktap_failed);
    }
    EXPECT_IS(ends_with(child), 0);
}

static void others_have_rights(void)
{
    int id = semget(KEY, 1, IPC_CREAT | 0604), status = 0;

    if (fork() == 0) {
        struct semid_ds ds;
        if (setgid(1000) || setuid(1000))
            _exit(1);
        EXPECT_IS(semget(KEY, 1, 0444), id);
        EXPECT_ERR(semget(KEY, 1, 0600), EACCES);
        EXPECT_IS(get(id, 0), 0);
        EXPECT_ERR(set(id, 0, 1), EACCES);
        EXPECT_ERR(op(id, 0, 1, 0), EACCES);
        EXPECT_IS(op(id, 0, 0, 0), 0);
        EXPECT_IS(stat_set(id, &ds), 0);
        EXPECT_ERR(semctl(id, 0, IPC_SET, (union semun){.buf = &ds}), EPERM);
        EXPECT_ERR(drop(id), EPERM);
        _exit(ktap_failed);
    }
    wait(&status);
    EXPECT_IS(status, 0);
    struct semid_ds ds = {0};
    EXPECT_IS(stat_set(id, &ds), 0);
    ds.sem_perm.mode = 0666;
    ds.sem_perm.gid = 5;
    EXPECT_IS(semctl(id, 0, IPC_SET, (union semun){.buf = &ds}), 0);
    EXPECT_IS(stat_set(id, &ds), 0);
    EXPECT(ds.sem_perm.mode == 0666 && ds.sem_perm.gid == 5 && ds.sem_perm.cgid == 0);
    EXPECT_IS(drop(id), 0);
}

static void numbers_tell_of_all(void)
{
    struct seminfo info = {0};
    struct semid_ds ds;
    char line[256] = "", wanted[128];
    bool found = false, seen = false;

    int id = semget(KEY, 9, IPC_CREAT | 0640);
    int highest = semctl(0, 0, IPC_INFO, (union semun){.info = &info});
    EXPECT(highest >= 0);
    EXPECT(info.semmni == 32000 && info.semmsl == 32000 && info.semopm == 500);
    EXPECT(info.semvmx == 32767 && info.semaem == 32767 && info.semusz == 20);
    EXPECT_IS(semctl(0, 0, SEM_INFO, (union semun){.info = &info}), highest);
    EXPECT(info.semusz >= 1 && info.semaem >= 9);
    for (int i = 0; i <= highest; i++)
        found |= semctl(i, 0, SEM_STAT, (union semun){.buf = &ds}) == id && ds.sem_nsems == 9;
    EXPECT(found);
    snprintf(wanted, sizeof(wanted), "%10d %10d   640 %10d %5d %5d %5d %5d ", KEY, id, 9, 0, 0, 0,
             0);
    FILE *f = fopen("/proc/sysvipc/sem", "r");
    while (f && fgets(line, sizeof(line), f))
        seen |= !strncmp(line, wanted, strlen(wanted));
    if (f)
        fclose(f);
    EXPECT(seen);
    EXPECT(slurp("/proc/sys/kernel/sem", line, sizeof(line)) > 0);
    EXPECT(!strcmp(line, "32000\t1024000000\t500\t32000\n"));
    EXPECT_IS(drop(id), 0);
}

static void many_add_and_take_at_once(void)
{
    int id = semget(IPC_PRIVATE, 2, 0600), done = 0, status;

    for (int i = 0; i < 4; i++) {
        if (fork() == 0) {
            struct sembuf there[2] = {{i % 2, -1, 0}, {(i + 1) % 2, 1, 0}};
            for (int round = 0; round < 500; round++)
                if (semop(id, there, 2) < 0)
                    _exit(1);
            _exit(0);
        }
    }
    EXPECT_IS(op(id, 0, 1, 0), 0);
    EXPECT_IS(op(id, 1, 1, 0), 0);
    while (wait(&status) > 0)
        done += status == 0;
    EXPECT_IS(done, 4);
    EXPECT_IS(get(id, 0) + get(id, 1), 2);
    EXPECT_IS(drop(id), 0);
}

static const struct ktap_test tests[] = {
    TEST(sets_are_found_by_key),
    TEST(values_are_set_and_read),
    TEST(a_call_does_all_or_nothing),
    TEST(who_waits_goes_on_when_it_can),
    TEST(those_who_wait_are_served_in_turn),
    TEST(a_wait_ends_by_time_signal_or_removal),
    TEST(what_a_process_did_is_undone_at_its_end),
    TEST(others_have_rights),
    TEST(numbers_tell_of_all),
    TEST(many_add_and_take_at_once),
};

int main(void)
{
    return KTAP_MAIN(tests);
}
