/* SPDX-License-Identifier: MIT */
/*
 * kernel/coredump.c - the memory and registers of a program that died, as a file
 *
 *   ELF header | program headers: notes, one per area | notes | contents of areas, page by page
 *
 * Room:   kernel.
 * Owns:   the layout of the file "core".
 * Locks:  mmap_lock for reading while areas are listed; none while the file is written.
 * Always: (1) areas of MADV_DONTDUMP and hidden memory leave no byte in it;
 *         (2) pages that were never touched are holes.
 * Source: core(5), elf(5); Linux include/uapi/linux/elfcore.h (layout of notes).
 * Tour:   after kernel/signal.c, mm/access.c.
 */
#include "coredump.h"

#include "files.h"
#include "fs.h"
#include "path.h"
#include "process.h"
#include "syscall.h"
#include <asm/uaccess.h>
#include <base/log.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <uapi/elf.h>
#include <uapi/elfcore.h>
#include <uapi/errno.h>
#include <uapi/ptrace.h>

#define CORE_NAME       "core"
#define NOTES_MAX       (256 * KIB)
#define AUXV_BYTES_MAX  512
#define FIRST_NOTE_NAME "CORE"

struct area {
    uint64_t start, end, pgoff;
    uint32_t flags;
    uint64_t nr_bytes;   /* of its contents, from the start, that are in the core */
    struct inode *inode; /* a reference; NULL: no file */
};

struct dump {
    struct mm *mm;
    struct area *areas;
    unsigned nr_areas;
    uint8_t *notes;
    size_t notes_len;
    struct file *file;
    uint64_t limit;
};

/* Areas */

/* Claim 1. What nobody wrote to is in the program's file already; but gdb wants to see the file's
 * first page, to know where it lies. */
static uint64_t bytes_to_dump(const struct vma *vma, const struct inode *inode)
{
    if ((vma->flags & VM_DONTDUMP) || (vma->object && !vma->object->ops->kernel_access))
        return 0;
    if (!inode || (!(vma->flags & VM_SHARED) && (vma->flags & VM_WRITE)))
        return vma->end - vma->start;
    return vma->pgoff || (vma->flags & VM_SHARED) ? 0 : PAGE_SIZE;
}

static int areas_list(struct dump *d)
{
    struct mm *mm = d->mm;
    int err = -ENOMEM;

    rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
    d->areas = kmem_alloc(mm->nr_vmas * sizeof(*d->areas), SLAB_ALLOC_ZERO);
    struct vma *vma = d->areas ? vma_find_from(mm, 0) : NULL;
    for (; vma; vma = vma_next(vma)) {
        struct inode *inode = vma->object ? inode_of_object(vma->object) : NULL;
        d->areas[d->nr_areas++] = (struct area){.start = vma->start,
                                                .end = vma->end,
                                                .pgoff = vma->pgoff,
                                                .flags = vma->flags,
                                                .nr_bytes = bytes_to_dump(vma, inode),
                                                .inode = inode};
        if (inode)
            inode_get(inode);
        err = 0;
    }
    rwsem_read_unlock(&mm->mmap_lock, reader);
    return err;
}

static void areas_put(struct dump *d)
{
    for (unsigned i = 0; i < d->nr_areas; i++)
        if (d->areas[i].inode)
            inode_put(d->areas[i].inode);
    kmem_free(d->areas);
}

/* Notes */

/* Room for a note's contents; NULL: they would be too long. */
static void *note_add(struct dump *d, uint32_t type, size_t len)
{
    struct elf64_note note = {.namesz = sizeof(FIRST_NOTE_NAME), .descsz = len, .type = type};
    size_t name_len = round_up(sizeof(FIRST_NOTE_NAME), sizeof(uint32_t));
    size_t whole = sizeof(note) + name_len + round_up(len, sizeof(uint32_t));

    if (d->notes_len + whole > NOTES_MAX)
        return NULL;
    uint8_t *at = d->notes + d->notes_len;
    memcpy(at, &note, sizeof(note));
    memcpy(at + sizeof(note), FIRST_NOTE_NAME, sizeof(FIRST_NOTE_NAME));
    d->notes_len += whole;
    return at + sizeof(note) + name_len;
}

static void note_task(struct dump *d, const struct task *task, const struct uapi_siginfo *info)
{
    const struct process *p = task->process;
    struct elf_prstatus *status = note_add(d, NT_PRSTATUS, sizeof(*status));
    uint8_t *fpu = status ? note_add(d, NT_FPREGSET, FXSAVE_BYTES) : NULL;
    uint8_t *all = fpu && fpu_features() ? note_add(d, NT_X86_XSTATE, fpu_size()) : NULL;

    if (!fpu)
        return;
    *status = (struct elf_prstatus){
        .signo = info->signo,
        .code = info->code,
        .cursig = info->signo,
        .sigpend = task->signals.pending.mask,
        .sighold = task->signals.blocked,
        .pid = task->tid,
        .ppid = p->parent->pid,
        .pgrp = p->pgid,
        .sid = p->sid,
        .fpvalid = 1,
    };
    context_registers_get(&task->context, &status->regs);
    context_fpu_legacy_get(&task->context, fpu);
    if (all)
        context_xstate_get(&task->context, all);
}

