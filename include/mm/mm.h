/* SPDX-License-Identifier: MIT */
/*
 * include/mm/mm.h - an address space: its areas, its faults, its calls
 *
 * Room:   mm. Takes struct mm as an argument; never asks who is running.
 * Owns:   struct mm and struct vma.
 * Locks:  mmap_lock (rwsem, rank MMAP), of a range of addresses or of all: for writing, areas
 *         change; for reading, they stay and faults fill them in. Every function below takes it.
 * Always: (1) areas are sorted, disjoint, page-aligned, within [USER_MIN, USER_END);
 *         (2) neighbours that could be one area are one;
 *         (3) a leaf lies in an area and grants no more than the area does.
 * Source: mmap(2), mprotect(2), brk(2); design.md section 2.
 * Tour:   after include/mm/object.h; then mm/vma.c, mm/map.c, mm/fault.c.
 */
#pragma once

#include <asm/cpu.h>
#include <asm/pgtable.h>
#include <base/mutex.h>
#include <lib/addr.h>
#include <lib/list.h>
#include <lib/rbtree.h>
#include <stdatomic.h>

struct hugetlb_private;
struct object;
struct userfault;

enum vm_flags {
    VM_READ = 1 << 0,
    VM_WRITE = 1 << 1,
    VM_EXEC = 1 << 2,
    VM_SHARED = 1 << 3,  /* changes are seen by all who map the object */
    VM_MAYREAD = 1 << 4, /* mprotect may grant it */
    VM_MAYWRITE = 1 << 5,
    VM_MAYEXEC = 1 << 6,
    VM_GROWSDOWN = 1 << 7,
    VM_LOCKED = 1 << 8,
    VM_DONTDUMP = 1 << 9,
    VM_HUGETLB = 1 << 10,
    VM_NORESERVE = 1 << 11,
    VM_STACK = 1 << 12, /* named [stack] */
    VM_HEAP = 1 << 13,  /* named [heap] */
    VM_DONTFORK = 1 << 14,
    VM_WIPEONFORK = 1 << 15,
    VM_LOCKONFAULT = 1 << 16,
    VM_NOHUGEPAGE = 1 << 17,
    VM_HUGEPAGE = 1 << 18,
    VM_RAND_READ = 1 << 19, /* advice that nothing heeds yet, but that keeps areas apart */
    VM_SEQ_READ = 1 << 20,
    VM_DROPPABLE = 1 << 21,    /* its pages may go when memory is short: MAP_DROPPABLE */
    VM_ACCOUNT = 1 << 22,      /* private, and was writable: counted as memory that may be needed */
    VM_SOFT_DIRTY = 1 << 23,   /* new since writes are tracked: all pages count as written */
    VM_UFFD_MISSING = 1 << 24, /* a program is asked for what is missing: vma.userfault */
    VM_STRICT = 1 << 25,       /* the kernel copies nothing from or to it: mm_copyable() */
    VM_UFFD_WP = 1 << 26,      /* of the first write to what is marked; the same */
    VM_UFFD_MINOR = 1 << 27,   /* of what its object has, and the area has not; the same */
    VM_SEALED = 1 << 28,       /* mseal(2): mm/mseal.c */
    VM_UFFD_ASYNC = 1 << 30,   /* of first writes nobody is told: the mark that goes says it */
    VM_UFFD = VM_UFFD_MISSING | VM_UFFD_WP | VM_UFFD_MINOR | VM_UFFD_ASYNC,
    VM_RIGHTS = VM_READ | VM_WRITE | VM_EXEC,
    VM_MAY_RIGHTS = VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC
};

#define VM_MAY_SHIFT 4 /* VM_READ << VM_MAY_SHIFT == VM_MAYREAD */

