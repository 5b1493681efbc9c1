/* SPDX-License-Identifier: MIT */
/*
 * kernel/sys_cred.c - system calls that ask and change who a task is
 *
 * Room:   kernel.
 * Owns:   nothing; see cred.h.
 * Locks:  tasks_lock, to look at another task.
 * Always: (1) a call that fails changes nothing.
 * Source: setuid(2), setreuid(2), setresuid(2), setfsuid(2), setgroups(2), capget(2), prctl(2),
 *         capabilities(7) "Effect of user ID changes on capabilities".
 * Tour:   after kernel/cred.c.
 */
#include "cred.h"
#include "syscall.h"
#include "task.h"
#include <asm/uaccess.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <uapi/errno.h>
#include <uapi/prctl.h>

#define UNCHANGED UINT32_MAX

static struct cred *my_copy(void)
{
    const struct cred *me = cred_current();
    return cred_copy(me, me->nr_groups);
}

static int64_t commit_or_drop(struct cred *cred, int64_t err)
{
    if (err)
        cred_put(cred);
    else
        cred_commit(cred);
    return err;
}

/* Numbers: the same rules for users and groups */

static bool is_one_of(const struct ids *ids, uint32_t id)
{
    return id == ids->real || id == ids->effective || id == ids->saved;
}

/* What a call wants them to be, as many as it has arguments. */
struct ids_wanted {
    uint32_t real, effective, saved;
};

/* Change @ids as one kind of call does; @may: the capability that allows any. 0 or -EPERM. */
typedef int64_t (*ids_rule)(struct ids *ids, const struct ids_wanted *wanted, bool may);

static int64_t set_one(struct ids *ids, const struct ids_wanted *wanted, bool may)
{
    uint32_t id = wanted->real;

    if (id == UNCHANGED)
        return -EINVAL;
    if (may)
        ids->real = ids->saved = id;
    else if (id != ids->real && id != ids->saved)
        return -EPERM;
    ids->effective = ids->fs = id;
    return 0;
}

static int64_t set_two(struct ids *ids, const struct ids_wanted *wanted, bool may)
{
    const struct ids old = *ids;
    uint32_t real = wanted->real, effective = wanted->effective;

    if (real != UNCHANGED && !may && real != old.real && real != old.effective)
        return -EPERM;
    if (effective != UNCHANGED && !may && !is_one_of(&old, effective))
        return -EPERM;
    if (real != UNCHANGED)
        ids->real = real;
    if (effective != UNCHANGED)
        ids->effective = effective;
    if (real != UNCHANGED || (effective != UNCHANGED && effective != old.real))
        ids->saved = ids->effective;
    ids->fs = ids->effective;
    return 0;
}

static int64_t set_three(struct ids *ids, const struct ids_wanted *wanted, bool may)
{
    const struct ids old = *ids;
    uint32_t real = wanted->real, effective = wanted->effective, saved = wanted->saved;

    if (!may && ((real != UNCHANGED && !is_one_of(&old, real)) ||
                 (effective != UNCHANGED && !is_one_of(&old, effective)) ||
                 (saved != UNCHANGED && !is_one_of(&old, saved))))
        return -EPERM;
    if (real != UNCHANGED)
        ids->real = real;
    if (effective != UNCHANGED)
        ids->effective = effective;
    if (saved != UNCHANGED)
        ids->saved = saved;
    ids->fs = ids->effective;
    return 0;
}

/* Users, whose changes take capabilities away or bring them back */

static bool any_is_root(const struct ids *user)
{
    return !user->real || !user->effective || !user->saved;
}

static void capabilities_follow_user(struct cred *cred, const struct ids *old)
{
    if (cred->securebits & SECBIT_NO_SETUID_FIXUP)
        return;
    if (any_is_root(old) && !any_is_root(&cred->user)) {
        if (!(cred->securebits & SECBIT_KEEP_CAPS))
            cred->permitted = cred->effective = 0;
        cred->ambient = 0;
    }
    if (!old->effective && cred->user.effective)
        cred->effective = 0;
    if (old->effective && !cred->user.effective)
        cred->effective = cred->permitted;
}