/* The one that died first, then the others, as they were when they last left their CPU. */
static void note_tasks(struct dump *d, const struct uapi_siginfo *info)
{
    const struct uapi_siginfo none = {0};
    struct task *me = task_current(), *task;

    note_task(d, me, info);
    tasks_lock();
    list_for_each_entry (task, &me->process->tasks, process_node) {
        if (task != me && !atomic_load(&task->sched.on_cpu))
            note_task(d, task, &none);
    }
    tasks_unlock();
}

static void note_process(struct dump *d)
{
    const struct task *task = task_current();
    const struct process *p = task->process;
    struct elf_prpsinfo *info = note_add(d, NT_PRPSINFO, sizeof(*info));

    if (!info)
        return;
    *info = (struct elf_prpsinfo){
        .sname = 'R', .pid = p->pid, .ppid = p->parent->pid, .pgrp = p->pgid, .sid = p->sid};
    strlcpy(info->fname, task->name, sizeof(info->fname));
    size_t len = min(d->mm->arg_end - d->mm->arg_start, sizeof(info->psargs) - 1);
    if (mm_access(d->mm, d->mm->arg_start, info->psargs, len, ACCESS_READ, false) < 0)
        return;
    for (size_t i = 0; i + 1 < len; i++)
        if (!info->psargs[i])
            info->psargs[i] = ' ';
}

static void note_auxv(struct dump *d)
{
    const struct process *p = process_current();
    size_t len = min(p->auxv_bytes, (uint64_t)AUXV_BYTES_MAX);
    void *auxv = note_add(d, NT_AUXV, len);
    if (auxv && mm_access(d->mm, p->auxv_at, auxv, len, ACCESS_READ, false) < 0)
        memset(auxv, 0, len);
}

/* Which files lie where: count, page size, then the ranges, then the names. */
static void note_files(struct dump *d)
{
    struct file_range {
        uint64_t start, end, pgoff;
    } * range;
    uint64_t nr = 0, n = 0;
    size_t names = 0;
    char *paths = kmem_alloc(NOTES_MAX / 4, 0);

    for (unsigned i = 0; paths && i < d->nr_areas; i++) {
        const struct inode *inode = d->areas[i].inode;
        if (!inode || !inode->dentry)
            continue;
        int len = dentry_path(inode->dentry, paths + names, NOTES_MAX / 4 - names);
        if (len < 0)
            break;
        names += len + 1;
        nr++;
    }
    uint64_t *words = paths ? note_add(d, NT_FILE, 16 + nr * sizeof(*range) + names) : NULL;
    if (words) {
        words[0] = nr;
        words[1] = PAGE_SIZE;
        range = (struct file_range *)(words + 2);
        for (unsigned i = 0; i < d->nr_areas && n < nr; i++) {
            const struct area *a = &d->areas[i];
            if (a->inode && a->inode->dentry)
                range[n++] = (struct file_range){a->start, a->end, a->pgoff};
        }
        memcpy(range + nr, paths, names);
    }
    kmem_free(paths);
}

static int notes_make(struct dump *d, const struct uapi_siginfo *info)
{
    d->notes = kmem_alloc(NOTES_MAX, SLAB_ALLOC_ZERO);
    if (!d->notes)
        return -ENOMEM;
    note_process(d);
    note_tasks(d, info);
    struct uapi_siginfo *copy = note_add(d, NT_SIGINFO, sizeof(*copy));
    if (copy)
        *copy = *info;
    note_auxv(d);
    note_files(d);
    return 0;
}

/* The file */

static int core_find(const struct place *cwd, struct place *out)
{
    struct inode *inode;

    int err = fs_lookup(cwd, CORE_NAME, 0, out);
    if (err != -ENOENT)
        return err;
    err = inode_create(S_IFREG | 0600, &shmem_ops, &inode);
    return err ? err : fs_create(cwd, CORE_NAME, inode, out);
}

static int core_open(struct file **out)
{
    struct place cwd, place;

    int err = path_start(AT_FDCWD, &cwd);
    if (err)
        return err;
    err = core_find(&cwd, &place);
    place_put(&cwd);
    if (err)
        return err;
    bool regular = inode_is(place.dentry->inode, S_IFREG);
    err = regular ? file_open(&place, O_WRONLY | O_TRUNC, out) : -EACCES;
    place_put(&place);
    return err;
}

