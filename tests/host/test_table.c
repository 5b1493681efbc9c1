/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_table.c - every cell of the table: what mm/ does against what must be
 *
 * Room:   tests/host.
 * Owns:   how a cell comes about, by the calls of mm/, and what is seen of it.
 * Locks:  one thread.
 * Always: (1) all combinations are tried, whether they can exist or not; their number is printed;
 *         (2) each cell begins with an address space and an object of its own, and leaves nothing;
 *         (3) the CPU forgets only what it is told to, until mprotect() has returned: what it still
 *             knows then is checked.
 * Source: trust.md P5.
 * Tour:   after tests/host/reference.c, tests/host/test_mm.c.
 */
#include "cell.h"
#include "machine.h"
#include "mmu.h"

#include <mm/hugetlb.h>
#include <mm/internal.h>
#include <mm/pin.h>
#include <mm/secretmem.h>
#include <mm/usage.h>
#include <mm/userfault.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <uapi/errno.h>
#include <unistd.h>

#define BASE  0x40000000UL
#define THERE 0x48000000UL /* where it is moved to */
#define POOL  8

/* What a cell is made of. */
struct scene {
    const struct cell *c;
    struct mm *mm, *child;
    struct object *object;
    uint64_t at, bytes;
    struct page *kept;
};

/* Who is told of first writes, and gives no answer. */

static enum fault_result give_no_answer(struct userfault *u, struct mm *mm,
                                        const struct userfault_question *q)
{
    (void)u, (void)mm, (void)q;
    return FAULT_BEYOND;
}

static void keep(struct userfault *u)
{
    (void)u;
}

static const struct userfault_ops listener_ops = {.wait = give_no_answer, .release = keep};
static struct userfault listener = {.ops = &listener_ops, .refcount = 1};

static bool is_anonymous(const struct cell *c)
{
    return !c->shared && c->kind < FILE_PAGES;
}

static void release(struct object *object)
{
    kmem_free(object);
}

static struct object *object_of(const struct cell *c, uint64_t bytes)
{
    struct object *object = kmem_alloc(sizeof(*object), SLAB_ALLOC_ZERO);

    assert_non_null(object);
    object_init(object,
                c->kind == POOL_PAGES ? &hugetlb_ops
                : c->kind == SECRETS  ? &secretmem_ops
                                      : &shmem_ops,
                release);
    atomic_store(&object->size_bytes, bytes);
    object->huge = c->kind == HUGE ? SHMEM_HUGE_ALWAYS : SHMEM_HUGE_NEVER;
    return object;
}

static int map(struct mm *mm, const struct cell *c, struct object *object, uint64_t bytes,
               uint32_t flags)
{
    struct map_request r = {
        .addr = BASE, .len_bytes = bytes, .place = MAP_FIXED_NEW, .flags = flags, .object = object};
    uint64_t out;

    if (c->kind == POOL_PAGES)
        r.flags |= VM_HUGETLB;
    if (c->kind == SECRETS)
        r.flags = (r.flags | VM_LOCKED | VM_DONTDUMP) & ~(uint32_t)VM_MAYEXEC;
    return mm_map(mm, &r, &out);
}

/* The object has a page with a word before it is sealed. */
static void fill_and_seal(const struct scene *s)
{
    uint32_t flags = VM_READ | VM_WRITE | VM_SHARED | VM_MAY_RIGHTS;
    uint64_t word = WORD_BEFORE;
    struct mm *author;

    assert_int_equal(mm_create(&author), 0);
    assert_int_equal(map(author, s->c, s->object, s->bytes, flags), 0);
    assert_int_equal(mmu_access(author, BASE, ACCESS_WRITE, &word), FAULT_RESOLVED);
    mmu_forget(author);
    mm_put(author);
    if (s->c->seal == SEALED) {
        s->object->seals |= SEAL_WRITE;
        assert_int_equal(object_deny_writers(s->object), 0);
    }
}

