/* SPDX-License-Identifier: MIT */
/*
 * kernel/devices.c - /dev, and the devices that are nothing but an idea: null, zero, full, random
 *
 * Room:   kernel.
 * Owns:   which number is which device; the directories every root has.
 * Locks:  none.
 * Always: (1) a node of a number that is not in the table exists, but cannot be opened.
 * Source: null(4), full(4), random(4); Linux Documentation/admin-guide/devices.txt (numbers).
 * Tour:   after kernel/fs.c; the terminals are in kernel/tty.c.
 */
#include "dma_buf.h"
#include "files.h"
#include "mount.h"
#include "poll.h"
#include "random.h"
#include "tty.h"
#include "userfaultfd.h"
#include <base/panic.h>
#include <uapi/errno.h>

static char zeros[PAGE_SIZE];

static int64_t null_read(struct file *f, struct object_copy *c, size_t len, uint64_t *pos)
{
    (void)f, (void)c, (void)len, (void)pos;
    return 0;
}

static int64_t null_write(struct file *f, struct object_copy *c, size_t len, uint64_t *pos)
{
    (void)f, (void)c, (void)pos;
    return len;
}

static int64_t full_write(struct file *f, struct object_copy *c, size_t len, uint64_t *pos)
{
    (void)f, (void)c, (void)len, (void)pos;
    return -ENOSPC;
}

static int64_t zero_read(struct file *f, struct object_copy *c, size_t len, uint64_t *pos)
{
    size_t done = 0, left = 0;

    (void)f, (void)pos;
    while (done < len && !left) {
        size_t chunk = min(len - done, sizeof(zeros));
        left = c->copy(c, zeros, done, chunk);
        done += chunk - left;
    }
    return done || !len ? (int64_t)done : -EFAULT;
}

static int64_t random_read(struct file *f, struct object_copy *c, size_t len, uint64_t *pos)
{
    char bytes[256];
    size_t done = 0, left = 0;

    (void)f, (void)pos;
    while (done < len && !left) {
        size_t chunk = min(len - done, sizeof(bytes));
        random_bytes(bytes, chunk);
        left = c->copy(c, bytes, done, chunk);
        done += chunk - left;
    }
    return done || !len ? (int64_t)done : -EFAULT;
}

static const struct file_ops null_ops = {.read = null_read, .write = null_write, .splices = true};
static const struct file_ops zero_ops = {.read = zero_read, .write = null_write, .splices = true};
static const struct file_ops full_ops = {.read = zero_read, .write = full_write, .splices = true};
static const struct file_ops random_ops = {
    .read = random_read, .write = null_write, .splices = true};

static const struct device {
    const char *name;
    uint16_t major, minor, rights;
    const struct file_ops *ops;
} devices[] = {
    {"null", 1, 3, 0666, &null_ops},
    {"zero", 1, 5, 0666, &zero_ops},
    {"full", 1, 7, 0666, &full_ops},
    {"random", 1, 8, 0666, &random_ops},
    {"urandom", 1, 9, 0666, &random_ops},
    {"tty", 5, 0, 0666, &tty_ops},
    {"console", 5, 1, 0600, &tty_ops},
    {"ttyS0", 4, 64, 0600, &tty_ops},
    {"ttyS1", 4, 65, 0600, &tty_ops},
    {"userfaultfd", 10, 257, 0600, &userfaultfd_device_ops},
    {"udmabuf", 10, 125, 0600, &udmabuf_ops},
};

int inode_create_device(uint32_t mode, uint64_t rdev, struct inode **out)
{
    int err = inode_create(mode, NULL, out);
    if (err)
        return err;
    (*out)->rdev = rdev;
    for (unsigned i = 0; i < ARRAY_SIZE(devices) && inode_is(*out, S_IFCHR); i++) {
        if (device_number(devices[i].major, devices[i].minor) == rdev)
            (*out)->file_ops = devices[i].ops;
    }
    return 0;
}

void devices_boot_init(const char *cmdline)
{
    struct dentry *dev = mount_boot("devtmpfs", fs_root, "dev", 0755);

    for (unsigned i = 0; i < ARRAY_SIZE(devices); i++) {
        const struct device *d = &devices[i];
        struct inode *inode = fs_boot_file(dev, d->name, S_IFCHR | d->rights, d->ops);
        inode->rdev = device_number(d->major, d->minor);
    }
    poll_boot_init();
    tty_boot_init(cmdline);
    fs_boot_directory(dev, "shm", 01777);
    fs_boot_directory(fs_root, "tmp", 01777);
    fs_boot_link(dev, "fd", "/proc/self/fd");
    fs_boot_link(dev, "stdin", "/proc/self/fd/0");
    fs_boot_link(dev, "stdout", "/proc/self/fd/1");
    fs_boot_link(dev, "stderr", "/proc/self/fd/2");
}
