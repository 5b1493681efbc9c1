/* SPDX-License-Identifier: MIT */
/*
 * kernel/proc_pid.c - /proc/PID: what a process looks like from outside
 *
 * Room:   kernel.
 * Owns:   the directories of processes and of their descriptors, made when they are looked up.
 * Locks:  tasks_lock while a process is found and a reference on its memory or files is taken;
 *         mmap_lock (reading) while its areas are written down.
 * Always: (1) a process may end at any moment: what it had is then missing, never stale.
 * Source: proc(5), proc_pid_maps(5), proc_pid_stat(5).
 * Tour:   after kernel/proc.c.
 */
#include "proc.h"

#include "files.h"
#include "fs.h"
#include "task.h"
#include "text_file.h"
#include <asm/tlb.h>
#include <asm/uaccess.h>
#include <lib/format.h>
#include <lib/parse.h>
#include <lib/string.h>
#include <mm/object.h>
#include <mm/slab.h>
#include <uapi/errno.h>

#define PAGE_KIB     (PAGE_SIZE / KIB)
#define MAPS_PATH_AT 72 /* the column before a path of maps */
#define CMDLINE_MAX  (64 * KIB)
#define NS_PER_TICK  10000000UL

/* The files and directories below /proc/PID carry the pid in their directory's inode. */
static int pid_of(const struct dentry *dir)
{
    return dir->inode->private;
}

/* A number without sign, blanks or leading zeros; -1 if it is none. */
static int name_to_number(const char *name)
{
    uint64_t n;
    char again[16];

    if (parse_number(name, &n) || n > INT32_MAX)
        return -1;
    snprintf(again, sizeof(again), "%lu", n);
    return strcmp(name, again) ? -1 : (int)n;
}

/* Some task of @process that has not begun to end, or NULL. tasks_lock held. */
static struct task *living_task(const struct process *process)
{
    struct task *task;
    list_for_each_entry (task, &process->tasks, process_node) {
        if (task->mm && task->files)
            return task;
    }
    return NULL;
}

/* The memory of a process, with a reference; NULL: it is gone. */
static struct mm *mm_of(int pid)
{
    tasks_lock();
    struct process *process = process_find(pid);
    struct task *task = process ? living_task(process) : NULL;
    struct mm *mm = task ? task->mm : NULL;
    if (mm)
        mm_get(mm);
    tasks_unlock();
    return mm;
}

static struct files *files_of(int pid)
{
    tasks_lock();
    struct process *process = process_find(pid);
    struct task *task = process ? living_task(process) : NULL;
    struct files *files = task ? task->files : NULL;
    if (files)
        files_get(files);
    tasks_unlock();
    return files;
}

/* maps */

static int object_path(struct object *object, char *path, size_t size)
{
    struct inode *inode = inode_of_object(object);
    if (inode && inode->dentry)
        return dentry_path(inode->dentry, path, size);
    return snprintf(path, size, "%s",
                    object->ops == &hugetlb_ops ? "/anon_hugepage (deleted)"
                                                : "/dev/zero (deleted)");
}

/* What stands behind an area; its length, 0 for none. */
static int area_name(const struct vma *vma, char *path, size_t size)
{
    if (vma->object)
        return max(object_path(vma->object, path, size), 0);
    if (vma->flags & VM_HEAP)
        return snprintf(path, size, "[heap]");
    return vma->flags & VM_STACK ? snprintf(path, size, "[stack]") : 0;
}

static void add_area(struct text *t, const struct vma *vma, char *path, size_t size)
{
    const struct inode *inode = vma->object ? inode_of_object(vma->object) : NULL;
    uint64_t offset = vma->object ? vma->pgoff << PAGE_SHIFT : 0;
    size_t start = t->len;

    text_add(t, "%08lx-%08lx %c%c%c%c %08lx 00:%02x %lu ", vma->start, vma->end,
             vma->flags & VM_READ ? 'r' : '-', vma->flags & VM_WRITE ? 'w' : '-',
             vma->flags & VM_EXEC ? 'x' : '-', vma->flags & VM_SHARED ? 's' : 'p', offset,
             vma->object ? 1 : 0, inode ? inode->ino : 0);
    if (area_name(vma, path, size) > 0) {
        int pad = MAPS_PATH_AT - (int)(t->len - start);
        text_add(t, "%*s %s", max(pad, 0), "", path);
    }
    text_add(t, "\n");
}

static int show_maps(struct text *t, struct dentry *dentry)
{
    struct mm *mm = mm_of(pid_of(dentry->parent));
    if (!mm)
        return 0;
    char *path = kmem_alloc(PATH_MAX, SLAB_ALLOC_PLAIN);
    if (!path) {
        mm_put(mm);
        return -ENOMEM;
    }
    rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
    for (struct vma *vma = vma_find_from(mm, 0); vma; vma = vma_next(vma))
        add_area(t, vma, path, PATH_MAX);
    rwsem_read_unlock(&mm->mmap_lock, reader);
    kmem_free(path);
    mm_put(mm);
    return 0;
}