static void scene_begin(struct scene *s, const struct cell *c)
{
    bool sealed = c->seal && c->kind >= FILE_PAGES;
    uint32_t flags = VM_READ | VM_MAY_RIGHTS | (c->shared ? VM_SHARED : 0);

    *s = (struct scene){.c = c, .at = BASE};
    s->bytes = c->kind == HUGE || c->kind == POOL_PAGES ? HUGE_SIZE : PAGE_SIZE;
    thp_mode = c->kind == HUGE ? THP_ALWAYS : THP_NEVER;
    assert_int_equal(mm_create(&s->mm), 0);
    if (!is_anonymous(c))
        s->object = object_of(c, s->bytes);
    if (sealed)
        fill_and_seal(s);
    if (c->shared && sealed && c->seal == SEALED) {
        assert_int_equal(map(s->mm, c, s->object, s->bytes, flags | VM_WRITE), -EPERM);
        flags &= ~(uint32_t)VM_MAYWRITE;
    } else {
        flags |= VM_WRITE;
    }
    assert_int_equal(map(s->mm, c, s->object, s->bytes, flags), 0);
    if (sealed && c->seal == SEALED_FOR_FUTURE)
        s->object->seals |= SEAL_FUTURE_WRITE;
}

static void scene_end(struct scene *s)
{
    if (s->kept)
        page_unkeep(s->kept);
    if (s->child) {
        mmu_forget(s->child);
        mm_put(s->child);
    }
    mmu_forget(s->mm);
    mm_put(s->mm);
    if (!s->object)
        return;
    assert_int_equal(atomic_load(&s->object->refcount), 1);
    object_put(s->object);
}

static void touch(const struct scene *s, bool write)
{
    uint64_t word = WORD_WRITTEN;
    bool may_write = vma_find(s->mm, s->at)->flags & VM_WRITE;

    assert_int_equal(
        mmu_access(s->mm, s->at, write && may_write ? ACCESS_WRITE : ACCESS_READ, &word),
        FAULT_RESOLVED);
}

static void cut(const struct scene *s)
{
    mutex_lock(&s->object->lock);
    object_truncate(s->object, 0);
    mutex_unlock(&s->object->lock);
}

static int listen(const struct scene *s, uint32_t modes)
{
    bool hugetlb;

    return mm_userfault_register(s->mm, s->at, s->at + s->bytes, modes, &listener, &hugetlb);
}

static int lose(const struct scene *s)
{
    int err = mm_discard_locked(s->mm, s->at, s->bytes);
    if (!err)
        err = listen(s, VM_UFFD_MISSING);
    if (err)
        return err;
    int64_t done =
        mm_userfault_fill(s->mm, &listener, s->at, s->bytes, USERFAULT_POISON, NULL, false);
    assert_int_equal(done, s->bytes);
    return mm_userfault_unregister(s->mm, s->at, s->at + s->bytes, &listener);
}

static int tell(const struct scene *s)
{
    int err = s->c->told ? listen(s, VM_UFFD_WP) : 0;
    return err || !s->c->told ? err : mm_userfault_protect(s->mm, &listener, s->at, s->bytes, true);
}

/* 0, or the call refuses that such a past ever is. */
static int past_begins(struct scene *s)
{
    enum past past = s->c->past;
    uint64_t out;

    if (past != UNTOUCHED)
        touch(s, past != WAS_READ);
    switch (past) {
    case UNTOUCHED:
    case WAS_READ:
    case WRITTEN:
        return 0;
    case DISCARDED:
        return mm_discard(s->mm, s->at, s->bytes);
    case GUARDED:
        return mm_guard(s->mm, s->at, s->bytes, true);
    case LOST:
        return lose(s);
    case CLOSED:
    case READ_ONLY:
        return mm_protect(s->mm, s->at, s->bytes, past == CLOSED ? 0 : VM_READ, 0);
    case MOVED:
        s->at = THERE;
        return mm_remap(s->mm, BASE, s->bytes, s->bytes, 3, THERE, &out);
    case GONE:
        if (!s->object)
            return mm_unmap(s->mm, s->at, s->bytes);
        cut(s);
        return 0;
    case PASTS:
        break;
    }
    fail_msg("no such past");
    return -EINVAL;
}

static int company_comes(struct scene *s)
{
    if (s->c->company == FORKED)
        return mm_fork(s->mm, &s->child);
    if (s->c->company == KEPT)
        return mm_pin(s->mm, s->at, KEEP_TO_READ, &s->kept);
    return 0;
}

static uint64_t *word_of_frame(struct page *page)
{
    return host_ram_of_programs(page_to_phys(page));
}

