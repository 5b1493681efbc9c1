/* SPDX-License-Identifier: MIT */
/* A thousand processes: ten by ten by ten, then in one chain in which all live at once. */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSES 1000
#define BRANCHES  10

static int *count;

/* Make @nr processes below this one; 0 when all of them ended well. */
static int tree(int nr)
{
    pid_t children[BRANCHES];
    int made = 0, bad = 0, status;

    for (int left = nr; made < BRANCHES && left > 0; made++) {
        int share = (left + BRANCHES - 1 - made) / (BRANCHES - made);
        left -= share;
        children[made] = fork();
        if (children[made] < 0)
            return 1;
        if (children[made] == 0) {
            __sync_fetch_and_add(count, 1);
            _exit(tree(share - 1));
        }
    }
    while (made-- > 0)
        bad |= waitpid(children[made], &status, 0) < 0 || status;
    return bad;
}

/* @nr processes, each the child of the one before. */
static int chain(int nr)
{
    int status = 0;
    pid_t child = nr ? fork() : -1;

    if (child == 0) {
        __sync_fetch_and_add(count, 1);
        _exit(chain(nr - 1));
    }
    return child > 0 ? waitpid(child, &status, 0) < 0 || status : nr;
}

int main(void)
{
    count = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int bad = tree(PROCESSES);
    printf("tree: %d processes, bad: %d\n", *count, bad);
    *count = 0;
    bad = chain(PROCESSES);
    printf("chain: %d processes, bad: %d\n", *count, bad);
    return 0;
}
