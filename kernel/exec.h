/* SPDX-License-Identifier: MIT */
/*
 * kernel/exec.h - starting the first program
 *
 * Room:   kernel.
 * Owns:   nothing; see exec.c.
 * Locks:  none.
 * Always: -
 * Source: execve(2).
 * Tour:   with kernel/exec.c.
 */
#pragma once

#include <lib/compiler.h>

/**
 * exec_first() - make the running task, which has no program yet, run @path
 * @envp: strings, NULL at the end
 * Return: 0 with its user frame filled in, or what execve(2) would say.
 */
int __must_check exec_first(const char *path, const char *const *envp);