static uint64_t word_under_leaf(const struct scene *s)
{
    struct pt_walk walk = pt_walk(&s->mm->pgtable, user(s->at));
    pte_t pte = pte_read(walk.slot);

    return pte_has_frame(pte) ? *word_of_frame(phys_to_page(pte_phys(pte, walk.level))) : NOTHING;
}

static uint64_t word_of_object(const struct scene *s)
{
    if (!s->object || !object_has_page(s->object, 0))
        return NOTHING;
    struct page *page = object_find_page(s->object, 0);
    uint64_t word = *word_of_frame(page);
    page_put(page);
    return word;
}

static uint64_t word_of_child(const struct scene *s)
{
    uint64_t word;

    if (s->child && mmu_access(s->child, s->at, ACCESS_READ, &word) == FAULT_RESOLVED)
        return word;
    return NOTHING;
}

static enum verdict by_program(const struct scene *s, enum fault_access access, bool *faulted)
{
    uint64_t word = WORD_NEW;
    unsigned before = mmu_faults();

    if (mmu_key_refuses(s->mm, s->at, access))
        return KEY_REFUSES;
    switch (mmu_access(s->mm, s->at, access, &word)) {
    case FAULT_RESOLVED:
        *faulted = mmu_faults() != before;
        return DONE;
    case FAULT_NO_AREA:
        return NO_AREA;
    case FAULT_NO_RIGHT:
        return NO_RIGHT;
    case FAULT_BEYOND:
        return BEYOND;
    case FAULT_POISONED:
        return IS_LOST;
    case FAULT_ASKED:
        return IS_TOLD;
    case FAULT_NO_MEMORY:
        break;
    }
    fail_msg("an answer that nobody expects");
    return REFUSED;
}

static enum verdict by_kernel(const struct scene *s, enum fault_access access)
{
    uint64_t word = WORD_NEW;

    int64_t done = mm_access(s->mm, s->at, &word, sizeof(word), access, true);
    assert_true(done == sizeof(word) || done == -EFAULT);
    return done == sizeof(word) ? DONE : REFUSED;
}

static enum verdict by_device(const struct scene *s)
{
    struct page *page;

    int err = mm_pin(s->mm, s->at, KEEP_TO_WRITE, &page);
    if (!err)
        page_unkeep(page);
    assert_true(err == 0 || err == -EFAULT);
    return err ? REFUSED : DONE;
}

static enum verdict access_it(const struct scene *s, bool *faulted)
{
    switch (s->c->way) {
    case READS:
        return by_program(s, ACCESS_READ, faulted);
    case WRITES:
        return by_program(s, ACCESS_WRITE, faulted);
    case EXECUTES:
        return by_program(s, ACCESS_EXEC, faulted);
    case FORCES_READ:
        return by_kernel(s, ACCESS_READ);
    case FORCES_WRITE:
        return by_kernel(s, ACCESS_WRITE);
    case KEEPS_TO_WRITE:
        return by_device(s);
    case WAYS:
        break;
    }
    fail_msg("no such way");
    return REFUSED;
}

static bool is_soft_dirty(const struct scene *s)
{
    struct page_seen seen;

    pages_see(s->mm, s->at, 1, &seen);
    return seen.soft_dirty;
}

/* What mprotect() is told of the cell's key, which is given out here. */
static int key_of(const struct scene *s)
{
    static const uint32_t no_access[KEYS] = {0, 0, 1 << 4}, no_write[KEYS] = {0, 2 << 2, 0};

    assert_int_equal(mm_pkey_alloc(s->mm), 1);
    assert_int_equal(mm_pkey_alloc(s->mm), 2);
    mmu_pkru = no_access[s->c->key] | no_write[s->c->key];
    return s->c->key ? (int)s->c->key : NO_PKEY;
}

static struct outcome play(const struct cell *c)
{
    struct outcome o = {0};
    struct scene s;

