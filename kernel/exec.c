/* SPDX-License-Identifier: MIT */
/*
 * kernel/exec.c - a program takes the place of another: ELF, stack, auxiliary vector
 *
 * Room:   kernel.
 * Owns:   how an ELF file becomes areas, and what the first instruction finds on the stack.
 * Locks:  none; the new address space is nobody else's until it is complete.
 * Always: (1) the old program goes on undisturbed until the new one is known to be loadable;
 *         (2) a segment is a private mapping of the file's memory object, nothing is copied.
 * Source: execve(2), elf(5), getauxval(3); System V AMD64 psABI, "Process Initialization".
 * Tour:   after mm/map.c; kernel/main.c starts process 1 here.
 */
#include "exec.h"

#include "files.h"
#include "fs.h"
#include "random.h"
#include "syscall.h"
#include <asm/cpu.h>
#include <asm/tlb.h>
#include <asm/uaccess.h>
#include <base/panic.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <uapi/elf.h>
#include <uapi/errno.h>
#include <uapi/fcntl.h>

#define STACK_TOP     USER_END
#define STACK_FIRST   (132 * KIB)      /* the area's size before it grows */
#define MMAP_GAP      (128 * MIB)      /* between the stack's top and where mmap begins */
#define PIE_BASE      0x555555554000UL /* two thirds of the user half */
#define ARG_BYTES_MAX (2 * MIB)        /* strings of argv and envp together */
#define ARGS_MAX      (128 * KIB)      /* how many of them */
#define PHDRS_MAX     64

/* The strings of argv, then envp, one after another with their NULs. */
struct arguments {
    char *strings;
    size_t len, capacity;
    unsigned argc, envc;
};

struct image {
    struct elf64_header header;
    struct elf64_phdr phdrs[PHDRS_MAX];
    struct inode *inode;
    uint64_t bias;    /* added to every address of the file */
    uint64_t phdr_at; /* user address of the program headers, 0: not loaded */
    bool stack_exec;
};

static void arguments_free(struct arguments *args)
{
    kmem_free(args->strings);
}

static int arguments_room(struct arguments *args, size_t more)
{
    if (args->len + more <= args->capacity)
        return 0;
    size_t capacity = max(args->capacity * 2, round_up(args->len + more, PAGE_SIZE));
    if (capacity > ARG_BYTES_MAX)
        return -E2BIG;
    char *strings = kmem_alloc(capacity, 0);
    if (!strings)
        return -ENOMEM;
    memcpy(strings, args->strings, args->len);
    kmem_free(args->strings);
    args->strings = strings;
    args->capacity = capacity;
    return 0;
}

static int arguments_add(struct arguments *args, const char *string)
{
    size_t len = strlen(string) + 1;
    int err = arguments_room(args, len);
    if (err)
        return err;
    memcpy(args->strings + args->len, string, len);
    args->len += len;
    return 0;
}

static int add_user_string(struct arguments *args, user_addr_t from)
{
    for (size_t room = 256;; room = min(room * 8, ARG_BYTES_MAX)) {
        int err = arguments_room(args, room);
        if (err)
            return err;
        long len = copy_string_from_user(args->strings + args->len, from, room);
        if (len == -ENAMETOOLONG)
            continue;
        if (len < 0)
            return len;
        args->len += len + 1;
        return 0;
    }
}

static int add_user_vector(struct arguments *args, user_addr_t vector, unsigned *nr)
{
    uint64_t pointer;

    for (*nr = 0; vector.raw; ++*nr) {
        int err =
            copy_from_user(&pointer, user(vector.raw + *nr * sizeof(pointer)), sizeof(pointer));
        if (err || !pointer)
            return err;
        err = *nr < ARGS_MAX ? add_user_string(args, user(pointer)) : -E2BIG;
        if (err)
            return err;
    }
    return 0;
}

static int read_file(struct inode *inode, uint64_t pos, void *buf, size_t len)
{
    struct kernel_copy copy = kernel_buffer_out(buf);
    int64_t n = object_read(&inode->object, pos, len, &copy.copy);
    return n < 0 ? n : (size_t)n == len ? 0 : -ENOEXEC;
}

