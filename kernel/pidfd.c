/* SPDX-License-Identifier: MIT */
/*
 * kernel/pidfd.c - descriptors that stand for processes: made, polled, and what is done through one
 *
 * Room:   kernel.
 * Owns:   the reference on the process of each such file, in inode.private.
 * Locks:  tasks_lock for each look at the process.
 * Always: (1) see pidfd.h; (2) a process whose end was waited for is gone: -ESRCH.
 * Source: pidfd_open(2), pidfd_getfd(2), process_mrelease(2), process_madvise(2).
 * Tour:   after kernel/wait.c; kernel/kill.c sends signals through one.
 */
#include "pidfd.h"

#include "fs.h"
#include "poll.h"
#include "process.h"
#include "syscall.h"
#include "text_file.h"
#include <mm/slab.h>
#include <uapi/errno.h>
#include <uapi/mman.h>

#define VECTOR_MAX 1024

static struct process *process_of(const struct file *f)
{
    return (struct process *)f->inode->private;
}

static unsigned pidfd_poll(struct file *f)
{
    const struct process *p = process_of(f);
    return (READ_ONCE(p->zombie) ? POLLIN | POLLRDNORM : 0) | (READ_ONCE(p->gone) ? POLLHUP : 0);
}

void pidfd_changed(const struct process *process)
{
    if (READ_ONCE(process->has_pidfd))
        poll_wake();
}

static void pidfd_tell(struct file *f, struct text *t)
{
    const struct process *p = process_of(f);

    tasks_lock();
    int pid = p->gone ? -1 : pid_in(process_current()->ns, p->pid);
    tasks_unlock();
    text_add(t, "Pid:\t%d\nNSpid:\t%d\n", pid, pid);
}

static void pidfd_free(struct inode *inode)
{
    process_put((struct process *)inode->private);
}

static const struct file_ops pidfd_ops = {
    .poll = pidfd_poll,
    .tell = pidfd_tell,
    .no_seek = true,
};

int pidfd_create(struct process *process, unsigned flags)
{
    struct file *file;

    int err = file_create_anonymous("anon_inode:[pidfd]", 0700, &pidfd_ops,
                                    O_RDWR | (flags & O_NONBLOCK), &file);
    if (err)
        return err;
    process_get(process);
    WRITE_ONCE(process->has_pidfd, true);
    file->inode->private = (uint64_t)process;
    file->inode->release = pidfd_free;
    return fd_install(file, 0, true);
}

int pidfd_get(int fd, struct process **out, uint32_t *flags)
{
    struct file *file = fd_get(fd);
    int err = file && file->ops == &pidfd_ops ? 0 : -EBADF;

    if (!err) {
        *out = process_of(file);
        process_get(*out);
    }
    if (!err && flags)
        *flags = file->flags;
    if (file)
        file_put(file);
    return err;
}

int64_t sys_pidfd_open(int nr, unsigned flags)
{
    if ((flags & ~O_NONBLOCK) || nr <= 0)
        return -EINVAL;
    tasks_lock();
    struct process *process = process_named(nr);
    bool of_thread = !process && task_named(nr);
    if (process)
        process_get(process);
    tasks_unlock();
    if (!process)
        return of_thread ? -ENOENT : -ESRCH;
    int fd = pidfd_create(process, flags);
    process_put(process);
    return fd;
}

/* Some task of the process that may be looked into; tasks_lock held. */
static int task_of(const struct process *process, enum access_as as, struct task **out)
{
    *out = process->gone ? NULL : process_living_task(process);
    if (!*out)
        return -ESRCH;
    return cred_may_access(*out, as) ? 0 : -EPERM;
}

int process_memory(const struct process *process, enum access_as as, struct mm **out)
{
    struct task *task;

    tasks_lock();
    int err = task_of(process, as, &task);
    if (!err) {
        *out = task->mm;
        mm_get(*out);
    }
    tasks_unlock();
    return err == -EPERM ? -EACCES : err;
}

/* pidfd_getfd */

static int files_of(const struct process *process, struct files **out)
{
    struct task *task;

    tasks_lock();
    int err = task_of(process, ACCESS_AS_REAL, &task);
    if (!err) {
        *out = task->files;
        files_get(*out);
    }
    tasks_unlock();
    return err;
}

