/* SPDX-License-Identifier: MIT */
/*
 * kernel/proc_pid.c - /proc/PID: a directory for each process
 *
 * Room:   kernel.
 * Owns:   the directories of processes and of their tasks, made when they are looked up.
 * Locks:  tasks_lock while a process is found and a reference on its memory or files is taken.
 * Always: (1) a process may end at any moment: what it had is then missing, never stale.
 * Source: proc(5), proc_pid_fd(5).
 * Tour:   after kernel/proc.c.
 */
#include "proc.h"

#include "mount.h"
#include "task.h"
#include "text_file.h"
#include <lib/format.h>
#include <lib/parse.h>
#include <lib/string.h>
#include <uapi/errno.h>

int proc_number(const char *name)
{
    uint64_t n;
    char again[16];

    if (parse_number(name, &n) || n > INT32_MAX)
        return -1;
    snprintf(again, sizeof(again), "%lu", n);
    return strcmp(name, again) ? -1 : (int)n;
}

struct process *proc_process(int tid)
{
    struct process *process = process_find(tid);
    struct task *task = process ? NULL : task_find(tid);
    return task ? task->process : process;
}

struct task *proc_task(int tid)
{
    struct task *task = task_find(tid);
    if (task && task->mm && task->files)
        return task;
    struct process *process = proc_process(tid);
    return process ? process_living_task(process) : NULL;
}

bool proc_exists(int pid)
{
    tasks_lock();
    bool exists = proc_process(pid);
    tasks_unlock();
    return exists;
}

struct mm *proc_mm(int pid)
{
    tasks_lock();
    struct task *task = proc_task(pid);
    struct mm *mm = task ? task->mm : NULL;
    if (mm)
        mm_get(mm);
    tasks_unlock();
    return mm;
}

const struct cred *proc_cred(int pid)
{
    tasks_lock();
    const struct task *task = proc_task(pid);
    const struct cred *cred = cred_get(task ? task->cred : cred_root());
    tasks_unlock();
    return cred;
}

static int may_look(int pid)
{
    tasks_lock();
    struct process *process = proc_process(pid);
    const struct task *task = process ? process_living_task(process) : NULL;
    int err = !process ? -ESRCH : task && !cred_may_access(task, ACCESS_AS_FS) ? -EACCES : 0;
    tasks_unlock();
    return err;
}

int proc_may_look(struct dentry *dentry)
{
    return may_look(proc_pid(dentry->parent));
}

/* What lies in /proc/PID is the process's, unless that is not to be looked into. */
static int own(struct dentry *dentry, int pid)
{
    const struct cred *cred = proc_cred(pid);

    tasks_lock();
    const struct process *process = proc_process(pid);
    bool hidden = !process || process->no_dump;
    tasks_unlock();
    dentry->inode->uid = hidden ? 0 : cred->user.effective;
    dentry->inode->gid = hidden ? 0 : cred->group.effective;
    cred_put(cred);
    return 0;
}

bool proc_dir_exists(const struct dentry *dir)
{
    return proc_exists(proc_pid(dir));
}

/* Links */

/* Which of the places of a process. */
typedef const struct place *(*place_of)(const struct process *process);

static int process_place(const struct place *link, place_of which, struct place *out)
{
    int pid = proc_pid(link->dentry->parent), err = may_look(pid);

    if (err)
        return err == -ESRCH ? -ENOENT : err;
    tasks_lock();
    struct process *process = proc_process(pid);
    *out = process ? *which(process) : (struct place){0};
    if (out->dentry)
        place_get(out);
    tasks_unlock();
    return out->dentry ? 0 : -ENOENT;
}

static const struct place *exe_of(const struct process *process)
{
    return &process->exe;
}

static const struct place *cwd_of(const struct process *process)
{
    return &process->cwd;
}

static const struct place *root_of(const struct process *process)
{
    return &process->root;
}

static int follow_exe(const struct place *link, struct place *out)
{
    return process_place(link, exe_of, out);
}

static int follow_cwd(const struct place *link, struct place *out)
{
    return process_place(link, cwd_of, out);
}

static int follow_root(const struct place *link, struct place *out)
{
    return process_place(link, root_of, out);
}

/* What such a link says: the path of what it leads to. */
static int read_magic_link(struct dentry *link, char *buf, size_t size)
{
    struct place at = {NULL, link}, to;
    int len = link->inode->follow(&at, &to);
    if (len)
        return len;
    len = place_path(&to, buf, size);
    place_put(&to);
    return len;
}