static bool header_is_right(const struct elf64_header *h)
{
    static const uint8_t ident[] = {0x7f, 'E', 'L', 'F', 2 /* 64 bits */, 1 /* little endian */};
    return !memcmp(h->ident, ident, sizeof(ident)) && h->machine == EM_X86_64 &&
           (h->type == ET_EXEC || h->type == ET_DYN) && h->phentsize == sizeof(struct elf64_phdr) &&
           h->phnum > 0 && h->phnum <= PHDRS_MAX;
}

/* Claim 1: everything about the file that can be wrong. */
static int image_read(struct inode *inode, struct image *image)
{
    image->inode = inode;
    int err = read_file(inode, 0, &image->header, sizeof(image->header));
    if (err)
        return err;
    const struct elf64_header *h = &image->header;
    if (!header_is_right(h))
        return -ENOEXEC;
    err = read_file(inode, h->phoff, image->phdrs, h->phnum * sizeof(struct elf64_phdr));
    if (err)
        return err;

    bool any = false, stack_header = false;
    image->bias = h->type == ET_DYN ? PIE_BASE : 0;
    for (unsigned i = 0; i < h->phnum; i++) {
        const struct elf64_phdr *p = &image->phdrs[i];
        if (p->type == PT_INTERP)
            return -ENOENT; /* its dynamic loader: static programs only */
        if (p->type == PT_GNU_STACK) {
            stack_header = true;
            image->stack_exec = p->flags & PF_X;
        }
        if (p->type != PT_LOAD)
            continue;
        any = true;
        if (p->filesz > p->memsz || (p->offset - p->vaddr) % PAGE_SIZE || p->memsz > USER_END ||
            p->vaddr > USER_END - image->bias - p->memsz || p->offset + p->filesz < p->offset)
            return -ENOEXEC;
        if (h->phoff >= p->offset && h->phoff < p->offset + p->filesz)
            image->phdr_at = image->bias + p->vaddr + (h->phoff - p->offset);
    }
    image->stack_exec |= !stack_header;
    return any ? 0 : -ENOEXEC;
}

static uint32_t segment_rights(const struct elf64_phdr *p)
{
    return (p->flags & PF_R ? VM_READ : 0) | (p->flags & PF_W ? VM_WRITE : 0) |
           (p->flags & PF_X ? VM_EXEC : 0);
}

/* One segment: the file's part mapped, the rest anonymous. */
static int map_segment(struct mm *mm, const struct image *image, const struct elf64_phdr *p)
{
    uint64_t start = round_down(image->bias + p->vaddr, PAGE_SIZE);
    uint64_t file_end = round_up(image->bias + p->vaddr + p->filesz, PAGE_SIZE);
    uint64_t end = round_up(image->bias + p->vaddr + p->memsz, PAGE_SIZE), at;
    struct map_request r = {
        .addr = start,
        .len_bytes = file_end - start,
        .place = MAP_FIXED_REPLACE,
        .flags = segment_rights(p) | VM_MAY_RIGHTS,
        .object = &image->inode->object,
        .pgoff = p->offset >> PAGE_SHIFT,
    };
    int err = 0;

    if (p->filesz)
        err = mm_map(mm, &r, &at);
    if (!err && end > file_end) {
        r = (struct map_request){
            .addr = file_end,
            .len_bytes = end - file_end,
            .place = MAP_FIXED_REPLACE,
            .flags = segment_rights(p) | VM_MAY_RIGHTS,
        };
        err = mm_map(mm, &r, &at);
    }
    if (err)
        return err == -ENOMEM ? err : -ENOEXEC;

    uint64_t seg_end = image->bias + p->vaddr + p->memsz;
    if (p->flags & PF_X) {
        mm->start_code =
            mm->start_code ? min(mm->start_code, image->bias + p->vaddr) : image->bias + p->vaddr;
        mm->end_code = max(mm->end_code, image->bias + p->vaddr + p->filesz);
    } else if (p->flags & PF_W) {
        mm->start_data = image->bias + p->vaddr;
        mm->end_data = image->bias + p->vaddr + p->filesz;
    }
    mm->brk_start = mm->brk = max(mm->brk, round_up(seg_end, PAGE_SIZE));
    return 0;
}