/* [m] mmap_lock for writing; those who read a range only see it by vma_look()  [I] */
struct vma {
    struct rb_node node;        /* [m] */
    struct list_node area_node; /* on mm->areas [m] */
    uint64_t start, end;        /* [m] */
    uint64_t gap;               /* free space below, down to the area before [m] */
    uint64_t max_gap;           /* largest gap in this subtree [m] */
    uint32_t flags;             /* enum vm_flags [m] */
    uint32_t pkey;              /* its protection key: mm/pkey.c [m] */
    uint32_t mempolicy;         /* mbind(2)'s; kept apart, and told, nothing more [m] */
    struct mm *mm;              /* [I] */
    struct object *object;      /* NULL: anonymous private [I] */
    uint64_t pgoff; /* offset of start in the object, in pages; anonymous: as at creation [m] */
    struct userfault *userfault;     /* who is asked, with a reference; NULL: nobody [m] */
    struct list_node mapping_node;   /* on object->mappings, under its lock */
    struct hugetlb_private *hugetlb; /* private, of huge pages; else NULL [I] */
    _Atomic uint64_t anon; /* history of its private pages; 0: it never had one. vma_anon_begin() */
    bool anon_inherited;   /* the history began before a fork: its area merges with no other [m] */
    bool guarded;          /* there may be guards: a fork copies its tables [a] */
};

/* What setrlimit(2) and /proc/PID/status tell apart. */
enum area_kind { AREA_OTHER, AREA_DATA, AREA_CODE, AREA_STACK, AREA_KINDS };

/* What faults on one CPU count and remember: a line of its own. */
struct mm_cpu {
    int64_t rss_anon, rss_file; /* leaves of 4 KiB; only the sums over all CPUs mean much */
    const struct vma *area;     /* where its last fault was; good while vmas_changed is */
    uint64_t looked;            /* this */
    struct pt_near near;        /* and the table there */
} __aligned(CACHE_LINE_SIZE);

#define MM_SPARES 2 /* a range has two borders, each of which may split an area */

struct mm {
    struct pgtable pgtable;
    struct list_node all_node; /* on the list of all */
    _Atomic uint32_t refcount;
    uint64_t id; /* no other ever has it [I] */
    struct rwsem mmap_lock;
    struct rb_root vmas;    /* [m] */
    uint64_t vmas_changed;  /* odd: just now; rises with each change of the tree [m] */
    struct list_node areas; /* the same, in order [m] */
    uint32_t nr_vmas;       /* [m] */
    uint32_t nr_spares;     /* areas at hand for the next split [m] */
    struct vma *spares[MM_SPARES];
    _Atomic uint64_t anon_last;   /* the last history that began [a] */
    bool reaped;                  /* its program is killed, its pages are gone: faults fail [a] */
    bool has_huge;                /* there was a huge leaf of small pages once; never cleared [a] */
    bool has_zeros;               /* it uses, or used, the huge page of zeros [a] */
    bool has_sealed;              /* some area is, or was to be, sealed; never cleared [m] */
    bool watched;                 /* a program was asked once: mm/userfault.c; never cleared [a] */
    bool thp_disabled;            /* prctl(PR_SET_THP_DISABLE) [a] */
    _Atomic bool scanned;         /* mm/collapse_scan.c looks at it [a] */
    uint64_t scan_at, scan_round; /* how far it is; its thread's alone */
    bool unmerged;         /* areas that could be one were left apart, by fork or mremap [m] */
    uint64_t total_pages;  /* sum of all areas [m] */
    uint64_t peak_pages;   /* the largest it was before some went [m] */
    uint64_t peak_rss;     /* the most that were resident before some went [a] */
    uint64_t locked_pages; /* sum of VM_LOCKED areas [m] */
    uint64_t kind_pages[AREA_KINDS]; /* the same sum by kind [m] */
    uint32_t default_flags;          /* VM_LOCKED of mlockall(MCL_FUTURE) [m] */
    uint16_t pkeys;                  /* bit n: protection key n is given out [m] */
    bool keyed;           /* a key was given out once: areas may have one, given back or not [a] */
    uint8_t mdwe;         /* PR_SET_MDWE(2const)'s bits [a] */
    int8_t exec_pkey;     /* the key of what may only be executed, or NO_PKEY [m] */
    uint64_t mmap_top;    /* mmap searches downwards from here */
    uint64_t mmap_bottom; /* and then upwards from here */
    uint64_t late_low, late_high; /* was unmapped, and is used perhaps: mm/late.c [m] */
    bool mmap_upwards;            /* only upwards: the layout of old */
    uint64_t brk_start, brk;      /* [m] */
    uint64_t stack_top, arg_start, arg_end, env_start, env_end; /* [m] */
    uint64_t start_code, end_code, start_data, end_data;        /* [m] */
    struct mm_cpu *cpus;                                        /* one per CPU [I] */
    struct {                                                    /* set by the ABI layer, in bytes */
        uint64_t address_space, data, stack, locked;
        bool locked_exempt; /* CAP_IPC_LOCK */
        bool low_exempt;    /* CAP_SYS_RAWIO: may map below vm_settings.mmap_min_addr */
    } limits;
};