static void capabilities_follow_fs_user(struct cred *cred, uint32_t old)
{
    if (cred->securebits & SECBIT_NO_SETUID_FIXUP)
        return;
    if (!old && cred->user.fs)
        cred->effective &= ~CAP_OF_FILES;
    if (old && !cred->user.fs)
        cred->effective |= cred->permitted & CAP_OF_FILES;
}

static int64_t user_set(ids_rule rule, struct ids_wanted wanted)
{
    struct cred *cred = my_copy();
    if (!cred)
        return -ENOMEM;
    int64_t err = rule(&cred->user, &wanted, capable(CAP_SETUID));
    if (!err)
        capabilities_follow_user(cred, &cred_current()->user);
    return commit_or_drop(cred, err);
}

static int64_t group_set(ids_rule rule, struct ids_wanted wanted)
{
    struct cred *cred = my_copy();
    if (!cred)
        return -ENOMEM;
    return commit_or_drop(cred, rule(&cred->group, &wanted, capable(CAP_SETGID)));
}

int64_t sys_setuid(uint32_t uid)
{
    return user_set(set_one, (struct ids_wanted){.real = uid});
}

int64_t sys_setreuid(uint32_t real, uint32_t effective)
{
    return user_set(set_two, (struct ids_wanted){.real = real, .effective = effective});
}

int64_t sys_setresuid(uint32_t real, uint32_t effective, uint32_t saved)
{
    return user_set(set_three, (struct ids_wanted){real, effective, saved});
}

int64_t sys_setgid(uint32_t gid)
{
    return group_set(set_one, (struct ids_wanted){.real = gid});
}

int64_t sys_setregid(uint32_t real, uint32_t effective)
{
    return group_set(set_two, (struct ids_wanted){.real = real, .effective = effective});
}

int64_t sys_setresgid(uint32_t real, uint32_t effective, uint32_t saved)
{
    return group_set(set_three, (struct ids_wanted){real, effective, saved});
}

/* May the number that files are asked with become @id? */
static bool fs_id_allowed(const struct ids *ids, uint32_t id, unsigned cap)
{
    return id != UNCHANGED && (is_one_of(ids, id) || id == ids->fs || capable(cap));
}

int64_t sys_setfsuid(uint32_t uid)
{
    uint32_t old = cred_current()->user.fs;
    struct cred *cred = fs_id_allowed(&cred_current()->user, uid, CAP_SETUID) ? my_copy() : NULL;

    if (cred) {
        cred->user.fs = uid;
        capabilities_follow_fs_user(cred, old);
        cred_commit(cred);
    }
    return old;
}

int64_t sys_setfsgid(uint32_t gid)
{
    uint32_t old = cred_current()->group.fs;
    struct cred *cred = fs_id_allowed(&cred_current()->group, gid, CAP_SETGID) ? my_copy() : NULL;

    if (cred) {
        cred->group.fs = gid;
        cred_commit(cred);
    }
    return old;
}

int64_t sys_getuid(void)
{
    return cred_current()->user.real;
}

int64_t sys_geteuid(void)
{
    return cred_current()->user.effective;
}

int64_t sys_getgid(void)
{
    return cred_current()->group.real;
}

int64_t sys_getegid(void)
{
    return cred_current()->group.effective;
}

static int64_t put_ids(const struct ids *ids, user_addr_t real, user_addr_t effective,
                       user_addr_t saved)
{
    int err = copy_to_user(real, &ids->real, sizeof(ids->real));
    if (!err)
        err = copy_to_user(effective, &ids->effective, sizeof(ids->effective));
    return err ? err : copy_to_user(saved, &ids->saved, sizeof(ids->saved));
}

int64_t sys_getresuid(user_addr_t real, user_addr_t effective, user_addr_t saved)
{
    return put_ids(&cred_current()->user, real, effective, saved);
}

int64_t sys_getresgid(user_addr_t real, user_addr_t effective, user_addr_t saved)
{
    return put_ids(&cred_current()->group, real, effective, saved);
}

/* Supplementary groups */

int64_t sys_getgroups(int size, user_addr_t list)
{
    const struct cred *me = cred_current();

    if (size < 0)
        return -EINVAL;
    if (!size)
        return me->nr_groups;
    if ((uint32_t)size < me->nr_groups)
        return -EINVAL;
    int err = copy_to_user(list, me->groups, me->nr_groups * sizeof(me->groups[0]));
    return err ? err : (int64_t)me->nr_groups;
}