int64_t sys_pidfd_getfd(int fd, int target, unsigned flags)
{
    struct process *process;
    struct files *files;
    bool close_on_exec;

    if (flags)
        return -EINVAL;
    int err = pidfd_get(fd, &process, NULL);
    if (err)
        return err;
    err = files_of(process, &files);
    process_put(process);
    if (err)
        return err;
    struct file *file = files_get_file(files, target, &close_on_exec);
    files_put(files);
    return file ? fd_install(file, 0, true) : -EBADF;
}

/* process_mrelease */

/* Is it on its way to the end, so that nobody misses its memory? tasks_lock held. */
static bool is_dying(const struct process *process)
{
    const struct task *task;
    uint64_t pending = READ_ONCE(process->signals.shared.mask);

    list_for_each_entry (task, &process->tasks, process_node)
        pending |= READ_ONCE(task->signals.pending.mask);
    return process->exiting || (pending & sigmask(SIGKILL));
}

/* Does anybody share the memory who is to live on? tasks_lock held. */
static bool is_shared(const struct mm *mm)
{
    const struct process *p;

    for_each_process(p)
    {
        const struct task *task = process_living_task(p);
        if (task && task->mm == mm && !is_dying(p))
            return true;
    }
    return false;
}

int64_t sys_process_mrelease(int fd, unsigned flags)
{
    struct process *process;
    struct mm *mm = NULL;

    if (flags)
        return -EINVAL;
    int err = pidfd_get(fd, &process, NULL);
    if (err)
        return err;
    tasks_lock();
    const struct task *task = process->gone ? NULL : process_living_task(process);
    err = !task ? -ESRCH : is_shared(task->mm) ? -EINVAL : 0;
    if (!err) {
        mm = task->mm;
        mm_get(mm);
    }
    tasks_unlock();
    process_put(process);
    if (err)
        return err;
    mm_reap(mm);
    mm_put(mm);
    return 0;
}

/* process_madvise */

static int vector_read(user_addr_t from, uint64_t nr, struct uapi_iovec **out)
{
    if (nr > VECTOR_MAX)
        return -EINVAL;
    struct uapi_iovec *vector = kmem_alloc(max(nr, 1UL) * sizeof(*vector), SLAB_ALLOC_PLAIN);
    if (!vector)
        return -ENOMEM;
    int err = copy_from_user(vector, from, nr * sizeof(*vector));
    uint64_t left = MAX_RW_COUNT;
    for (uint64_t i = 0; i < nr && !err; i++) {
        if ((int64_t)vector[i].len < 0)
            err = -EINVAL;
        vector[i].len = min(vector[i].len, left); /* the rest is not advised, and nobody is told */
        left -= vector[i].len;
        if (nr == 1 && !err && !user_range_ok(user(vector[i].base), vector[i].len))
            err = -EFAULT;
    }
    if (err)
        kmem_free(vector);
    else
        *out = vector;
    return err;
}

/* Of other programs' memory only what does not change its contents. */
static bool may_advise_others(int advice)
{
    return advice == MADV_COLD || advice == MADV_PAGEOUT || advice == MADV_WILLNEED ||
           advice == MADV_COLLAPSE;
}

static int check_advice(const struct mm *mm, int advice)
{
    if (mm == task_current()->mm)
        return 0;
    if (!may_advise_others(advice))
        return -EINVAL;
    return capable(CAP_SYS_NICE) ? 0 : -EPERM;
}

/* As many bytes as were advised, or why not even the first part was. */
static int64_t advise_all(struct mm *mm, const struct uapi_iovec *vector, uint64_t nr, int advice)
{
    int64_t done = 0;

    for (uint64_t i = 0; i < nr; i++) {
        if (!vector[i].len)
            continue;
        int err = madvise_in(mm, vector[i].base, vector[i].len, advice);
        if (err)
            return done ? done : err;
        done += vector[i].len;
    }
    return done;
}

int64_t sys_process_madvise(int fd, user_addr_t from, uint64_t nr, int advice, unsigned flags)
{
    struct uapi_iovec *vector;
    struct process *process;
    struct mm *mm;

    if (flags)
        return -EINVAL;
    int64_t result = vector_read(from, nr, &vector);
    if (result)
        return result;
    result = pidfd_get(fd, &process, NULL);
    if (!result) {
        result = process_memory(process, ACCESS_AS_FS, &mm);
        process_put(process);
    }
    if (!result) {
        result = check_advice(mm, advice);
        if (!result)
            result = advise_all(mm, vector, nr, advice);
        mm_put(mm);
    }
    kmem_free(vector);
    return result;
}