#define STACK_GUARD_GAP (256 * PAGE_SIZE) /* kept free below an area that grows down */
#define MM_NO_LIMIT     (~0UL)
#define NO_PKEY         (-1)

/* An empty address space with one reference. 0 or -ENOMEM. */
int __must_check mm_create(struct mm **out);
void mm_get(struct mm *mm);

/* Threads of its program come to it, perhaps on other CPUs: it gets roots for them, if tlb_settings
 * say so. Context: mmap_lock not held. */
void mm_begin_threads(struct mm *mm);

/* The address space of that id with a reference, or NULL: it is gone, or going. */
struct mm *mm_find(uint64_t id);

/* The last reference unmaps everything and frees the tables. No CPU may have it loaded. */
void mm_put(struct mm *mm);

/**
 * mm_fork() - a copy: private writable pages are shared until written, by either side
 * TLB: the parent loses write rights; flushed once on return.
 * Return: 0 or -ENOMEM with nothing changed but rights that the next fault gives back.
 */
int __must_check mm_fork(struct mm *mm, struct mm **out);

enum map_place {
    MAP_ANYWHERE,      /* addr is a hint */
    MAP_BELOW_2G,      /* the same, for programs with pointers of 32 bits: MAP_32BIT */
    MAP_FIXED_REPLACE, /* exactly there, whatever was there goes */
    MAP_FIXED_NEW      /* exactly there, or -EEXIST */
};

struct map_request {
    uint64_t addr, len_bytes; /* len > 0; rounded up to pages here */
    enum map_place place;
    uint32_t flags;        /* enum vm_flags, MAY rights included */
    struct object *object; /* the area takes a reference of its own; NULL: anonymous */
    uint64_t pgoff;
    uint32_t pkey; /* its protection key */
    bool populate; /* fault everything in */
};

/**
 * mm_map() - make an area
 * Return: 0 with the address in *@out; -EINVAL, -ENOMEM, -EEXIST, -EAGAIN (locked limit),
 *         with nothing changed, except that MAP_FIXED_REPLACE may have removed what was there.
 * TLB: what was replaced is flushed.
 */
int __must_check mm_map(struct mm *mm, const struct map_request *request, uint64_t *out);

/* The error mm_map() would give for the place alone, or 0: -EINVAL, -ENOMEM, -EEXIST, -EPERM. */
int __must_check mm_check_place(struct mm *mm, const struct map_request *request);

/* munmap(2): 0, -EINVAL, -ENOMEM (splitting would make too many areas), -EPERM (sealed); nothing
 * changed. */
int __must_check mm_unmap(struct mm *mm, uint64_t addr, uint64_t len_bytes);

/**
 * mm_unmap_object() - shmdt(2): all areas of the object whose first byte is mapped at @addr
 * @of: only an object whose mappings it counts (object.unmapped)
 * Return: 0, -EINVAL (no such object begins there), -ENOMEM as mm_unmap().
 */
int __must_check mm_unmap_object(struct mm *mm, uint64_t addr, void (*of)(struct object *object));

/* How mm_protect() works, beside the rights. */
enum protect_how {
    PROTECT_GROWS = 1 << 0,     /* PROT_GROWSDOWN */
    PROTECT_GROWS_UP = 1 << 1,  /* PROT_GROWSUP: no area does */
    PROTECT_EXEC_ONLY = 1 << 2, /* areas get the execute-only key, if there is one */
};

/**
 * mm_protect_key() - pkey_mprotect(2) for rights already translated to VM_READ etc.
 * mm_protect() - mprotect(2): areas keep their keys
 * @rights: with VM_MAYEXEC: VM_EXEC, too, in areas that may have it
 * @how: enum protect_how
 * @key: or NO_PKEY
 * Return: 0, -EINVAL, -ENOMEM (a gap: areas before it stay changed), -EACCES.
 * TLB: one flush per call, none where rights only grow.
 */