static int map_stack(struct mm *mm, const struct image *image)
{
    uint64_t at;
    struct map_request r = {
        .addr = STACK_TOP - STACK_FIRST,
        .len_bytes = STACK_FIRST,
        .place = MAP_FIXED_NEW,
        .flags = VM_READ | VM_WRITE | VM_MAY_RIGHTS | VM_GROWSDOWN | VM_STACK |
                 (image->stack_exec ? VM_EXEC : 0),
    };
    mm->stack_top = STACK_TOP;
    mm->mmap_top =
        STACK_TOP -
        max(MMAP_GAP, round_up(min(mm->limits.stack, USER_END / 6 * 5), PAGE_SIZE) + MIB);
    return mm_map(mm, &r, &at);
}

static void set_limits(struct mm *mm)
{
    const struct rlimit *limits = process_current()->limits;
    mm->limits.address_space = limits[RLIMIT_AS].soft;
    mm->limits.data = limits[RLIMIT_DATA].soft;
    mm->limits.stack = limits[RLIMIT_STACK].soft;
    mm->limits.locked = limits[RLIMIT_MEMLOCK].soft;
    mm->limits.locked_exempt = true; /* CAP_IPC_LOCK: everybody is root so far */
}

/* A complete address space but for the stack's contents. */
static int image_map(const struct image *image, struct mm **out)
{
    struct mm *mm;
    int err = mm_create(&mm);
    if (err)
        return err;
    set_limits(mm);
    mm->thp_disabled = task_current()->mm && task_current()->mm->thp_disabled;
    for (unsigned i = 0; i < image->header.phnum && !err; i++)
        if (image->phdrs[i].type == PT_LOAD)
            err = map_segment(mm, image, &image->phdrs[i]);
    if (!err)
        err = map_stack(mm, image);
    if (err) {
        mm_put(mm);
        return err;
    }
    *out = mm;
    return 0;
}

/* Bytes between the end of a segment's file part and the next page must be zero. Own mm loaded. */
static int clear_tails(const struct image *image)
{
    for (unsigned i = 0; i < image->header.phnum; i++) {
        const struct elf64_phdr *p = &image->phdrs[i];
        uint64_t end = image->bias + p->vaddr + p->filesz;
        if (p->type == PT_LOAD && p->memsz > p->filesz && p->filesz && (p->flags & PF_W) &&
            clear_user(user(end), round_up(end, PAGE_SIZE) - end))
            return -EFAULT;
    }
    return 0;
}

/* Push @len bytes; returns their address, 0 when they do not fit. */
static uint64_t push(uint64_t *sp, const void *bytes, size_t len, uint64_t align)
{
    *sp = round_down(*sp - len, align);
    return copy_to_user(user(*sp), bytes, len) ? 0 : *sp;
}

/* What the first instruction finds. */
struct stack {
    uint64_t rsp, auxv_at, auxv_bytes;
};

struct auxv {
    uint64_t type, value;
};

static unsigned auxv_fill(struct auxv *v, const struct image *image, uint64_t random,
                          uint64_t platform, uint64_t name)
{
    unsigned n = 0;
    v[n++] = (struct auxv){AT_MINSIGSTKSZ, sizeof(struct uapi_sigframe) + fpu_size() + 64 + 128};
    v[n++] = (struct auxv){AT_HWCAP, cpu_hwcap()};
    v[n++] = (struct auxv){AT_PAGESZ, PAGE_SIZE};
    v[n++] = (struct auxv){AT_CLKTCK, 100};
    v[n++] = (struct auxv){AT_PHDR, image->phdr_at};
    v[n++] = (struct auxv){AT_PHENT, sizeof(struct elf64_phdr)};
    v[n++] = (struct auxv){AT_PHNUM, image->header.phnum};
    v[n++] = (struct auxv){AT_BASE, 0};
    v[n++] = (struct auxv){AT_FLAGS, 0};
    v[n++] = (struct auxv){AT_ENTRY, image->bias + image->header.entry};
    v[n++] = (struct auxv){AT_UID, 0};
    v[n++] = (struct auxv){AT_EUID, 0};
    v[n++] = (struct auxv){AT_GID, 0};
    v[n++] = (struct auxv){AT_EGID, 0};
    v[n++] = (struct auxv){AT_SECURE, 0};
    v[n++] = (struct auxv){AT_RANDOM, random};
    v[n++] = (struct auxv){AT_HWCAP2, cpu_has(CPU_FSGSBASE) ? 2 : 0};
    v[n++] = (struct auxv){AT_EXECFN, name};
    v[n++] = (struct auxv){AT_PLATFORM, platform};
    v[n++] = (struct auxv){AT_NULL, 0};
    return n;
}

