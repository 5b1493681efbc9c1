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

#include "arguments.h"
#include "cred.h"
#include "files.h"
#include "fs.h"
#include "image.h"
#include "layout.h"
#include "path.h"
#include "random.h"
#include "running.h"
#include "script.h"
#include "syscall.h"
#include <asm/cpu.h>
#include <asm/tlb.h>
#include <asm/uaccess.h>
#include <base/panic.h>
#include <lib/format.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <uapi/elf.h>
#include <uapi/errno.h>
#include <uapi/fcntl.h>

#define SCRIPTS_MAX 5 /* that interpret each other */

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

/* How the user called it. */
struct called {
    const char *name; /* a path, which a script's interpreter opens */
    const char *comm; /* what the task is called, of which it keeps 15 bytes */
    bool vanishes;    /* @name leads through a descriptor that is closed */
};

/* What exec loads. */
struct program {
    struct image image, loader; /* the second only with a loader_place */
    struct place loader_place;  /* no dentry: libraries are in the image, if there are any */
};

struct auxv {
    uint64_t type, value;
};

/* Who the program runs as. */
struct identity {
    struct cred *cred;
    bool secure;
};

static unsigned auxv_fill(struct auxv *v, const struct program *program, const struct identity *who,
                          uint64_t random, uint64_t platform, uint64_t name)
{
    const struct image *image = &program->image;
    unsigned n = 0;
    v[n++] = (struct auxv){AT_MINSIGSTKSZ, sizeof(struct uapi_sigframe) + fpu_size() + 64 + 128};
    v[n++] = (struct auxv){AT_HWCAP, cpu_hwcap()};
    v[n++] = (struct auxv){AT_PAGESZ, PAGE_SIZE};
    v[n++] = (struct auxv){AT_CLKTCK, 100};
    v[n++] = (struct auxv){AT_PHDR, image->phdr_at};
    v[n++] = (struct auxv){AT_PHENT, sizeof(struct elf64_phdr)};
    v[n++] = (struct auxv){AT_PHNUM, image->header.phnum};
    v[n++] = (struct auxv){AT_BASE, program->loader.bias};
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
static int stack_build(const struct program *program, const struct arguments *args,
                       const char *name, const struct identity *who, struct mm *mm,
                       struct stack *stack)
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
    unsigned nr_auxv = auxv_fill(auxv, program, who, random_at, platform_at, name_at);

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
static void become(const struct place *place, const char *comm, const struct program *program,
                   const struct identity *who, const struct stack *stack)
{
    struct task *task = task_current();
    struct process *process = task->process;
    struct trap_frame *frame = user_frame();
    const struct image *first = program->loader_place.dentry ? &program->loader : &program->image;

    strlcpy(task->name, comm, sizeof(task->name));
    signals_exec(process);
    timers_exec(process);
    files_close_on_exec(task->files);
    exe_get(place);
    tasks_lock();
    struct place old = process->exe;
    process->exe = *place;
    tasks_unlock();
    if (old.dentry)
        exe_put(&old);
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
        .rip = first->bias + first->header.entry,
        .rsp = stack->rsp,
        .cs = USER_CODE_SELECTOR,
        .ss = USER_DATA_SELECTOR,
        .rflags = 0x202, /* IF, and the bit that is always set */
        .orig_rax = -1UL,
    };
    frame->rcx = frame->rip; /* so that SYSRET can be used */
    frame->r11 = frame->rflags;
}

/* May the running process execute it? */
static int check_executable(const struct place *place)
{
    const struct inode *inode = place->dentry->inode;

    if (inode_is(inode, S_IFLNK))
        return -ELOOP; /* it was not to be followed */
    if (!inode_is(inode, S_IFREG) || inode_permission(inode, X_OK) || place_may_not_execute(place))
        return -EACCES;
    bool sealed = READ_ONCE(inode->object.seals) & SEAL_NEVER_EXEC;
    return inode->object.ops && inode->object.ops->kernel_access && !sealed ? 0 : -EACCES;
}

/* Nobody writes it from now on, until exe_put(). Takes over the references of @place. */
static int run_begin(const struct place *place)
{
    int err = check_executable(place);

    if (!err)
        err = inode_run_begin(place->dentry->inode);
    if (err)
        place_put(place);
    return err;
}

static int find_executable(const char *path, struct place *out)
{
    int err = path_lookup_text(path, out);

    return err ? err : run_begin(out);
}

/* The loader that the program names, and what its headers say. */
static int read_loader(struct program *program)
{
    char *path = kmem_alloc(PATH_MAX, 0);
    struct place place;

    if (!path)
        return -ENOMEM;
    int err = image_loader_path(&program->image, path);
    if (!err)
        err = find_executable(path, &place);
    kmem_free(path);
    if (err)
        return err;
    program->loader_place = place;
    err = image_read(place.dentry->inode, &program->loader);
    return err == -ENOEXEC ? -ELIBBAD : err;
}

static int read_program(const struct place *place, struct program *program)
{
    int err = image_read(place->dentry->inode, &program->image);

    if (err)
        return err == -EIO ? -ENOEXEC : err;
    return program->image.loader ? read_loader(program) : 0;
}