int __must_check mm_protect_key(struct mm *mm, uint64_t addr, uint64_t len_bytes, uint32_t rights,
                                unsigned how, int key);

static inline int __must_check mm_protect(struct mm *mm, uint64_t addr, uint64_t len_bytes,
                                          uint32_t rights, unsigned how)
{
    return mm_protect_key(mm, addr, len_bytes, rights, how, NO_PKEY);
}

/* PR_SET_MDWE(2const): 0, or -EPERM: other bits are set already. The bits; a new program's or a
 * child's @mm gets those of @from, unless they say otherwise. */
int __must_check mm_set_mdwe(struct mm *mm, uint32_t bits);
uint32_t mm_mdwe(const struct mm *mm);
void mm_inherit_mdwe(struct mm *mm, const struct mm *from);

/* mseal(2): 0, -ENOMEM (a gap: nothing changed; no memory to split: what lies before it
 * is sealed). */
int __must_check mm_seal(struct mm *mm, uint64_t addr, uint64_t len_bytes);

/* pkey_alloc(2): a key that nobody has, or -ENOSPC. pkey_free(2): 0; -EINVAL: nobody has it;
 * -EBUSY: vm_settings.pkey_strict, and areas have it. */
int __must_check mm_pkey_alloc(struct mm *mm);
int __must_check mm_pkey_free(struct mm *mm, int key);

/* The key of what may only be executed, given out if need be; NO_PKEY: there is none. */
int mm_pkey_exec_only(struct mm *mm);

/* The key of the area at @addr, or NO_PKEY: there is none. */
int mm_pkey_at(struct mm *mm, uint64_t addr);

/* brk(2): the new or the old break, never an error. */
uint64_t mm_brk(struct mm *mm, uint64_t wanted);

/* madvise(MADV_DONTNEED): 0, -EINVAL (a locked area), -ENOMEM (a gap; the rest was done). */
int __must_check mm_discard(struct mm *mm, uint64_t addr, uint64_t len_bytes);

/* madvise(MADV_DONTNEED_LOCKED): the same, of locked areas too. */
int __must_check mm_discard_locked(struct mm *mm, uint64_t addr, uint64_t len_bytes);

/**
 * mm_change_flags() - madvise(2)'s flags: @set and @clear of every area of the range
 * Return: 0; -ENOMEM (a gap: the rest was done); -EAGAIN (no memory to split); -EPERM (sealed);
 *         -EINVAL (VM_WIPEONFORK of an object: areas before it stay changed).
 */
int __must_check mm_change_flags(struct mm *mm, uint64_t addr, uint64_t len_bytes, uint32_t set,
                                 uint32_t clear);

/**
 * mm_punch() - madvise(MADV_REMOVE): a hole in the object behind a shared writable area
 * Return: 0, -EINVAL, -EACCES, -EPERM (a seal), -ENOMEM (a gap).
 */
int __must_check mm_punch(struct mm *mm, uint64_t addr, uint64_t len_bytes);

/* madvise(MADV_POPULATE_READ/WRITE): 0, -EINVAL (no right, secret), -EFAULT (SIGBUS), -ENOMEM. */
int __must_check mm_populate(struct mm *mm, uint64_t addr, uint64_t len_bytes, bool write);

/**
 * mm_collapse() - madvise(MADV_COLLAPSE): whole units of 2 MiB become huge pages
 * Return: 0; -EINVAL (an area or a unit that cannot: those before it are done); -ENOMEM (a gap: the
 *         rest was done; or no memory); -EAGAIN (somebody has a page of the unit, pin.h).
 * TLB: what was mapped there is flushed.
 */
int __must_check mm_collapse(struct mm *mm, uint64_t addr, uint64_t len_bytes);

/**
 * mm_guard() - madvise(MADV_GUARD_INSTALL/REMOVE): pages that nobody may touch, without areas
 * Return: 0, -EINVAL (huge; locked, as secrets are), -ENOMEM (a gap: the rest was done; or none).
 * TLB: what was mapped there is flushed.
 */
