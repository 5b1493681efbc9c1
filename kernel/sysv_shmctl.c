/* SPDX-License-Identifier: MIT */
/*
 * kernel/sysv_shmctl.c - shmctl(2), and /proc/sysvipc/shm: what is known of segments
 *
 * Room:   kernel.
 * Owns:   nothing.
 * Locks:  segments.lock, while a segment is looked at or changed.
 * Always: (1) the order of checks is Linux's.
 * Source: shmctl(2), sysvipc(7), proc_sysvipc(5).
 * Tour:   after kernel/sysv_shm.c.
 */
#include "cred.h"
#include "fs.h"
#include "proc.h"
#include "syscall.h"
#include "sysv_shm.h"
#include "task.h"
#include <asm/uaccess.h>
#include <uapi/errno.h>

/* Claims of the table as a whole */

static int64_t put_limits(user_addr_t out)
{
    struct uapi_shminfo info = {.max = shm_limits.max,
                                .min = 1,
                                .ids = shm_limits.ids,
                                .segments = shm_limits.ids,
                                .all = shm_limits.all};

    spin_lock(&segments.lock);
    int highest = ipc_highest(&segments);
    spin_unlock(&segments.lock);
    return copy_to_user(out, &info, sizeof(info)) ? -EFAULT : highest;
}

static uint64_t resident_pages(const struct segment *s)
{
    return atomic_load(&s->dentry->inode->object.nr_pages);
}

static int64_t put_sums(user_addr_t out)
{
    struct uapi_shm_info info = {0};
    struct ipc *ipc;

    spin_lock(&segments.lock);
    int highest = ipc_highest(&segments);
    info.used_ids = segments.used;
    info.total = shm_total_pages;
    for (int i = 0; i <= highest; i++)
        if ((ipc = ipc_nth(&segments, i)))
            info.resident += resident_pages(segment_of(ipc));
    spin_unlock(&segments.lock);
    return copy_to_user(out, &info, sizeof(info)) ? -EFAULT : highest;
}

/* One segment */

static void stat(const struct segment *s, struct uapi_shmid_ds *out)
{
    *out = (struct uapi_shmid_ds){
        .size = s->size,
        .atime = s->atime,
        .dtime = s->dtime,
        .ctime = s->ctime,
        .cpid = s->cpid,
        .lpid = s->lpid,
        .nattch = segment_attached(s),
    };
    ipc_stat(&s->ipc, &out->perm);
}

/* @n: a number, or for the others a slot of the table, whose number is the result then. */
static int64_t put_stat(int n, int cmd, user_addr_t out)
{
    struct uapi_shmid_ds ds;

    spin_lock(&segments.lock);
    struct ipc *ipc = cmd == IPC_STAT ? ipc_find(&segments, n) : ipc_nth(&segments, n);
    int err = !ipc ? -EINVAL : cmd == SHM_STAT_ANY ? 0 : ipc_permission(ipc, 0444);
    if (!err)
        stat(segment_of(ipc), &ds);
    int id = !err && cmd != IPC_STAT ? ipc->id : 0;
    spin_unlock(&segments.lock);
    if (err)
        return err;
    ds.cpid = ds.cpid ? pid_here(ds.cpid) : 0;
    ds.lpid = ds.lpid ? pid_here(ds.lpid) : 0;
    return copy_to_user(out, &ds, sizeof(ds)) ? -EFAULT : id;
}

/* No page is ever swapped out: it is only told. */
static int set_locked(struct segment *s, bool locked)
{
    const struct cred *me = cred_current();
    bool own = me->user.effective == s->ipc.uid || me->user.effective == s->ipc.cuid;
    bool may = own && (!locked || process_current()->limits[RLIMIT_MEMLOCK].soft);

    if (!may && !capable(CAP_IPC_LOCK))
        return -EPERM;
    if (object_is_hugetlb(&s->dentry->inode->object))
        return 0;
    s->ipc.mode = locked ? s->ipc.mode | SHM_LOCKED : s->ipc.mode & ~(uint32_t)SHM_LOCKED;
    return 0;
}