/* status, stat */

/* What one look under tasks_lock tells. */
struct snapshot {
    char name[TASK_NAME_MAX];
    char state;
    int pid, ppid, pgid, sid, exit_signal;
    unsigned nr_tasks, cpu;
    uint32_t umask;
    uint64_t run_ns, pending, shared_pending, blocked, ignored, caught;
};

static char state_letter(const struct process *process, const struct task *task)
{
    if (process->zombie || !task)
        return 'Z';
    if (atomic_load(&process->signals.stop_signal))
        return 'T';
    switch (task->sched.state) {
    case TASK_RUNNABLE:
        return 'R';
    case TASK_BLOCKED:
        return 'D';
    default:
        return 'S';
    }
}

static void snapshot_signals(struct snapshot *s, const struct process *process)
{
    for (int signo = 1; signo <= SIGNALS; signo++) {
        uint64_t handler = process->signals.action[signo - 1].handler;
        if (handler == SIG_IGN)
            s->ignored |= sigmask(signo);
        else if (handler != SIG_DFL)
            s->caught |= sigmask(signo);
    }
    s->shared_pending = process->signals.shared.mask;
}

static void snapshot_fill(struct snapshot *s, const struct process *process)
{
    const struct task *task = list_empty(&process->tasks)
                                  ? NULL
                                  : list_first_entry(&process->tasks, struct task, process_node);

    *s = (struct snapshot){
        .state = state_letter(process, task),
        .pid = process->pid,
        .ppid = process->pid == 1 ? 0 : process->parent->pid,
        .pgid = process->pgid,
        .sid = process->sid,
        .exit_signal = process->exit_signal,
        .nr_tasks = process->nr_tasks,
        .umask = process->umask,
    };
    snapshot_signals(s, process);
    if (!task)
        return;
    strlcpy(s->name, task->name, sizeof(s->name));
    s->run_ns = task->sched.run_ns;
    s->cpu = task->sched.cpu;
    s->pending = task->signals.pending.mask;
    s->blocked = task->signals.blocked;
}

static int snapshot_take(struct snapshot *s, int pid)
{
    tasks_lock();
    struct process *process = process_find(pid);
    if (process)
        snapshot_fill(s, process);
    tasks_unlock();
    return process ? 0 : -ESRCH;
}

static const char *state_name(char letter)
{
    switch (letter) {
    case 'R':
        return "running";
    case 'D':
        return "disk sleep";
    case 'T':
        return "stopped";
    case 'Z':
        return "zombie";
    default:
        return "sleeping";
    }
}

static void add_status_memory(struct text *t, struct mm *mm)
{
    int64_t anon, file;
    mm_rss(mm, &anon, &file);

    text_add(t, "VmPeak:\t%8lu kB\n", mm->total_pages * PAGE_KIB);
    text_add(t, "VmSize:\t%8lu kB\n", mm->total_pages * PAGE_KIB);
    text_add(t, "VmLck:\t%8lu kB\n", mm->locked_pages * PAGE_KIB);
    text_add(t, "VmPin:\t%8lu kB\n", 0UL);
    text_add(t, "VmHWM:\t%8lu kB\n", (anon + file) * PAGE_KIB);
    text_add(t, "VmRSS:\t%8lu kB\n", (anon + file) * PAGE_KIB);
    text_add(t, "RssAnon:\t%8lu kB\n", anon * PAGE_KIB);
    text_add(t, "RssFile:\t%8lu kB\n", file * PAGE_KIB);
    text_add(t, "VmData:\t%8lu kB\n", (mm->brk - mm->brk_start) / KIB);
    text_add(t, "VmExe:\t%8lu kB\n", (mm->end_code - mm->start_code) / KIB);
    text_add(t, "VmSwap:\t%8lu kB\n", 0UL);
}

static int show_status(struct text *t, struct dentry *dentry)
{
    struct snapshot s;
    int pid = pid_of(dentry->parent);

    int err = snapshot_take(&s, pid);
    if (err)
        return err;
    text_add(t, "Name:\t%s\nUmask:\t%04o\nState:\t%c (%s)\n", s.name, s.umask, s.state,
             state_name(s.state));
    text_add(t, "Tgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\n", s.pid, s.pid, s.ppid);
    text_add(t, "Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nFDSize:\t%u\nGroups:\t0 \n", FILES_MAX);
    struct mm *mm = mm_of(pid);
    if (mm) {
        add_status_memory(t, mm);
        mm_put(mm);
    }
    text_add(t, "Threads:\t%u\n", s.nr_tasks);
    text_add(t, "SigPnd:\t%016lx\nShdPnd:\t%016lx\nSigBlk:\t%016lx\n", s.pending, s.shared_pending,
             s.blocked);
    text_add(t, "SigIgn:\t%016lx\nSigCgt:\t%016lx\n", s.ignored, s.caught);
    return 0;
}

