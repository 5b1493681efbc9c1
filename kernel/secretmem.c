/* SPDX-License-Identifier: MIT */
/*
 * kernel/secretmem.c - memfd_secret(2): a file that can only be mapped
 *
 * Room:   kernel.
 * Owns:   the arguments of the call, where its files lie, and how many there are.
 * Locks:  none; the count is atomic.
 * Always: (1) the count of files is that of inodes: it falls when nobody has one open or mapped;
 *         (2) it never passes its limit, and may always rise again from 0;
 *         (3) what cannot be sealed is never opened again: all its descriptors may write.
 * Source: memfd_secret(2); include/uapi/bulla.h for what Linux does not have.
 * Tour:   after kernel/memfd.c; then mm/secretmem.c.
 */
#include "secretmem.h"

#include "files.h"
#include "fs.h"
#include "memfd.h"
#include "mount.h"
#include "syscall.h"
#include "text_file.h"
#include <base/bug.h>
#include <lib/parse.h>
#include <mm/secretmem.h>
#include <uapi/bulla.h>
#include <uapi/errno.h>
#include <uapi/fcntl.h>

/* Mounted nowhere; what lies there is never run. */
static struct fs_type secret_type = {.name = "secretmem", .magic = SECRETMEM_MAGIC};
static struct mount *secret_mount;

static bool is_enabled;
static uint32_t max_files;
static _Atomic uint32_t nr_files;

/* Claim 2. */
static int count_one_more(void)
{
    uint32_t nr = atomic_load(&nr_files);

    do {
        if (nr >= max_files)
            return -ENFILE;
    } while (!atomic_compare_exchange_weak(&nr_files, &nr, nr + 1));
    return 0;
}

static void count_one_less(struct inode *inode)
{
    (void)inode;
    if (atomic_fetch_sub(&nr_files, 1) == 1 && bug_is_back(BUG_B53))
        atomic_store(&nr_files, max_files);
}

bool secretmem_in_use(void)
{
    return atomic_load(&nr_files);
}

static int secret_truncate(struct file *f, uint64_t size_bytes)
{
    return inode_truncate(f->inode, size_bytes);
}

static void secret_tell(struct file *f, struct text *t)
{
    text_add(t, "resident:\t%lu\n", atomic_load(&f->inode->object.nr_pages) * PAGE_SIZE);
}

static const struct file_ops secret_file_ops = {
    .truncate = secret_truncate, .tell = secret_tell, .no_seek = true};

static int check_flags(unsigned flags)
{
    unsigned known = O_CLOEXEC | SECRET_ALLOW_SEALING | SECRET_HUGETLB | SECRET_STRICT;

    if (flags & SECRET_HUGETLB)
        known |= SECRET_HUGE_MASK << SECRET_HUGE_SHIFT;
    return flags & ~known ? -EINVAL : 0;
}

/* NULL: there are no pages of that size. */
static const struct object_ops *kind_of(unsigned flags)
{
    unsigned shift = flags >> SECRET_HUGE_SHIFT & SECRET_HUGE_MASK;

    if (!(flags & SECRET_HUGETLB))
        return &secretmem_ops;
    if (!shift)
        shift = HUGE_SHIFT;
    return shift > PAGE_SHIFT ? secretmem_ops_for(shift - PAGE_SHIFT) : NULL;
}

/* Claims 1 and 3. */
static int secret_inode_create(unsigned flags, struct inode **out)
{
    const struct object_ops *kind = kind_of(flags);

    if (!kind)
        return -ENODEV;
    int err = count_one_more();
    if (err)
        return err;
    err = inode_create(S_IFREG | 0600, kind, out);
    if (err) {
        count_one_less(NULL);
        return err;
    }
    (*out)->release = count_one_less;
    (*out)->private = flags;
    (*out)->file_ops = flags & SECRET_ALLOW_SEALING ? &secret_file_ops : NULL;
    (*out)->object.seals = flags & SECRET_ALLOW_SEALING ? 0 : SEAL_SEAL;
    return 0;
}

int64_t sys_memfd_secret(unsigned flags)
{
    struct inode *inode;

    if (!is_enabled)
        return -ENOSYS;
    int err = check_flags(flags);
    if (!err)
        err = secret_inode_create(flags, &inode);
    if (err)
        return err;
    if (!(flags & SECRET_HUGETLB))
        secret_pool_expect();
    return memfd_open("secretmem", secret_mount, inode, &secret_file_ops, flags & O_CLOEXEC);
}

void secretmem_files_boot_init(const char *cmdline)
{
    is_enabled = parse_option_or(cmdline, "secretmem.enable", 1);
    max_files =
        min(parse_option_or(cmdline, "secretmem.max_files", INT32_MAX), (uint64_t)INT32_MAX);
    secret_mount = mount_boot_nowhere(&secret_type, MOUNT_NO_EXEC | MOUNT_NO_DEV | MOUNT_NO_SUID);
}