/* Shell sort: the list comes from a program, and must not cost the square of its length. */
static void sort(uint32_t *a, uint32_t n)
{
    for (uint32_t gap = n / 2; gap; gap /= 2)
        for (uint32_t i = gap; i < n; i++) {
            uint32_t value = a[i], at = i;
            for (; at >= gap && a[at - gap] > value; at -= gap)
                a[at] = a[at - gap];
            a[at] = value;
        }
}

int64_t sys_setgroups(int size, user_addr_t list)
{
    uint32_t nr = size;

    if (!capable(CAP_SETGID))
        return -EPERM;
    if (nr > GROUPS_MAX)
        return -EINVAL;
    struct cred *cred = cred_copy(cred_current(), nr);
    if (!cred)
        return -ENOMEM;
    int64_t err = nr ? copy_from_user(cred->groups, list, nr * sizeof(cred->groups[0])) : 0;
    cred->nr_groups = nr;
    sort(cred->groups, nr);
    return commit_or_drop(cred, err);
}

/* Capabilities as sets of words of 32 */

static unsigned words_of(uint32_t version)
{
    switch (version) {
    case CAP_VERSION_1:
        return 1;
    case CAP_VERSION_2:
    case CAP_VERSION_3:
        return 2;
    default:
        return 0;
    }
}

/* The header, and how many words of data its version has; an unknown one is answered by ours. */
static int64_t header_read(user_addr_t from, struct uapi_cap_header *header, unsigned *words)
{
    const uint32_t version = CAP_VERSION_3;

    if (copy_from_user(header, from, sizeof(*header)))
        return -EFAULT;
    *words = words_of(header->version);
    if (*words)
        return 0;
    return copy_to_user(from, &version, sizeof(version)) ? -EFAULT : -EINVAL;
}

/* The sets of another task: 0 or -ESRCH. */
static int64_t sets_of(int pid, struct cred *out)
{
    tasks_lock();
    const struct task *task = pid ? task_named(pid) : task_current();
    if (task && task->cred)
        memcpy(out, task->cred, sizeof(*out));
    tasks_unlock();
    return task ? 0 : -ESRCH;
}

int64_t sys_capget(user_addr_t header_at, user_addr_t data_at)
{
    struct uapi_cap_header header;
    struct uapi_cap_data data[2];
    struct cred sets;
    unsigned words;

    int64_t err = header_read(header_at, &header, &words);
    if (err || !data_at.raw)
        return err == -EINVAL && !data_at.raw ? 0 : err;
    if (header.pid < 0)
        return -EINVAL;
    err = sets_of(header.pid, &sets);
    if (err)
        return err;
    for (unsigned i = 0; i < words; i++)
        data[i] = (struct uapi_cap_data){.effective = sets.effective >> 32 * i,
                                         .permitted = sets.permitted >> 32 * i,
                                         .inheritable = sets.inheritable >> 32 * i};
    return copy_to_user(data_at, data, words * sizeof(data[0]));
}

static int64_t sets_check(const struct cred *old, const struct cred *new)
{
    bool may_inherit_any = cred_is_capable(old, CAP_SETPCAP);

    if (!may_inherit_any && (new->inheritable & ~(old->inheritable | old->permitted)))
        return -EPERM;
    if (new->inheritable & ~(old->inheritable | old->bounding))
        return -EPERM;
    if (new->permitted & ~old->permitted)
        return -EPERM;
    return new->effective & ~new->permitted ? -EPERM : 0;
}

int64_t sys_capset(user_addr_t header_at, user_addr_t data_at)
{
    struct uapi_cap_data data[2] = {0};
    struct uapi_cap_header header;
    unsigned words;

    int64_t err = header_read(header_at, &header, &words);
    if (err)
        return err;
    if (header.pid && header.pid != pid_here(task_current()->tid))
        return -EPERM;
    if (copy_from_user(data, data_at, words * sizeof(data[0])))
        return -EFAULT;
    struct cred *cred = my_copy();
    if (!cred)
        return -ENOMEM;
    cred->effective = (data[0].effective | (uint64_t)data[1].effective << 32) & CAP_ALL;
    cred->permitted = (data[0].permitted | (uint64_t)data[1].permitted << 32) & CAP_ALL;
    cred->inheritable = (data[0].inheritable | (uint64_t)data[1].inheritable << 32) & CAP_ALL;
    cred->ambient &= cred->permitted & cred->inheritable;
    return commit_or_drop(cred, sets_check(cred_current(), cred));
}