int proc_link_create(struct dentry *dir, const char *name, magic_link follow, uint64_t private,
                     struct dentry **out)
{
    struct inode *inode;
    int err = inode_create(S_IFLNK | 0777, NULL, &inode);
    if (err)
        return err;
    inode->follow = follow;
    inode->read_link = read_magic_link;
    inode->private = private;
    return dentry_create(name, dir, inode, out);
}

static const struct {
    const char *name;
    magic_link follow;
} links_of_process[] = {{"exe", follow_exe}, {"cwd", follow_cwd}, {"root", follow_root}};

/* Directories */

static int directory_create(struct dentry *dir, const char *name, const struct dynamic_dir *dynamic,
                            uint32_t rights, uint64_t private, struct dentry **out)
{
    struct inode *inode;
    int err = inode_create(S_IFDIR | rights, NULL, &inode);
    if (err)
        return err;
    inode->dynamic = dynamic;
    inode->private = private;
    return dentry_create(name, dir, inode, out);
}

static void entry_fill(struct dir_entry *out, const char *name, uint64_t ino, uint8_t type)
{
    strlcpy(out->name, name, sizeof(out->name));
    out->ino = ino;
    out->type = type;
}

void proc_entry_number(struct dir_entry *out, int number, uint8_t type)
{
    char name[16];
    snprintf(name, sizeof(name), "%d", number);
    entry_fill(out, name, number + 1, type);
}

/* /proc/PID/task */

static const struct dynamic_dir process_dir;

static int task_lookup(struct dentry *dir, const char *name, struct dentry **out)
{
    int tid = proc_number(name);

    tasks_lock();
    const struct task *task = tid > 0 ? task_find(tid) : NULL;
    bool ours = task && task->process == proc_process(proc_pid(dir));
    tasks_unlock();
    return ours ? directory_create(dir, name, &process_dir, 0555, tid | PROC_OF_TASK, out)
                : -ENOENT;
}

/* The task of @process with the lowest number from @tid on; 0: none. tasks_lock held. */
static int task_from(const struct process *process, int tid)
{
    const struct task *task;
    int found = 0;

    list_for_each_entry (task, &process->tasks, process_node) {
        if (task->tid >= tid && (!found || task->tid < found))
            found = task->tid;
    }
    return found;
}

static bool task_entry(struct dentry *dir, uint64_t *n, struct dir_entry *out)
{
    tasks_lock();
    const struct process *process = proc_process(proc_pid(dir));
    int tid = process ? task_from(process, (int)*n) : 0;
    tasks_unlock();
    if (!tid)
        return false;
    *n = tid;
    proc_entry_number(out, tid, DT_DIR);
    return true;
}

static const struct dynamic_dir task_dir = {task_lookup, task_entry, .exists = proc_dir_exists};

/* /proc/PID/ns */

/* The namespace of a process, or that of its children, with a reference. NULL: it is gone. */
static struct pid_ns *namespace_of(int pid, bool for_children)
{
    tasks_lock();
    struct process *process = proc_process(pid);
    const struct task *task = process ? process_living_task(process) : NULL;
    struct pid_ns *ns = !task ? NULL : for_children ? task->ns_for_children : process->ns;
    if (ns)
        pid_ns_get(ns);
    tasks_unlock();
    return ns;
}

static int follow_ns(const struct place *link, struct place *out)
{
    int err = may_look(proc_pid(link->dentry->parent));
    if (err)
        return err;
    struct pid_ns *ns = namespace_of(proc_pid(link->dentry->parent), link->dentry->inode->private);
    out->mount = NULL;
    return ns ? pid_ns_dentry(ns, &out->dentry) : -ENOENT;
}

static const char *const links_of_ns[] = {"pid", "pid_for_children"};

static int ns_lookup(struct dentry *dir, const char *name, struct dentry **out)
{
    for (unsigned i = 0; i < ARRAY_SIZE(links_of_ns); i++)
        if (!strcmp(name, links_of_ns[i]))
            return proc_link_create(dir, name, follow_ns, i, out);
    return -ENOENT;
}

static bool ns_entry(struct dentry *dir, uint64_t *n, struct dir_entry *out)
{
    if (*n >= ARRAY_SIZE(links_of_ns))
        return false;
    entry_fill(out, links_of_ns[*n], dir->inode->ino, DT_LNK);
    return true;
}

static const struct dynamic_dir ns_dir = {ns_lookup, ns_entry, .exists = proc_dir_exists};

static const struct {
    const char *name;
    const struct dynamic_dir *dir;
    uint32_t rights;
} dirs_of_process[] = {{"fd", &proc_fd_dir, 0500},
                       {"fdinfo", &proc_fdinfo_dir, 0555},
                       {"ns", &ns_dir, 0511},
                       {"map_files", &proc_map_files_dir, 0500},
                       {"task", &task_dir, 0555}};