static int put(struct dump *d, uint64_t pos, const void *bytes, size_t len)
{
    struct kernel_copy copy = kernel_buffer_in(bytes);
    if (pos + len > d->limit)
        return -EFBIG;
    int64_t n = d->file->ops->write(d->file, &copy.copy, len, &pos);
    return n < 0 ? n : (size_t)n == len ? 0 : -ENOSPC;
}

static struct elf64_header header_for(unsigned nr_phdrs)
{
    return (struct elf64_header){
        .ident = {0x7f, 'E', 'L', 'F', 2 /* 64 bits */, 1 /* little endian */, 1 /* version */},
        .type = ET_CORE,
        .machine = EM_X86_64,
        .version = 1,
        .phoff = sizeof(struct elf64_header),
        .ehsize = sizeof(struct elf64_header),
        .phentsize = sizeof(struct elf64_phdr),
        .phnum = nr_phdrs,
    };
}

static struct elf64_phdr phdr_for(const struct area *a, uint64_t offset)
{
    return (struct elf64_phdr){
        .type = PT_LOAD,
        .flags = (a->flags & VM_READ ? PF_R : 0) | (a->flags & VM_WRITE ? PF_W : 0) |
                 (a->flags & VM_EXEC ? PF_X : 0),
        .offset = offset,
        .vaddr = a->start,
        .filesz = a->nr_bytes,
        .memsz = a->end - a->start,
        .align = PAGE_SIZE,
    };
}

/* Header, program headers, notes; *@data: where the areas' contents begin. */
static int write_headers(struct dump *d, uint64_t *data)
{
    struct elf64_header header = header_for(d->nr_areas + 1);
    uint64_t pos = sizeof(header);
    uint64_t notes_at = pos + (d->nr_areas + 1) * sizeof(struct elf64_phdr);
    struct elf64_phdr phdr = {.type = PT_NOTE, .offset = notes_at, .filesz = d->notes_len};

    *data = round_up(notes_at + d->notes_len, PAGE_SIZE);
    uint64_t offset = *data;
    int err = put(d, 0, &header, sizeof(header));
    for (unsigned i = 0; i <= d->nr_areas && !err; i++) {
        err = put(d, pos, &phdr, sizeof(phdr));
        pos += sizeof(phdr);
        if (i < d->nr_areas) {
            phdr = phdr_for(&d->areas[i], offset);
            offset += phdr.filesz;
        }
    }
    return err ? err : put(d, notes_at, d->notes, d->notes_len);
}

/* Claim 2. */
static int write_area(struct dump *d, const struct area *a, uint64_t pos, void *page)
{
    for (uint64_t at = a->start; at < a->start + a->nr_bytes; at += PAGE_SIZE, pos += PAGE_SIZE) {
        uint8_t resident = 0;
        if (mm_resident(d->mm, at, 1, NULL, &resident) < 0 || !(resident & 1))
            continue;
        if (mm_access(d->mm, at, page, PAGE_SIZE, ACCESS_READ, true) != (int64_t)PAGE_SIZE)
            continue;
        int err = put(d, pos, page, PAGE_SIZE);
        if (err)
            return err;
    }
    return 0;
}

static int write_areas(struct dump *d, uint64_t pos)
{
    void *page = kmem_alloc(PAGE_SIZE, 0);
    int err = page ? 0 : -ENOMEM;

    for (unsigned i = 0; i < d->nr_areas && !err; i++) {
        err = write_area(d, &d->areas[i], pos, page);
        pos += d->areas[i].nr_bytes;
    }
    kmem_free(page);
    return err ? err : inode_truncate(d->file->inode, pos);
}

static int write_all(struct dump *d, const struct uapi_siginfo *info)
{
    uint64_t data;
    int err = areas_list(d);
    if (!err)
        err = notes_make(d, info);
    if (!err)
        err = core_open(&d->file);
    if (!err)
        err = write_headers(d, &data);
    if (!err)
        err = write_areas(d, data);
    return err;
}

bool coredump_write(const struct trap_frame *frame, const struct uapi_siginfo *info)
{
    struct process *p = process_current();
    struct dump d = {.mm = task_current()->mm, .limit = p->limits[RLIMIT_CORE].soft};

    (void)frame;
    if (!d.limit || p->no_dump)
        return false;
    context_save_user_state(&task_current()->context);
    int err = write_all(&d, info);
    if (err)
        log_warn("%s[%d]: no core, or not all of it: error %d", task_current()->name, p->pid, -err);
    if (d.file)
        file_put(d.file);
    kmem_free(d.notes);
    areas_put(&d);
    return !err || err == -EFBIG;
}