int __must_check mm_guard(struct mm *mm, uint64_t addr, uint64_t len_bytes, bool install);

/* mbind(2): 0; -EFAULT (a gap, but with @policy 0 only if nothing is there; nothing changed);
 * -ENOMEM (no memory to split: areas before it stay changed). */
int __must_check mm_set_policy(struct mm *mm, uint64_t addr, uint64_t len_bytes, uint32_t policy);

enum area_demand {
    AREAS_PLAIN, /* not locked, no huge pages: MADV_COLD, MADV_PAGEOUT */
    AREAS_ANON   /* not locked, anonymous and private: MADV_FREE; lost pages are free at once */
};

/* Is each area of the range as demanded? 0, -EINVAL, or -ENOMEM (a gap, all else is). */
int __must_check mm_areas_are(struct mm *mm, uint64_t addr, uint64_t len_bytes,
                              enum area_demand demand);

/* mlockall(2) of what is mapped: 0, -ENOMEM (limit), -EPERM. munlockall(2): @lock false. */
int __must_check mm_lock_all(struct mm *mm, bool lock, bool on_fault);

/**
 * mm_lock() - mlock2(2): lock a range, and fault it in unless @on_fault
 * Return: 0; -ENOMEM (a gap, over the limit, or a page that cannot be had); -EAGAIN, -EPERM.
 */
int __must_check mm_lock(struct mm *mm, uint64_t addr, uint64_t len_bytes, bool on_fault);

/* munlock(2): 0 or -ENOMEM (a gap). Secret memory stays locked. */
int __must_check mm_unlock(struct mm *mm, uint64_t addr, uint64_t len_bytes);

/**
 * mm_resident() - mincore(2): is page @index of [addr, ...) in memory?
 * @may_tell: of what object it is told: all pages of another are said to be; NULL: of all. Called
 *            with mmap_lock held
 * @out: one byte per page. Return: how many pages there are before a gap; -ENOMEM: none.
 */
int64_t __must_check mm_resident(struct mm *mm, uint64_t addr, uint64_t nr_pages,
                                 bool (*may_tell)(struct object *object), uint8_t *out);

/**
 * mm_sync() - msync(2): memory has no disk behind it, so this only checks
 * Return: 0; -ENOMEM (a gap), -EBUSY (@invalidate a locked area), -EINVAL (@write_back secrets).
 */
int __must_check mm_sync(struct mm *mm, uint64_t addr, uint64_t len_bytes, bool invalidate,
                         bool write_back);

/**
 * mm_remap() - mremap(2)
 * @old_len: 0: a second mapping of a shared object
 * @flags: MREMAP_MAYMOVE 1, MREMAP_FIXED 2, MREMAP_DONTUNMAP 4
 * Return: 0 with the address in *@out, -EINVAL, -EFAULT, -ENOMEM, -EAGAIN.
 * TLB: what left its place is flushed before anybody can truncate it at its new one.
 */
int __must_check mm_remap(struct mm *mm, uint64_t old, uint64_t old_len, uint64_t new_len,
                          unsigned flags, uint64_t new_addr, uint64_t *out);

/**
 * mm_remap_pages() - remap_file_pages(2)
 * The shared object that is mapped at @addr, from its page @pgoff on, in its place.
 * Return: 0; -EINVAL: [addr, addr + len_bytes) is not all of one such object; what mm_map() says.
 */
int __must_check mm_remap_pages(struct mm *mm, uint64_t addr, uint64_t len_bytes, uint64_t pgoff,
                                bool populate);

enum fault_access {
    ACCESS_READ,
    ACCESS_EXEC,
    ACCESS_PEEK,    /* a debugger reads what the area refuses to its program */
    ACCESS_WRITE,   /* from here on what is private has to be a page of its own */
    ACCESS_UNSHARE, /* of a private area, a page that nobody else has: the caller asks for rights */
    ACCESS_FORCE    /* the same, to write to it: first writes that are told are seen */
};

static inline bool access_writes(enum fault_access access)
{
    return access == ACCESS_WRITE || access == ACCESS_FORCE;
}