static int show_stat(struct text *t, struct dentry *dentry)
{
    struct snapshot s;
    struct mm none = {0};
    int pid = pid_of(dentry->parent);

    int err = snapshot_take(&s, pid);
    if (err)
        return err;
    struct mm *mm = mm_of(pid), *m = mm ? mm : &none;
    int64_t anon = 0, file = 0;
    if (mm)
        mm_rss(mm, &anon, &file);
    uint64_t rss = anon + file;
    text_add(t, "%d (%s) %c %d %d %d 0 -1 0 0 0 0 0 ", s.pid, s.name, s.state, s.ppid, s.pgid,
             s.sid);
    text_add(t, "%lu 0 0 0 20 0 %u 0 0 ", s.run_ns / NS_PER_TICK, s.nr_tasks);
    text_add(t, "%lu %lu %lu ", m->total_pages * PAGE_SIZE, rss, MM_NO_LIMIT);
    text_add(t, "%lu %lu %lu 0 0 ", m->start_code, m->end_code, m->stack_top);
    text_add(t, "%lu %lu %lu %lu 0 0 0 ", s.pending, s.blocked, s.ignored, s.caught);
    text_add(t, "%d %u 0 0 0 0 0 ", s.exit_signal, s.cpu);
    text_add(t, "%lu %lu %lu %lu %lu %lu %lu 0\n", m->start_data, m->end_data, m->brk_start,
             m->arg_start, m->arg_end, m->env_start, m->env_end);
    if (mm)
        mm_put(mm);
    return 0;
}

static int show_comm(struct text *t, struct dentry *dentry)
{
    struct snapshot s;
    int err = snapshot_take(&s, pid_of(dentry->parent));
    if (!err)
        text_add(t, "%s\n", s.name);
    return err;
}

/* cmdline */

/* Work with another address space for a while; returns the one before. */
static struct mm *mm_use(struct mm *mm)
{
    struct task *me = task_current();
    irq_flags_t flags = irq_save();
    tasks_lock();
    struct mm *before = me->mm;
    me->mm = mm;
    tasks_unlock();
    tlb_switch(&mm->pgtable);
    irq_restore(flags);
    return before;
}

/* Bytes of another process's memory; how many could be had. */
static size_t mm_read(struct mm *mm, uint64_t at, char *bytes, size_t len)
{
    struct mm *mine = mm_use(mm);
    size_t left = copy_from_user_partial(bytes, user(at), len);
    mm_use(mine);
    return len - left;
}

static int show_cmdline(struct text *t, struct dentry *dentry)
{
    struct mm *mm = mm_of(pid_of(dentry->parent));
    if (!mm)
        return 0;
    size_t len = min(mm->arg_end - mm->arg_start, CMDLINE_MAX);
    char *bytes = kmem_alloc(max(len, 1UL), SLAB_ALLOC_PLAIN);
    if (bytes)
        text_add_bytes(t, bytes, mm_read(mm, mm->arg_start, bytes, len));
    kmem_free(bytes);
    mm_put(mm);
    return bytes ? 0 : -ENOMEM;
}

static const struct text_kind files_of_process[] = {
    {"maps", 0444, show_maps, NULL},       {"stat", 0444, show_stat, NULL},
    {"status", 0444, show_status, NULL},   {"comm", 0444, show_comm, NULL},
    {"cmdline", 0444, show_cmdline, NULL},
};

/* Links */

/* exe or cwd of a process, with a reference. */
static int process_dentry(int pid, bool exe, struct dentry **out)
{
    tasks_lock();
    struct process *process = process_find(pid);
    *out = !process ? NULL : exe ? process->exe : process->cwd;
    if (*out)
        dentry_get(*out);
    tasks_unlock();
    return *out ? 0 : -ENOENT;
}

static int follow_exe(struct dentry *link, struct dentry **out)
{
    return process_dentry(pid_of(link->parent), true, out);
}

static int follow_cwd(struct dentry *link, struct dentry **out)
{
    return process_dentry(pid_of(link->parent), false, out);
}

static int follow_root(struct dentry *link, struct dentry **out)
{
    (void)link;
    dentry_get(fs_root);
    *out = fs_root;
    return 0;
}

/* /proc/PID/fd/N: the very file that is open, whatever its name is now. */
static int follow_fd(struct dentry *link, struct dentry **out)
{
    struct files *files = files_of(pid_of(link->parent));
    int wanted = link->inode->private, fd = wanted;
    if (!files)
        return -ENOENT;
    struct file *f = files_next(files, &fd);
    if (f && fd == wanted) {
        *out = f->dentry;
        dentry_get(*out);
    }
    if (f)
        file_put(f);
    files_put(files);
    return f && fd == wanted ? 0 : -ENOENT;
}