static int clear_tails(const struct program *program)
{
    int err = image_clear_tails(&program->image);

    return !err && program->loader_place.dentry ? image_clear_tails(&program->loader) : err;
}

static void program_free(struct program *program)
{
    if (program->loader_place.dentry)
        exe_put(&program->loader_place);
    kmem_free(program);
}

static int load(const struct place *place, const struct called *called,
                const struct arguments *args)
{
    struct program *program = kmem_alloc(sizeof(*program), SLAB_ALLOC_ZERO);
    struct identity who;
    struct mm *mm, *old;
    struct stack stack;

    if (!program)
        return -ENOMEM;
    int err = read_program(place, program);
    if (!err)
        err = cred_exec(place, &who.cred, &who.secure);
    if (err)
        goto free_program;
    err = image_map(&program->image, program->loader_place.dentry ? &program->loader : NULL, &mm);
    if (err)
        goto put_cred;
    old = mm_switch(mm);
    err = clear_tails(program);
    if (!err)
        err = stack_build(program, args, called->name, &who, mm, &stack);
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
    become(place, called->comm, program, &who, &stack);
    ptrace_exec();
    vfork_finished(process_current());
    who.cred = NULL; /* it is the task's now */
    if (old)
        mm_put(old);
put_cred:
    cred_put(who.cred);
free_program:
    program_free(program);
    return err;
}

/* Its interpreter is called with that line's argument and the name of the script. */
static int add_interpreter(struct arguments *args, const struct script *script)
{
    int err = script->argument ? arguments_prepend(args, script->argument) : 0;

    return err ? err : arguments_prepend(args, script->interpreter);
}

/* Scripts may be interpreted by scripts, but not for ever. Takes the references of @place over. */
static int exec_interpreted(struct place place, const struct called *called, struct arguments *args,
                            struct script *script)
{
    int err = run_begin(&place);

    if (err)
        return err;
    for (unsigned depth = 0;; depth++) {
        err = depth > SCRIPTS_MAX ? -ELOOP : script_read(place.dentry->inode, script);
        if (err <= 0)
            break;
        err = called->vanishes ? -ENOENT : depth == 0 ? arguments_name(args, called->name) : 0;
        if (!err)
            err = add_interpreter(args, script);
        exe_put(&place);
        if (!err)
            err = find_executable(script->interpreter, &place);
        if (err)
            return err;
    }
    if (!err)
        err = load(&place, called, args);
    exe_put(&place);
    return err;
}

static int exec_place(const struct place *place, const struct called *called,
                      struct arguments *args)
{
    struct script *script = kmem_alloc(sizeof(*script), 0);

    if (!script)
        return -ENOMEM;
    place_get(place);
    int err = exec_interpreted(*place, called, args, script);
    kmem_free(script);
    return err;
}

static int exec_with(const struct place *place, const struct called *called, user_addr_t argv,
                     user_addr_t envp)
{
    struct arguments args = {0};

    int err = arguments_add_vector(&args, argv, &args.argc);
    if (!err && !args.argc) { /* a program may rely on argv[0]: execve(2) */
        err = arguments_add(&args, "");
        args.argc = 1;
    }
    if (!err)
        err = arguments_add_vector(&args, envp, &args.envc);
    if (!err)
        err = exec_place(place, called, &args);
    arguments_free(&args);
    return err;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* A path from a descriptor has a name by which others find it. Else NULL. */
static char *name_from_fd(int dirfd, const char *path, int *err)
{
    size_t size = strlen(path) + sizeof("/dev/fd/2147483647/");
    char *name;

    if (dirfd == AT_FDCWD || path[0] == '/')
        return NULL;
    name = kmem_alloc(size, 0);
    *err = name ? 0 : -ENOMEM;
    if (name)
        snprintf(name, size, "/dev/fd/%d%s%s", dirfd, path[0] ? "/" : "", path);
    return name;
}

int64_t sys_execveat(int dirfd, user_addr_t upath, user_addr_t argv, user_addr_t envp, int flags)
{
    struct place place;
    struct path path;

    if (flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
        return -EINVAL;
    int err = path_get(dirfd, upath, flags, &path);
    if (err)
        return err;
    err = path_find(&path, flags, &place);
    if (err)
        goto put_path;
    char *name = name_from_fd(dirfd, path.text, &err);
    struct called called = {
        .name = name ? name : path.text,
        .comm = path.text[0] ? base_name(path.text) : place.dentry->name,
        .vanishes = name && fd_close_on_exec(dirfd) > 0,
    };
    if (!err)
        err = exec_with(&place, &called, argv, envp);
    kmem_free(name);
    place_put(&place);
put_path:
    path_put(&path);
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
    struct called called = {.name = path, .comm = base_name(path)};

    int err = fs_lookup(&start, path, LOOKUP_FOLLOW, &place);
    if (err)
        return err;
    err = arguments_add(&args, path);
    args.argc = 1;
    for (; !err && *envp; envp++, args.envc++)
        err = arguments_add(&args, *envp);
    if (!err)
        err = exec_place(&place, &called, &args);
    arguments_free(&args);
    place_put(&place);
    return err;
}
