/* SPDX-License-Identifier: MIT */
/*
 * tools/qemu_plugin.h - what our plugins use of QEMU's plugin interface, version 1
 *
 * Room:   tools. Debian does not package qemu-plugin.h; QEMU itself exports the functions.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) types and numbers are those of version 1 (QEMU 4.2 to 8.2).
 * Source: QEMU documentation, "QEMU TCG Plugins".
 * Tour:   before tools/lines.c, tools/trace.c and tools/tlbsan.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct qemu_plugin_tb;   /* a block of guest code that is just translated */
struct qemu_plugin_insn; /* one instruction of it */
struct qemu_plugin_hwaddr;
struct qemu_info;

enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };
enum qemu_plugin_mem_rw { QEMU_PLUGIN_MEM_W = 2, QEMU_PLUGIN_MEM_RW = 3 };

typedef void (*qemu_plugin_tb_cb)(uint64_t id, struct qemu_plugin_tb *tb);
typedef void (*qemu_plugin_insn_cb)(unsigned cpu, void *arg);
typedef void (*qemu_plugin_mem_cb)(unsigned cpu, uint32_t info, uint64_t va, void *arg);
typedef void (*qemu_plugin_end_cb)(uint64_t id, void *arg);

void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, qemu_plugin_tb_cb call);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, qemu_plugin_insn_cb call,
                                          enum qemu_plugin_cb_flags flags, void *arg);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, qemu_plugin_insn_cb call,
                                            enum qemu_plugin_cb_flags flags, void *arg);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn, qemu_plugin_mem_cb call,
                                      enum qemu_plugin_cb_flags flags, enum qemu_plugin_mem_rw rw,
                                      void *arg);
void qemu_plugin_register_atexit_cb(uint64_t id, qemu_plugin_end_cb call, void *arg);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
bool qemu_plugin_mem_is_store(uint32_t info);
struct qemu_plugin_hwaddr *qemu_plugin_get_hwaddr(uint32_t info, uint64_t va);
bool qemu_plugin_hwaddr_is_io(const struct qemu_plugin_hwaddr *hwaddr);
uint64_t qemu_plugin_hwaddr_phys_addr(const struct qemu_plugin_hwaddr *hwaddr);