/*
 * From the top down:  0 | name | strings | platform | random | auxv | envp | argv | argc <- rsp
 * Own mm loaded.
 */
static int stack_build(const struct image *image, const struct arguments *args, const char *name,
                       struct mm *mm, struct stack *stack)
{
    struct auxv auxv[24];
    uint8_t random[16];
    uint64_t sp = STACK_TOP - 8, zero = 0;

    random_bytes(random, sizeof(random));
    uint64_t name_at = push(&sp, name, strlen(name) + 1, 1);
    uint64_t strings_at = push(&sp, args->strings, args->len, 1);
    uint64_t platform_at = push(&sp, "x86_64", 7, 1);
    uint64_t random_at = push(&sp, random, sizeof(random), 16);
    unsigned nr_auxv = auxv_fill(auxv, image, random_at, platform_at, name_at);

    size_t nr_words = 1 + args->argc + 1 + args->envc + 1;
    size_t pointers = nr_words * sizeof(uint64_t) + nr_auxv * sizeof(auxv[0]);
    sp = round_down(sp - pointers, 16);
    stack->rsp = sp;
    mm->arg_start = strings_at;

    uint64_t at = sp, argc = args->argc;
    int err = copy_to_user(user(at), &argc, sizeof(argc));
    size_t offset = 0;
    for (unsigned i = 0; i < args->argc + args->envc && !err; i++) {
        uint64_t pointer = strings_at + offset;
        at += sizeof(pointer);
        if (i == args->argc) {
            mm->arg_end = mm->env_start = pointer;
            err = copy_to_user(user(at), &zero, sizeof(zero));
            at += sizeof(zero);
        }
        if (!err)
            err = copy_to_user(user(at), &pointer, sizeof(pointer));
        offset += strlen(args->strings + offset) + 1;
    }
    if (args->envc == 0) {
        mm->arg_end = mm->env_start = strings_at + offset;
        at += sizeof(zero);
        err = err ? err : copy_to_user(user(at), &zero, sizeof(zero));
    }
    mm->env_end = strings_at + offset;
    at += sizeof(zero);
    if (!err)
        err = copy_to_user(user(at), &zero, sizeof(zero));
    stack->auxv_at = at + sizeof(zero);
    stack->auxv_bytes = nr_auxv * sizeof(auxv[0]);
    if (!err)
        err = copy_to_user(user(stack->auxv_at), auxv, stack->auxv_bytes);
    return strings_at ? err : -EFAULT;
}

/* Load @mm in the place of the running one; returns that. */
static struct mm *mm_switch(struct mm *mm)
{
    struct task *task = task_current();
    irq_flags_t flags = irq_save();
    struct mm *old = task->mm;
    tasks_lock(); /* who looks at another process's memory does it under this lock */
    task->mm = mm;
    tasks_unlock();
    tlb_switch(mm ? &mm->pgtable : &kernel_pgtable);
    irq_restore(flags);
    return old;
}

/* Descriptors are shared with nobody after this: the new program's closing is its own. */
static int own_files(void)
{
    struct task *task = task_current();
    struct files *shared = task->files, *copy;

    if (atomic_load(&shared->refcount) == 1)
        return 0;
    int err = files_copy(shared, &copy);
    if (err)
        return err;
    tasks_lock();
    task->files = copy;
    tasks_unlock();
    files_put(shared);
    return 0;
}

/* The program's state begins anew. */
static void become(struct dentry *dentry, const char *name, const struct image *image,
                   const struct stack *stack)
{
    struct task *task = task_current();
    struct process *process = task->process;
    struct trap_frame *frame = user_frame();
    const char *base = strrchr(name, '/');

    strlcpy(task->name, base ? base + 1 : name, sizeof(task->name));
    signals_exec(process);
    timers_exec(process);
    files_close_on_exec(task->files);
    dentry_get(dentry);
    tasks_lock();
    struct dentry *old = process->exe;
    process->exe = dentry;
    tasks_unlock();
    if (old)
        dentry_put(old);
    task->clear_child_tid = 0;
    task->robust_list = 0;
    task->rseq = (struct rseq){0};
    task->restart = (struct restart_block){0};
    process->membarrier = 0;
    process->no_dump = false;
    process->auxv_at = stack->auxv_at;
    process->auxv_bytes = stack->auxv_bytes;
    context_reset_user_state(&task->context);
    sched_add_exit_work(task); /* all registers are other ones now */
    *frame = (struct trap_frame){
        .rip = image->bias + image->header.entry,
        .rsp = stack->rsp,
        .cs = USER_CODE_SELECTOR,
        .ss = USER_DATA_SELECTOR,
        .rflags = 0x202, /* IF, and the bit that is always set */
        .orig_rax = -1UL,
    };
    frame->rcx = frame->rip; /* so that SYSRET can be used */
    frame->r11 = frame->rflags;
}