enum fault_result {
    FAULT_RESOLVED,
    FAULT_NO_AREA,   /* SIGSEGV, SEGV_MAPERR */
    FAULT_NO_RIGHT,  /* SIGSEGV, SEGV_ACCERR */
    FAULT_BEYOND,    /* SIGBUS, BUS_ADRERR: past the end of the object, or no huge page */
    FAULT_POISONED,  /* SIGBUS, BUS_MCEERR_AR: what was there counts as lost */
    FAULT_NO_MEMORY, /* nothing was changed */
    FAULT_ASKED      /* a program is to be asked: mm_userfault_ask() */
};

/**
 * mm_fault() - make an access possible, or say why not
 * Context: task, IRQs on, no locks held.
 * TLB: none, or one page of this address space when a page was replaced (copy on write).
 */
enum fault_result mm_fault(struct mm *mm, user_addr_t addr, enum fault_access access);

/* Let the stack above @addr grow down to it, as its program's access would. Context: as mm_fault().
 * Return: an area holds @addr now. */
bool mm_stack_grow(struct mm *mm, uint64_t addr);

/**
 * mm_access() - copy between a buffer of the kernel and an address space, loaded or not
 * @access: ACCESS_READ fills @buf, ACCESS_WRITE writes it
 * @force: the areas' own rights do not count, as for a debugger; private pages are copied first;
 *         no program is asked (mm/userfault.h): what it would have to answer is refused
 * Context: task, IRQs on, no locks held. Memory without an address in the kernel is refused.
 * TLB: as the faults that it takes.
 * Return: bytes copied, which is less than @len where a page refuses; -EFAULT when the first does.
 */
int64_t mm_access(struct mm *mm, uint64_t addr, void *buf, size_t len, enum fault_access access,
                  bool force);

/**
 * mm_drop() / mm_reap() - take pages away: of MAP_DROPPABLE areas; all private ones, for good
 * Context: task; mmap_lock of @mm not held. TLB: flushed on return.
 * Return: how many went, about.
 */
uint64_t mm_drop(struct mm *mm);
uint64_t mm_reap(struct mm *mm);

/* How many of @len bytes from @addr on lie in front of the first area that the kernel may not copy
 * from or to. Context: task, IRQs on, no locks held. */
size_t mm_copyable(struct mm *mm, uint64_t addr, size_t len);

/**
 * mm_fault_in() - take the faults that an access would take, up to one that refuses
 * @addr: @addr + @len does not wrap
 * Context: task, IRQs on, no locks held. Memory without an address in the kernel is refused.
 * Return: how many bytes from @addr on could be accessed.
 */
size_t mm_fault_in(struct mm *mm, uint64_t addr, size_t len, enum fault_access access);

/* The same for who reads through references on the pages: of a private page that others have too
 * the program gets a copy first, so that it goes on to see the page that is read. */
size_t mm_pin_in(struct mm *mm, uint64_t addr, size_t len);

/* Resident pages: private ones, and those of objects. Exact while nobody faults. */
void mm_rss(const struct mm *mm, int64_t *anon, int64_t *file);

/* The most that ever were, or since the last reset. */
uint64_t mm_rss_peak(const struct mm *mm);
void mm_rss_peak_reset(struct mm *mm);

/* The area that holds @addr, or NULL. mmap_lock held. */
struct vma *vma_find(struct mm *mm, uint64_t addr);

/* The first area that ends above @addr, or NULL. mmap_lock held. */
struct vma *vma_find_from(struct mm *mm, uint64_t addr);

/* The area after, or before; NULL: there is none. */
static inline struct vma *vma_next(const struct vma *vma)
{
    struct list_node *node = vma->area_node.next;
    return node == &vma->mm->areas ? NULL : list_entry(node, struct vma, area_node);
}

static inline struct vma *vma_prev(const struct vma *vma)
{
    struct list_node *node = vma->area_node.prev;
    return node == &vma->mm->areas ? NULL : list_entry(node, struct vma, area_node);
}

/* V1-V7, V9-V11, V23, V26 for one address space; mmap_lock held for writing. 0 or -EUCLEAN. */
int __must_check mm_check(struct mm *mm);

/* All address spaces, the kernel half, the allocators: V1-V11, V13-V27. Machine quiet. */
int __must_check vm_check(void);

/* Slab caches and the zero page. Boot. */
void mm_boot_init(void);
