/* SPDX-License-Identifier: MIT */
/*
 * tests/user/null.c - a program that follows a null pointer and dies of it
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) it is killed by SIGSEGV: a shell sees status 139;
 *         (2) what was written before arrives.
 * Source: -
 * Tour:   before tests/user/fault.c, which survives.
 */
#include <stdio.h>

int main(void)
{
    int *volatile nowhere = NULL;

    printf("about to follow a null pointer\n");
    fflush(stdout);
    return *nowhere;
}