static int load(struct dentry *dentry, const char *name, const struct arguments *args)
{
    struct image *image = kmem_alloc(sizeof(*image), SLAB_ALLOC_ZERO);
    struct mm *mm, *old;
    struct stack stack;

    if (!image)
        return -ENOMEM;
    int err = image_read(dentry->inode, image);
    if (!err)
        err = image_map(image, &mm);
    if (err)
        goto free_image;
    old = mm_switch(mm);
    err = clear_tails(image);
    if (!err)
        err = stack_build(image, args, name, mm, &stack);
    if (!err)
        err = own_files();
    if (!err)
        err = process_become_single();
    if (err) {
        mm_switch(old);
        mm_put(mm);
        goto free_image;
    }
    if (old)
        usage_peak(process_current(), old);
    become(dentry, name, image, &stack);
    ptrace_exec();
    vfork_finished(process_current());
    if (old)
        mm_put(old);
free_image:
    kmem_free(image);
    return err;
}

static int exec_dentry(struct dentry *dentry, const char *name, const struct arguments *args)
{
    struct inode *inode = dentry->inode;

    if ((inode->mode & S_IFMT) != S_IFREG || !(inode->mode & 0111))
        return -EACCES;
    if (!inode->object.ops || !inode->object.ops->kernel_access)
        return -EACCES;
    return load(dentry, name, args);
}

static int exec_with(struct dentry *dentry, const char *name, user_addr_t argv, user_addr_t envp)
{
    struct arguments args = {0};

    int err = add_user_vector(&args, argv, &args.argc);
    if (!err && !args.argc) { /* a program may rely on argv[0]: execve(2) */
        err = arguments_add(&args, "");
        args.argc = 1;
    }
    if (!err)
        err = add_user_vector(&args, envp, &args.envc);
    if (!err)
        err = exec_dentry(dentry, name, &args);
    arguments_free(&args);
    return err;
}

int64_t sys_execveat(int dirfd, user_addr_t upath, user_addr_t argv, user_addr_t envp, int flags)
{
    struct dentry *start = process_current()->cwd, *dentry;
    struct file *dir = NULL;
    char *path = kmem_alloc(PATH_MAX, 0);

    if (!path)
        return -ENOMEM;
    long len = flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)
                   ? -EINVAL
                   : copy_string_from_user(path, upath, PATH_MAX);
    int err = len < 0 ? len : 0;
    if (!err && dirfd != AT_FDCWD && path[0] != '/') {
        dir = fd_get(dirfd);
        err = dir ? 0 : -EBADF;
        start = dir ? dir->dentry : start;
    }
    if (!err && !path[0] && !(flags & AT_EMPTY_PATH))
        err = -ENOENT;
    if (!err && !path[0]) {
        dentry = start;
        dentry_get(dentry);
    } else if (!err) {
        err = fs_lookup(start, path, flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW, &dentry);
    }
    if (!err) {
        err = exec_with(dentry, path, argv, envp);
        dentry_put(dentry);
    }
    if (dir)
        file_put(dir);
    kmem_free(path);
    return err;
}

int64_t sys_execve(user_addr_t path, user_addr_t argv, user_addr_t envp)
{
    return sys_execveat(AT_FDCWD, path, argv, envp, 0);
}

int exec_first(const char *path, const char *const *envp)
{
    struct arguments args = {0};
    struct dentry *dentry;

    int err = fs_lookup(fs_root, path, LOOKUP_FOLLOW, &dentry);
    if (err)
        return err;
    err = arguments_add(&args, path);
    args.argc = 1;
    for (; !err && *envp; envp++, args.envc++)
        err = arguments_add(&args, *envp);
    if (!err)
        err = exec_dentry(dentry, path, &args);
    arguments_free(&args);
    dentry_put(dentry);
    return err;
}