/* prctl(2) */

static int64_t bounding_drop(uint64_t cap)
{
    if (!capable(CAP_SETPCAP))
        return -EPERM;
    if (cap > CAP_LAST)
        return -EINVAL;
    struct cred *cred = my_copy();
    if (!cred)
        return -ENOMEM;
    cred->bounding &= ~CAP_BIT(cap);
    cred_commit(cred);
    return 0;
}

static int64_t securebits_set(uint32_t bits)
{
    struct cred *cred = my_copy();
    if (!cred)
        return -ENOMEM;
    cred->securebits = bits;
    cred_commit(cred);
    return 0;
}

static int64_t securebits_change(uint64_t bits)
{
    uint32_t old = cred_current()->securebits, locks = old & SECBITS_LOCKS;

    if ((locks >> 1 & (old ^ bits)) || (locks & ~bits) || (bits & ~(uint64_t)SECBITS_ALL) ||
        !capable(CAP_SETPCAP))
        return -EPERM;
    return securebits_set(bits);
}

static int64_t keep_caps_set(uint64_t on)
{
    uint32_t old = cred_current()->securebits;

    if (on > 1)
        return -EINVAL;
    if (old & (SECBIT_KEEP_CAPS << 1))
        return -EPERM;
    return securebits_set(on ? old | SECBIT_KEEP_CAPS : old & ~SECBIT_KEEP_CAPS);
}

static int64_t no_new_privs_set(void)
{
    struct cred *cred = my_copy();
    if (!cred)
        return -ENOMEM;
    cred->no_new_privs = true;
    cred_commit(cred);
    return 0;
}

static int64_t ambient_set(uint64_t ambient)
{
    struct cred *cred = my_copy();
    if (!cred)
        return -ENOMEM;
    cred->ambient = ambient;
    cred_commit(cred);
    return 0;
}

static int64_t ambient(uint64_t command, uint64_t cap)
{
    const struct cred *me = cred_current();

    if (command == PR_CAP_AMBIENT_CLEAR_ALL)
        return cap ? -EINVAL : ambient_set(0);
    if (cap > CAP_LAST)
        return -EINVAL;
    uint64_t bit = CAP_BIT(cap);
    switch (command) {
    case PR_CAP_AMBIENT_IS_SET:
        return !!(me->ambient & bit);
    case PR_CAP_AMBIENT_RAISE:
        if (!(me->permitted & me->inheritable & bit) ||
            (me->securebits & SECBIT_NO_CAP_AMBIENT_RAISE))
            return -EPERM;
        return ambient_set(me->ambient | bit);
    case PR_CAP_AMBIENT_LOWER:
        return ambient_set(me->ambient & ~bit);
    default:
        return -EINVAL;
    }
}

int64_t prctl_cred(int option, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
    const struct cred *me = cred_current();

    switch (option) {
    case PR_GET_KEEPCAPS:
        return !!(me->securebits & SECBIT_KEEP_CAPS);
    case PR_SET_KEEPCAPS:
        return keep_caps_set(a2);
    case PR_CAPBSET_READ:
        return a2 > CAP_LAST ? -EINVAL : !!(me->bounding & CAP_BIT(a2));
    case PR_CAPBSET_DROP:
        return bounding_drop(a2);
    case PR_GET_SECUREBITS:
        return me->securebits;
    case PR_SET_SECUREBITS:
        return securebits_change(a2);
    case PR_SET_NO_NEW_PRIVS:
        return a2 != 1 || a3 || a4 || a5 ? -EINVAL : no_new_privs_set();
    case PR_GET_NO_NEW_PRIVS:
        return a2 || a3 || a4 || a5 ? -EINVAL : me->no_new_privs;
    case PR_CAP_AMBIENT:
        return a4 || a5 ? -EINVAL : ambient(a2, a3);
    default:
        return -EINVAL;
    }
}
