/* SPDX-License-Identifier: MIT */
/*
 * kernel/exec.c - a program takes the place of another: arguments, stack, auxiliary vector
 *
 * Room:   kernel.
 * Owns:   what the first instruction finds on the stack, and what a process keeps over execve().
 * Locks:  none; the new address space is nobody else's until it is complete.
 * Always: (1) the old program goes on undisturbed until the new one is known to be loadable.
 * Source: execve(2), getauxval(3); System V AMD64 psABI, "Process Initialization".
 * Tour:   after kernel/image.c; kernel/main.c starts process 1 here.
 */
#include "exec.h"

#include "cred.h"
#include "files.h"
#include "fs.h"
#include "image.h"
#include "layout.h"
#include "path.h"
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

#define ARG_BYTES_MIN  (128 * KIB) /* of strings of argv and envp together, whatever the limits */
#define ARG_BYTES_MAX  (6 * MIB)
#define ARG_STRING_MAX (128 * KIB) /* one of them */
#define ARGS_MAX       (128 * KIB) /* how many of them */

/* The strings of argv, then envp, one after another with their NULs. */
struct arguments {
    char *strings;
    size_t len, capacity;
    unsigned argc, envc;
};

static void arguments_free(struct arguments *args)
{
    kmem_free(args->strings);
}

/* A quarter of the stack, within bounds. */
static uint64_t arg_bytes_max(void)
{
    uint64_t quarter = process_current()->limits[RLIMIT_STACK].soft / 4;
    return max(ARG_BYTES_MIN, min(quarter, ARG_BYTES_MAX));
}

static int arguments_room(struct arguments *args, size_t more)
{
    if (args->len + more <= args->capacity)
        return 0;
    size_t capacity = max(args->capacity * 2, round_up(args->len + more, PAGE_SIZE));
    if (capacity > arg_bytes_max())
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
    for (size_t room = 256;; room *= 8) {
        int err = room <= ARG_STRING_MAX ? arguments_room(args, room) : -E2BIG;
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

/* Who the program runs as. */
struct identity {
    struct cred *cred;
    bool secure;
};

static unsigned auxv_fill(struct auxv *v, const struct image *image, const struct identity *who,
                          uint64_t random, uint64_t platform, uint64_t name)
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
    v[n++] = (struct auxv){AT_UID, who->cred->user.real};
    v[n++] = (struct auxv){AT_EUID, who->cred->user.effective};
    v[n++] = (struct auxv){AT_GID, who->cred->group.real};
    v[n++] = (struct auxv){AT_EGID, who->cred->group.effective};
    v[n++] = (struct auxv){AT_SECURE, who->secure};
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
                       const struct identity *who, struct mm *mm, struct stack *stack)
{
    struct auxv auxv[24];
    uint8_t random[16];
    uint64_t sp = mm->stack_top - 8, zero = 0;

    random_bytes(random, sizeof(random));
    uint64_t name_at = push(&sp, name, strlen(name) + 1, 1);
    uint64_t strings_at = push(&sp, args->strings, args->len, 1);
    sp -= layout_stack_skew();
    uint64_t platform_at = push(&sp, "x86_64", 7, 1);
    uint64_t random_at = push(&sp, random, sizeof(random), 16);
    unsigned nr_auxv = auxv_fill(auxv, image, who, random_at, platform_at, name_at);

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

int files_unshare(void)
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
static void become(const struct place *place, const char *name, const struct image *image,
                   const struct identity *who, const struct stack *stack)
{
    struct task *task = task_current();
    struct process *process = task->process;
    struct trap_frame *frame = user_frame();
    const char *base = strrchr(name, '/');

    strlcpy(task->name, base ? base + 1 : name, sizeof(task->name));
    signals_exec(process);
    timers_exec(process);
    files_close_on_exec(task->files);
    place_get(place);
    tasks_lock();
    struct place old = process->exe;
    process->exe = *place;
    tasks_unlock();
    if (old.dentry)
        place_put(&old);
    task->clear_child_tid = 0;
    task->robust_list = 0;
    task->rseq = (struct rseq){0};
    task->restart = (struct restart_block){0};
    process->membarrier = 0;
    process->no_dump = false;
    cred_commit(who->cred);
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

static int load(const struct place *place, const char *name, const struct arguments *args)
{
    struct image *image = kmem_alloc(sizeof(*image), SLAB_ALLOC_ZERO);
    struct identity who;
    struct mm *mm, *old;
    struct stack stack;

    if (!image)
        return -ENOMEM;
    int err = image_read(place->dentry->inode, image);
    if (!err)
        err = cred_exec(place, &who.cred, &who.secure);
    if (err)
        goto free_image;
    err = image_map(image, &mm);
    if (err)
        goto put_cred;
    old = mm_switch(mm);
    err = image_clear_tails(image);
    if (!err)
        err = stack_build(image, args, name, &who, mm, &stack);
    if (!err)
        err = files_unshare();
    if (!err)
        err = process_become_single();
    if (err) {
        mm_switch(old);
        mm_put(mm);
        goto put_cred;
    }
    if (old)
        usage_peak(process_current(), old);
    become(place, name, image, &who, &stack);
    ptrace_exec();
    vfork_finished(process_current());
    who.cred = NULL; /* it is the task's now */
    if (old)
        mm_put(old);
put_cred:
    cred_put(who.cred);
free_image:
    kmem_free(image);
    return err;
}

static int exec_place(const struct place *place, const char *name, const struct arguments *args)
{
    const struct inode *inode = place->dentry->inode;

    if (!inode_is(inode, S_IFREG) || inode_permission(inode, X_OK) || place_may_not_execute(place))
        return -EACCES;
    if (!inode->object.ops || !inode->object.ops->kernel_access)
        return -EACCES;
    return load(place, name, args);
}

static int exec_with(const struct place *place, const char *name, user_addr_t argv,
                     user_addr_t envp)
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
        err = exec_place(place, name, &args);
    arguments_free(&args);
    return err;
}

int64_t sys_execveat(int dirfd, user_addr_t upath, user_addr_t argv, user_addr_t envp, int flags)
{
    struct place place;
    struct path p;

    if (flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
        return -EINVAL;
    int err = path_get(dirfd, upath, &p);
    if (err)
        return err;
    err = path_find(&p, flags, &place);
    if (!err) {
        err = exec_with(&place, p.text, argv, envp);
        place_put(&place);
    }
    path_put(&p);
    return err;
}

int64_t sys_execve(user_addr_t path, user_addr_t argv, user_addr_t envp)
{
    return sys_execveat(AT_FDCWD, path, argv, envp, 0);
}

int exec_first(const char *path, const char *const *envp)
{
    struct arguments args = {0};
    struct place start = place_root(), place;

    int err = fs_lookup(&start, path, LOOKUP_FOLLOW, &place);
    if (err)
        return err;
    err = arguments_add(&args, path);
    args.argc = 1;
    for (; !err && *envp; envp++, args.envc++)
        err = arguments_add(&args, *envp);
    if (!err)
        err = exec_place(&place, path, &args);
    arguments_free(&args);
    place_put(&place);
    return err;
}
