/* SPDX-License-Identifier: MIT */
/*
 * tests/user/userfaultfd_events.c - changes of memory that a program is told of
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: userfaultfd(2), "Reading from the userfaultfd structure".
 * Tour:   after tests/user/uffd.h; then mm/userfault_event.c.
 */
#define _GNU_SOURCE
#include "uffd.h"

#define ALL                                                                           \
    (UFFD_FEATURE_EVENT_FORK | UFFD_FEATURE_EVENT_REMAP | UFFD_FEATURE_EVENT_REMOVE | \
     UFFD_FEATURE_EVENT_UNMAP)

static char *watched(uint64_t modes)
{
    char *p = map(MAP_PRIVATE, -1);
    EXPECT_IS(watch(p, LEN, modes), 0);
    return p;
}

static int discard(char *at)
{
    return madvise(at, 2 * PAGE, MADV_DONTNEED);
}

static void discarding_waits_until_it_is_known(void)
{
    NEED_FILE(0, UFFD_FEATURE_EVENT_REMOVE);
    char *p = watched(UFFDIO_REGISTER_MODE_MISSING);

    EXPECT_IS(fill(p + PAGE, 'a'), 0);
    touch(p + PAGE, discard);
    struct pollfd ready = {uffd, POLLIN, 0};
    EXPECT_IS(poll(&ready, 1, SECOND), 1);
    EXPECT(!toucher.done);
    EXPECT_IS(p[PAGE], 'a'); /* it is told before */
    EXPECT_ERR(fill(p, 'b'), EAGAIN);
    EXPECT_ERR(protect(p, PAGE, 0), EAGAIN);
    struct uapi_uffd_msg msg = question();
    EXPECT_IS(msg.event, UFFD_EVENT_REMOVE);
    EXPECT(msg.start == (uintptr_t)(p + PAGE) && msg.end == (uintptr_t)(p + 3 * PAGE));
    EXPECT_IS(touched(), 0);
    touch(p + PAGE, read_byte);
    EXPECT(asks(p + PAGE, 0));
    EXPECT_IS(fill(p + PAGE, 'c'), 0);
    EXPECT_IS(touched(), 'c');
    munmap(p, LEN);
    close(uffd);
}

static int punch(char *at)
{
    return madvise(at, PAGE, MADV_REMOVE);
}

/* Whoever removed the first page from @p waits until that is read. */
static void expect_told_removed(const char *p)
{
    struct uapi_uffd_msg msg = question();
    EXPECT_IS(msg.event, UFFD_EVENT_REMOVE);
    EXPECT(msg.start == (uintptr_t)p && msg.end == (uintptr_t)(p + PAGE));
    EXPECT_IS(touched(), 0);
}

static void so_does_punching(void)
{
    NEED_FILE(0, UFFD_FEATURE_EVENT_REMOVE);
    char *p = map(MAP_SHARED, -1);

    EXPECT_IS(ask_about(p, LEN), 0);
    EXPECT_IS(fill(p, 'a'), 0);
    touch(p, punch);
    expect_told_removed(p);
    munmap(p, LEN);
    close(uffd);
}

static int unmap_half(char *at)
{
    return munmap(at, LEN / 2);
}

static void unmapping_is_told_when_it_is_done(void)
{
    NEED_FILE(0, UFFD_FEATURE_EVENT_UNMAP);
    char *p = watched(UFFDIO_REGISTER_MODE_MISSING);

    EXPECT_IS(ask_no_more(p + 2 * PAGE, PAGE), 0);
    touch(p, unmap_half);
    struct pollfd ready = {uffd, POLLIN, 0};
    EXPECT_IS(poll(&ready, 1, SECOND), 1);
    EXPECT_IS(maps_count(p, LEN / 2), 0);
    struct uapi_uffd_msg msg = question();
    EXPECT_IS(msg.event, UFFD_EVENT_UNMAP);
    EXPECT(msg.start == (uintptr_t)p && msg.end == (uintptr_t)(p + LEN / 2)); /* all of it */
    EXPECT_IS(touched(), 0);
    EXPECT(is_quiet());
    munmap(p + LEN / 2 - PAGE, PAGE); /* nothing there */
    EXPECT(is_quiet());
    close(uffd);
    munmap(p, LEN);
}