    scene_begin(&s, c);
    o.exists = !past_begins(&s) && !tell(&s) && !company_comes(&s);
    if (!o.exists)
        goto end;
    if (c->tracked)
        mm_track_writes(s.mm);
    unsigned flushes = mmu_flushes();
    o.protect = mm_protect_key(s.mm, s.at, s.bytes, c->rights, 0, key_of(&s));
    o.flushed = mmu_flushes() != flushes;
    mmu_check();
    mmu_forget(s.mm); /* what is known of fewer rights than there are, would fault once */
    o.verdict = access_it(&s, &o.faulted);
    mmu_check();
    o.word = word_under_leaf(&s);
    o.object = word_of_object(&s);
    o.child = word_of_child(&s);
    o.kept = s.kept ? *word_of_frame(s.kept) : NOTHING;
    o.soft_dirty = is_soft_dirty(&s);
end:
    scene_end(&s);
    return o;
}

static bool is_same(const struct outcome *a, const struct outcome *b)
{
    return a->exists == b->exists &&
           (!a->exists ||
            (a->protect == b->protect && a->flushed == b->flushed && a->verdict == b->verdict &&
             a->faulted == b->faulted && a->word == b->word && a->object == b->object &&
             a->child == b->child && a->kept == b->kept && a->soft_dirty == b->soft_dirty));
}

static void show(const char *whose, const struct outcome *o)
{
    print_message("  %s: exists %d, mprotect %d%s, verdict %d%s, word %ld, object %ld, child %ld, "
                  "kept %ld%s\n",
                  whose, o->exists, o->protect, o->flushed ? " flushed" : "", o->verdict,
                  o->faulted ? " faulted" : "", (long)o->word, (long)o->object, (long)o->child,
                  (long)o->kept, o->soft_dirty ? ", soft dirty" : "");
}

/* Of both processes that try cells. */
static struct {
    _Atomic unsigned long tried, existing, different;
} * count;

static bool secrets_are_private(const struct cell *c)
{
    return c->kind == SECRETS && !c->shared; /* mmap() refuses that, above mm/ */
}

static void try(const struct cell *c)
{
    enum { SHOWN = 20 };
    struct outcome expected = reference(c), seen = {0};

    if (!secrets_are_private(c))
        seen = play(c);
    count->tried++;
    count->existing += seen.exists;
    if (is_same(&expected, &seen) || count->different++ >= SHOWN)
        return;
    print_message("rights %u%s, kind %d, seal %d%s%s, key %d, past %d, company %d, way %d\n",
                  c->rights, c->shared ? " shared" : "", c->kind, c->seal, c->told ? ", told" : "",
                  c->tracked ? ", tracked" : "", c->key, c->past, c->company, c->way);
    show("must be", &expected);
    show("is     ", &seen);
}

/* The next cell, the last dimension first. False: that was the last. */
static bool next(struct cell *c)
{
#define NEXT(field, values)                      \
    do {                                         \
        unsigned value = (unsigned)c->field + 1; \
        c->field = value < (values) ? value : 0; \
        if (value < (values))                    \
            return true;                         \
    } while (0)
    NEXT(way, WAYS);
    NEXT(company, COMPANIES);
    NEXT(past, PASTS);
    NEXT(key, KEYS);
    NEXT(tracked, 2);
    NEXT(told, 2);
    NEXT(seal, SEAL_CASES);
    NEXT(rights, RIGHTS);
    NEXT(shared, 2);
    NEXT(kind, KINDS);
#undef NEXT
    return false;
}

/* Every second cell, beginning with the @first, on a machine of its own. */
static void try_half(unsigned first)
{
    struct cell c = {0};
    unsigned n = 0;

    host_machine_start(64 * MIB);
    mmu_start();
    hugetlb_pool_resize(hugetlb_pool_of(0), POOL);
    do
        if (n++ % 2 == first)
            try(&c);
    while (next(&c));
}

static void every_cell_is_as_it_must_be(void **state)
{
    int status;

    (void)state;
    count = mmap(NULL, sizeof(*count), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(count, MAP_FAILED);
    pid_t other = fork();
    try_half(other == 0);
    if (other == 0)
        _exit(0);
    assert_int_equal(waitpid(other, &status, 0), other);
    assert_int_equal(status, 0);
    print_message("# %lu cells, of which %lu can exist; %lu differences\n", count->tried,
                  count->existing, count->different);
    assert_int_equal(count->tried,
                     8UL * 2 * KINDS * SEAL_CASES * 2 * 2 * KEYS * PASTS * COMPANIES * WAYS);
    assert_int_equal(count->different, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_cell_is_as_it_must_be)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