static int set_owner(struct segment *s, const struct uapi_shmid_ds *ds)
{
    int err = ipc_may_change(&s->ipc);
    if (err)
        return err;
    ipc_change(&s->ipc, &ds->perm);
    s->ctime = ipc_now();
    return 0;
}

static int remove(struct segment *s, struct dentry **unused)
{
    int err = ipc_may_change(&s->ipc);
    if (!err)
        segment_remove(s, unused);
    return err;
}

static int64_t change(int id, int cmd, const struct uapi_shmid_ds *ds)
{
    struct dentry *unused = NULL;

    spin_lock(&segments.lock);
    struct ipc *ipc = ipc_find(&segments, id);
    int err = -EINVAL;
    if (ipc && cmd == IPC_RMID)
        err = remove(segment_of(ipc), &unused);
    else if (ipc && cmd == IPC_SET)
        err = set_owner(segment_of(ipc), ds);
    else if (ipc)
        err = set_locked(segment_of(ipc), cmd == SHM_LOCK);
    spin_unlock(&segments.lock);
    if (unused)
        dentry_put(unused);
    return err;
}

int64_t sys_shmctl(int id, int cmd, user_addr_t buf)
{
    struct uapi_shmid_ds ds;

    if (cmd < 0 || id < 0)
        return -EINVAL;
    switch (cmd) {
    case IPC_INFO:
        return put_limits(buf);
    case SHM_INFO:
        return put_sums(buf);
    case IPC_STAT:
    case SHM_STAT:
    case SHM_STAT_ANY:
        return put_stat(id, cmd, buf);
    case IPC_SET:
        if (copy_from_user(&ds, buf, sizeof(ds)))
            return -EFAULT;
        return change(id, cmd, &ds);
    case IPC_RMID:
    case SHM_LOCK:
    case SHM_UNLOCK:
        return change(id, cmd, NULL);
    default:
        return -EINVAL;
    }
}

/* /proc */

static int show_segments(struct text *t, struct dentry *dentry)
{
    struct uapi_shmid_ds ds;
    struct ipc *ipc;
    (void)dentry;

    text_add(t, "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  "
                "cuid  cgid      atime      dtime      ctime                   rss                 "
                " swap\n");
    spin_lock(&segments.lock);
    for (unsigned i = 0; i < segments.nr_slots; i++) {
        if (!(ipc = ipc_nth(&segments, i)))
            continue;
        stat(segment_of(ipc), &ds);
        text_add(t,
                 "%10d %10d  %4o %21lu %5u %5u  %5lu %5u %5u %5u %5u %10lu %10lu %10lu %21lu "
                 "%21lu\n",
                 ds.perm.key, ipc->id, ds.perm.mode, ds.size, ds.cpid, ds.lpid, ds.nattch,
                 ds.perm.uid, ds.perm.gid, ds.perm.cuid, ds.perm.cgid, ds.atime, ds.dtime, ds.ctime,
                 resident_pages(segment_of(ipc)) * PAGE_SIZE, 0UL);
    }
    spin_unlock(&segments.lock);
    return 0;
}

static const struct text_kind proc_sysvipc_shm = {"shm", 0444, .show = show_segments};

static const struct setting max_setting = {.value = &shm_limits.max, .max = UINT64_MAX},
                            all_setting = {.value = &shm_limits.all, .max = UINT64_MAX},
                            ids_setting = {.value = &shm_limits.ids, .max = 32768};

static const struct text_kind settings[] = {
    {"shmmax", 0644, .setting = &max_setting},
    {"shmall", 0644, .setting = &all_setting},
    {"shmmni", 0644, .setting = &ids_setting},
};

void ipc_boot_files(struct dentry *proc, struct dentry *sys_kernel)
{
    struct dentry *dir = fs_boot_directory(proc, "sysvipc", 0555);

    text_file_boot(dir, &proc_sysvipc_shm);
    text_file_boot(dir, &proc_sysvipc_sem);
    text_file_boot(sys_kernel, &proc_sys_sem);
    TEXT_FILES_BOOT(sys_kernel, settings);
}
