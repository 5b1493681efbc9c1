/* SPDX-License-Identifier: MIT */
/*
 * include/uapi/misc.h - small calls: names, clocks, reboot
 *
 * Room:   uapi: numbers of the Linux x86-64 ABI, nothing else.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) values are Linux's.
 * Source: uname(2), clock_gettime(2), arch_prctl(2), prctl(2), reboot(2), sysinfo(2).
 * Tour:   as needed.
 */
#pragma once

#include <stdint.h>

struct uapi_utsname {
    char sysname[65], nodename[65], release[65], version[65], machine[65], domainname[65];
};

/* The promises of this Linux version are kept, as far as the call exists. */
#define BULLA_RELEASE "6.12.0-bulla"

struct uapi_sysinfo {
    int64_t uptime;
    uint64_t loads[3], totalram, freeram, sharedram, bufferram, totalswap, freeswap;
    uint16_t procs, pad[3];
    uint64_t totalhigh, freehigh;
    uint32_t mem_unit, pad2;
};

#define ARCH_SET_GS 0x1001
#define ARCH_SET_FS 0x1002
#define ARCH_GET_FS 0x1003
#define ARCH_GET_GS 0x1004

#define CLOCK_REALTIME           0
#define CLOCK_MONOTONIC          1
#define CLOCK_PROCESS_CPUTIME_ID 2
#define CLOCK_THREAD_CPUTIME_ID  3
#define CLOCK_MONOTONIC_RAW      4
#define CLOCK_REALTIME_COARSE    5
#define CLOCK_MONOTONIC_COARSE   6
#define CLOCK_BOOTTIME           7
#define CLOCK_REALTIME_ALARM     8
#define CLOCK_BOOTTIME_ALARM     9
#define CLOCK_TAI                11
#define TIMER_ABSTIME            1

#define GRND_NONBLOCK 1
#define GRND_RANDOM   2
#define GRND_INSECURE 4

#define REBOOT_MAGIC1    0xfee1dead
#define REBOOT_MAGIC2    672274793
#define REBOOT_MAGIC2A   85072278
#define REBOOT_MAGIC2B   369367448
#define REBOOT_MAGIC2C   537993216
#define REBOOT_RESTART   0x01234567
#define REBOOT_HALT      0xcdef0123
#define REBOOT_CAD_ON    0x89abcdef
#define REBOOT_CAD_OFF   0
#define REBOOT_POWER_OFF 0x4321fedc