static int map_over(char *at)
{
    return mmap(at, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at;
}

static void so_is_mapping_over(void)
{
    NEED_FILE(0, UFFD_FEATURE_EVENT_UNMAP);
    char *p = watched(UFFDIO_REGISTER_MODE_MISSING);

    touch(p + PAGE, map_over);
    struct uapi_uffd_msg msg = question();
    EXPECT_IS(msg.event, UFFD_EVENT_UNMAP);
    EXPECT(msg.start == (uintptr_t)(p + PAGE) && msg.end == (uintptr_t)(p + 2 * PAGE));
    EXPECT_IS(touched(), 1);
    EXPECT_IS(p[PAGE], 0);
    close(uffd);
    munmap(p, LEN);
}

static char *new_place;

static int move_there(char *at)
{
    return mremap(at, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED, new_place) == new_place;
}

static void what_moves_is_watched_on(void)
{
    NEED_FILE(0, UFFD_FEATURE_EVENT_REMAP);
    char *p = watched(UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP);

    new_place = map(MAP_PRIVATE, -1);
    EXPECT_IS(fill(p, 'a'), 0);
    EXPECT_IS(protect(p, LEN, UFFDIO_WRITEPROTECT_WP), 0);
    touch(p, move_there);
    struct uapi_uffd_msg msg = question();
    EXPECT_IS(msg.event, UFFD_EVENT_REMAP);
    EXPECT(msg.from == (uintptr_t)p && msg.to == (uintptr_t)new_place && msg.len == LEN);
    EXPECT_IS(touched(), 1);
    EXPECT_IS(new_place[0], 'a');
    EXPECT(is_marked(new_place));
    touch(new_place, write_byte);
    EXPECT(asks(new_place, UFFD_PAGEFAULT_FLAG_WP | UFFD_PAGEFAULT_FLAG_WRITE));
    EXPECT_IS(protect(new_place, PAGE, 0), 0);
    touched();
    touch(new_place + PAGE, read_byte);
    EXPECT(asks(new_place + PAGE, 0));
    EXPECT_IS(fill(new_place + PAGE, 'b'), 0);
    EXPECT_IS(touched(), 'b');
    close(uffd);
    munmap(new_place, LEN);
}

static void moving_tells_of_both(void)
{
    NEED_FILE(0, UFFD_FEATURE_EVENT_REMAP | UFFD_FEATURE_EVENT_UNMAP);
    char *p = watched(UFFDIO_REGISTER_MODE_MISSING);

    new_place = map(MAP_PRIVATE, -1);
    touch(p, move_there);
    EXPECT_IS(question().event, UFFD_EVENT_REMAP);
    struct uapi_uffd_msg msg = question();
    EXPECT_IS(msg.event, UFFD_EVENT_UNMAP);
    EXPECT(msg.start == (uintptr_t)p && msg.end == (uintptr_t)(p + LEN));
    EXPECT_IS(touched(), 1);
    close(uffd);
    munmap(new_place, LEN);
}

static volatile pid_t child;

static int fork_and_read(char *at)
{
    child = fork();
    if (!child)
        _exit(*(volatile char *)at == 'f' && at[PAGE] == 'p' ? 0 : 1);
    return 0;
}

static void children_are_watched_by_a_file_of_their_own(void)
{
    int status = -1;

    NEED_FILE(0, UFFD_FEATURE_EVENT_FORK);
    char *p = watched(UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP);
    EXPECT_IS(fill(p + PAGE, 'p'), 0);
    EXPECT_IS(protect(p + PAGE, PAGE, UFFDIO_WRITEPROTECT_WP), 0);
    touch(p, fork_and_read);
    struct uapi_uffd_msg msg = question();
    EXPECT_IS(msg.event, UFFD_EVENT_FORK);
    touched();
    int parents = uffd;
    uffd = (int)msg.fd;
    EXPECT_IS(fcntl(uffd, F_GETFD), FD_CLOEXEC);
    EXPECT(fcntl(uffd, F_GETFL) & O_NONBLOCK);
    EXPECT(asks(p, 0));
    EXPECT_IS(fill(p, 'f'), 0);
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT_IS(status, 0);
    EXPECT_ERR(fill(p, 'x'), ESRCH); /* its memory is gone */
    close(uffd);
    uffd = parents;
    EXPECT(is_quiet());
    EXPECT(is_marked(p + PAGE));
    touch(p, read_byte);
    EXPECT(asks(p, 0)); /* the parent's is still missing */
    EXPECT_IS(fill(p, 'o'), 0);
    EXPECT_IS(touched(), 'o');
    done_with(p);
}

static void childrens_writes_are_told_to_their_file(void)
{
    int status = -1;

    NEED_FILE(0, UFFD_FEATURE_EVENT_FORK);
    char *p = map(MAP_SHARED, -1);
    memset(p, 'a', LEN);
    EXPECT_IS(watch(p, LEN, UFFDIO_REGISTER_MODE_WP), 0);
    EXPECT_IS(protect(p, LEN, UFFDIO_WRITEPROTECT_WP), 0);
    touch(p, fork_and_read); /* it reads, and is not asked */
    struct uapi_uffd_msg msg = question();
    EXPECT_IS(msg.event, UFFD_EVENT_FORK);
    touched();
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT_IS(WEXITSTATUS(status), 1);
    close((int)msg.fd);
    EXPECT(is_marked(p));
    touch(p, write_byte);
    EXPECT(asks(p, UFFD_PAGEFAULT_FLAG_WP | UFFD_PAGEFAULT_FLAG_WRITE));
    EXPECT_IS(protect(p, LEN, 0), 0);
    touched();
    done_with(p);
}

static void a_file_that_goes_takes_the_news_along(void)
{
    NEED_FILE(0, ALL);
    char *p = watched(UFFDIO_REGISTER_MODE_MISSING);
    touch(p, discard);
    struct pollfd ready = {uffd, POLLIN, 0};
    EXPECT_IS(poll(&ready, 1, SECOND), 1);
    EXPECT(!toucher.done);
    close(uffd);
    EXPECT_IS(touched(), 0);
    EXPECT_IS(p[0], 0);
    munmap(p, LEN);
}

static int free_page(char *at)
{
    return madvise(at, PAGE, 8 /* MADV_FREE */);
}

static void and_so_does_freeing(void)
{
    NEED_FILE(0, UFFD_FEATURE_EVENT_REMOVE);
    char *p = watched(UFFDIO_REGISTER_MODE_MISSING);

    EXPECT_IS(fill(p, 'a'), 0);
    touch(p, free_page);
    expect_told_removed(p);
    munmap(p, LEN);
    close(uffd);
}

static void *read_first(void *at)
{
    return (void *)(uintptr_t) * (volatile char *)at;
}

/* "pending: N total: N" of the file, as proc(5) tells it. */
static bool fdinfo_says(unsigned pending, unsigned total)
{
    char path[64], text[512] = "";
    unsigned seen_pending = ~0U, seen_total = ~0U;

    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", uffd);
    int fd = open(path, O_RDONLY);
    if (read(fd, text, sizeof text - 1) > 0 && strstr(text, "pending:"))
        sscanf(strstr(text, "pending:"), "pending: %u total: %u", &seen_pending, &seen_total);
    close(fd);
    return seen_pending == pending && seen_total == total &&
           strstr(text, "API:\taa:80000000:80000000000001ff\n");
}

static void several_messages_come_with_one_read(void)
{
    struct uapi_uffd_msg msgs[3];
    pthread_t others[2];

    NEED_FILE(0, 0);
    char *p = watched(UFFDIO_REGISTER_MODE_MISSING);
    EXPECT_ERR(read(uffd, msgs, sizeof msgs[0] - 1), EINVAL);
    EXPECT_ERR(read(uffd, msgs, sizeof msgs), EAGAIN);
    EXPECT(fdinfo_says(0, 0));
    for (size_t i = 0; i < 2; i++)
        EXPECT_IS(pthread_create(&others[i], NULL, read_first, p + i * PAGE), 0);
    for (int tries = 0; tries < SECOND && !fdinfo_says(2, 2); tries++)
        usleep(1000);
    EXPECT(fdinfo_says(2, 2));
    EXPECT_IS(read(uffd, msgs, sizeof msgs), 2 * sizeof msgs[0]);
    EXPECT(fdinfo_says(0, 2)); /* read, and not answered */
    EXPECT((msgs[0].address ^ msgs[1].address) == ((uintptr_t)p ^ (uintptr_t)(p + PAGE)));
    EXPECT_IS(zero(p, 2 * PAGE), 0);
    for (size_t i = 0; i < 2; i++)
        pthread_join(others[i], NULL);
    EXPECT(fdinfo_says(0, 0));
    done_with(p);
}

static const struct ktap_test tests[] = {
    TEST(discarding_waits_until_it_is_known),
    TEST(so_does_punching),
    TEST(and_so_does_freeing),
    TEST(unmapping_is_told_when_it_is_done),
    TEST(so_is_mapping_over),
    TEST(what_moves_is_watched_on),
    TEST(moving_tells_of_both),
    TEST(children_are_watched_by_a_file_of_their_own),
    TEST(childrens_writes_are_told_to_their_file),
    TEST(a_file_that_goes_takes_the_news_along),
    TEST(several_messages_come_with_one_read),
};

int main(void)
{
    return KTAP_MAIN(tests);
}