/* The files of a process come first, then its links, then its directories. */
#define NR_LINKS ARRAY_SIZE(links_of_process)

/* The last two are what a single task has not. */
static unsigned nr_dirs(const struct dentry *dir)
{
    return ARRAY_SIZE(dirs_of_process) - (proc_is_of_task(dir) ? 2 : 0);
}

static int process_child(struct dentry *dir, const char *name, struct dentry **out)
{
    for (unsigned i = 0; i < proc_nr_files; i++)
        if (!strcmp(name, proc_files_of_process[i]->name))
            return text_file_create(dir, name, proc_files_of_process[i], out);
    for (unsigned i = 0; i < NR_LINKS; i++)
        if (!strcmp(name, links_of_process[i].name))
            return proc_link_create(dir, name, links_of_process[i].follow, 0, out);
    for (unsigned i = 0; i < nr_dirs(dir); i++)
        if (!strcmp(name, dirs_of_process[i].name))
            return directory_create(dir, name, dirs_of_process[i].dir, dirs_of_process[i].rights,
                                    dir->inode->private, out);
    return -ENOENT;
}

static int process_lookup(struct dentry *dir, const char *name, struct dentry **out)
{
    if (!proc_exists(proc_pid(dir)))
        return -ESRCH;
    int err = process_child(dir, name, out);
    return err ? err : own(*out, proc_pid(dir));
}

static bool process_entry(struct dentry *dir, uint64_t *n, struct dir_entry *out)
{
    uint64_t ino = dir->inode->ino;

    if (*n < proc_nr_files)
        entry_fill(out, proc_files_of_process[*n]->name, ino, DT_REG);
    else if (*n < proc_nr_files + NR_LINKS)
        entry_fill(out, links_of_process[*n - proc_nr_files].name, ino, DT_LNK);
    else if (*n < proc_nr_files + NR_LINKS + nr_dirs(dir))
        entry_fill(out, dirs_of_process[*n - proc_nr_files - NR_LINKS].name, ino, DT_DIR);
    else
        return false;
    return true;
}

static const struct dynamic_dir process_dir = {process_lookup, process_entry,
                                               .exists = proc_dir_exists};

static int proc_lookup(struct dentry *dir, const char *name, struct dentry **out)
{
    int pid = proc_number(name);

    int err = pid > 0 && proc_exists(pid)
                  ? directory_create(dir, name, &process_dir, 0555, pid, out)
                  : -ENOENT;
    return err ? err : own(*out, pid);
}

static bool proc_entry(struct dentry *dir, uint64_t *n, struct dir_entry *out)
{
    (void)dir;
    tasks_lock();
    struct process *process = process_after((int)*n - 1);
    int pid = process ? process->pid : 0;
    tasks_unlock();
    if (!pid)
        return false;
    *n = pid;
    proc_entry_number(out, pid, DT_DIR);
    return true;
}

static const struct dynamic_dir proc_dir = {.lookup = proc_lookup, .entry = proc_entry};

/* /proc/self */

static int self_read(struct dentry *link, char *buf, size_t size)
{
    (void)link;
    return snprintf(buf, size, "%d", process_current()->pid);
}

static int self_follow(const struct place *link, struct place *out)
{
    char name[16];

    self_read(link->dentry, name, sizeof(name));
    int err = proc_lookup(link->dentry->parent, name, &out->dentry);
    out->mount = link->mount;
    if (!err && out->mount)
        mount_get(out->mount);
    return err;
}

/* /proc/thread-self */

static int thread_self_read(struct dentry *link, char *buf, size_t size)
{
    (void)link;
    return snprintf(buf, size, "%d/task/%d", process_current()->pid, task_current()->tid);
}

static int thread_self_follow(const struct place *link, struct place *out)
{
    int tid = task_current()->tid;
    char name[16];

    snprintf(name, sizeof(name), "%d", tid);
    int err = directory_create(link->dentry->parent, name, &process_dir, 0555, tid | PROC_OF_TASK,
                               &out->dentry);
    if (err)
        return err;
    out->mount = link->mount;
    if (out->mount)
        mount_get(out->mount);
    return own(out->dentry, tid);
}

void proc_pid_boot_init(struct dentry *proc)
{
    struct inode *self = fs_boot_file(proc, "self", S_IFLNK | 0777, NULL);
    struct inode *thread = fs_boot_file(proc, "thread-self", S_IFLNK | 0777, NULL);

    self->read_link = self_read;
    self->follow = self_follow;
    thread->read_link = thread_self_read;
    thread->follow = thread_self_follow;
    proc->inode->dynamic = &proc_dir;
}