/* What such a link says: the path of what it leads to. */
static int read_magic_link(struct dentry *link, char *buf, size_t size)
{
    struct dentry *to;
    int len = link->inode->follow(link, &to);
    if (len)
        return len;
    len = dentry_path(to, buf, size);
    dentry_put(to);
    return len;
}

static int link_create(struct dentry *dir, const char *name, magic_link follow, uint64_t private,
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
                            int pid, struct dentry **out)
{
    struct inode *inode;
    int err = inode_create(S_IFDIR | 0555, NULL, &inode);
    if (err)
        return err;
    inode->dynamic = dynamic;
    inode->private = pid;
    return dentry_create(name, dir, inode, out);
}

static void entry_fill(struct dir_entry *out, const char *name, uint64_t ino, uint8_t type)
{
    strlcpy(out->name, name, sizeof(out->name));
    out->ino = ino;
    out->type = type;
}

static void entry_fill_number(struct dir_entry *out, int number, uint8_t type)
{
    char name[16];
    snprintf(name, sizeof(name), "%d", number);
    entry_fill(out, name, number + 1, type);
}

/* Is @n an open descriptor of a process, or which is the next? -1: none. */
static int next_fd(int pid, int n)
{
    struct files *files = files_of(pid);
    struct file *f = files ? files_next(files, &n) : NULL;
    if (f)
        file_put(f);
    if (files)
        files_put(files);
    return f ? n : -1;
}

static int fd_lookup(struct dentry *dir, const char *name, struct dentry **out)
{
    int fd = name_to_number(name);
    if (fd < 0 || next_fd(pid_of(dir), fd) != fd)
        return -ENOENT;
    return link_create(dir, name, follow_fd, fd, out);
}

static bool fd_entry(struct dentry *dir, uint64_t *n, struct dir_entry *out)
{
    int fd = *n < FILES_MAX ? next_fd(pid_of(dir), *n) : -1;
    if (fd < 0)
        return false;
    *n = fd;
    entry_fill_number(out, fd, DT_LNK);
    return true;
}

static const struct dynamic_dir fd_dir = {fd_lookup, fd_entry};

/* The files of a process come first, then its links, then "fd". */
#define NR_FILES ARRAY_SIZE(files_of_process)
#define NR_LINKS ARRAY_SIZE(links_of_process)

static int process_lookup(struct dentry *dir, const char *name, struct dentry **out)
{
    for (unsigned i = 0; i < NR_FILES; i++)
        if (!strcmp(name, files_of_process[i].name))
            return text_file_create(dir, &files_of_process[i], out);
    for (unsigned i = 0; i < NR_LINKS; i++)
        if (!strcmp(name, links_of_process[i].name))
            return link_create(dir, name, links_of_process[i].follow, 0, out);
    if (!strcmp(name, "fd"))
        return directory_create(dir, name, &fd_dir, pid_of(dir), out);
    return -ENOENT;
}

static bool process_entry(struct dentry *dir, uint64_t *n, struct dir_entry *out)
{
    uint64_t ino = dir->inode->ino;

    if (*n < NR_FILES)
        entry_fill(out, files_of_process[*n].name, ino, DT_REG);
    else if (*n < NR_FILES + NR_LINKS)
        entry_fill(out, links_of_process[*n - NR_FILES].name, ino, DT_LNK);
    else if (*n == NR_FILES + NR_LINKS)
        entry_fill(out, "fd", ino, DT_DIR);
    else
        return false;
    return true;
}

static const struct dynamic_dir process_dir = {process_lookup, process_entry};

static int proc_lookup(struct dentry *dir, const char *name, struct dentry **out)
{
    int pid = name_to_number(name);

    tasks_lock();
    bool exists = pid > 0 && process_find(pid);
    tasks_unlock();
    return exists ? directory_create(dir, name, &process_dir, pid, out) : -ENOENT;
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
    entry_fill_number(out, pid, DT_DIR);
    return true;
}

static const struct dynamic_dir proc_dir = {proc_lookup, proc_entry};

/* /proc/self */

static int self_read(struct dentry *link, char *buf, size_t size)
{
    (void)link;
    return snprintf(buf, size, "%d", process_current()->pid);
}

static int self_follow(struct dentry *link, struct dentry **out)
{
    char name[16];
    self_read(link, name, sizeof(name));
    return proc_lookup(link->parent, name, out);
}

void proc_pid_boot_init(struct dentry *proc)
{
    struct inode *self = fs_boot_file(proc, "self", S_IFLNK | 0777, NULL);

    self->read_link = self_read;
    self->follow = self_follow;
    proc->inode->dynamic = &proc_dir;
}
