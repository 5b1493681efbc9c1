/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/user/program_files.c - a server that maps each file that it sends
 *
 * Room:   user.
 * Owns:   the file.
 * Locks:  none.
 * Always: (1) the file is cached: nothing is read from anywhere.
 * Source: LATR (ASPLOS 2018), the web server of its evaluation, for the idea.
 * Tour:   after tests/experiments/user/programs.h.
 */
#include "programs.h"

#define FILE_PAGES 10

static int the_file = -1;

static void send_file(unsigned thread)
{
    volatile char *p = mmap(NULL, FILE_PAGES * PAGE, PROT_READ, MAP_SHARED, the_file, 0);

    (void)thread;
    MUST(p != MAP_FAILED);
    for (unsigned i = 0; i < FILE_PAGES; i++)
        (void)p[i * PAGE];
    munmap((void *)p, FILE_PAGES * PAGE);
}

static void file_open(unsigned nr_threads)
{
    static const char bytes[FILE_PAGES * PAGE] = {1};

    (void)nr_threads;
    the_file = memfd_create("file", 0);
    MUST(the_file >= 0 && write(the_file, bytes, sizeof(bytes)) == sizeof(bytes));
}

static void file_close(unsigned nr_threads)
{
    (void)nr_threads;
    close(the_file);
}

const struct program program_files = {
    .name = "files", .begin = file_open, .work = send_file, .end = file_close, .operations = 100};

EXPERIMENT(program_files, .title = "A server: map a file of 10 pages, read it, unmap it",
           .x_axis = "threads", .bare = "Each request asks all CPUs that run the server to forget.",
           .virt = LAB_VIRT_IPI)
{
    program_measure(&program_files);
}
