/* SPDX-License-Identifier: MIT */
/*
 * user/init.c - process 1: mounts what the kernel offers, runs one job, reports its status
 *
 * Room:   user. A static Linux program that runs unchanged on Linux and on Bulla.
 * Owns:   the life of the job, and the line `init: status N` that tools/run waits for.
 * Locks:  none.
 * Always: (1) the job's output has left its port before the status line is written;
 *         (2) the job's first byte on that port follows JOB_MARK;
 *         (3) exactly one status line is written, then the machine is switched off;
 *         (4) what a kernel does not have (ENOSYS, ENOTTY, ENOENT) is done without.
 * Source: initramfs convention of Linux (/init is process 1); termios(3); reboot(2).
 * Tour:   after user/hello.c, before tools/run.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define JOB_FILE  "/etc/job"
#define JOB_PORT  "/dev/ttyS1"
#define LOG_PORT  "/dev/ttyS0"
#define CONSOLE   "/dev/console"
#define CORE_MARK "\001init: core\002" /* on the job's port: the rest is a core file */
#define JOB_MARK  "\001init: job\002"  /* on the job's port: what came before is the firmware's */

/*
 * /etc/job is a list of NUL-terminated strings: options, then "--", then argv.
 *
 *   mode=raw|stream|term   how the port treats bytes; see port_set_mode()
 *   stdin=PATH             standard input is this file, not the port
 *   exec=PATH              the program's file; argv[0] stays what the user typed
 *   env=NAME=VALUE         one variable of the environment
 *   rows=N cols=N          size of the user's terminal
 *   core=1                 let it leave a core file, and send that over the port behind CORE_MARK
 *   hold=1                 the program starts when a line has come over the port
 *
 * Without argv the job is the guided tour, followed by a shell if the mode is term. Without the
 * file (an image that was booted by hand) it is the same, on the console.
 */
enum port_mode { PORT_RAW, PORT_STREAM, PORT_TERM };

struct job {
    const char *port;
    const char *stdin_path; /* NULL: the port */
    const char *exec_path;  /* NULL: argv[0] */
    enum port_mode mode;
    struct winsize size; /* zero: unknown */
    bool core, hold;
    char **argv; /* argv[0] == NULL: tour and shell */
    char **envp;
};

enum { JOB_BYTES_MAX = 256 * 1024, JOB_STRINGS_MAX = 8192 };

static char job_text[JOB_BYTES_MAX + 1];
static char *job_argv[JOB_STRINGS_MAX];
static char *job_envp[JOB_STRINGS_MAX];

/* The log port is opened for each line: it stays free for whoever else wants it. */
static void say(const char *text)
{
    int fd = open(LOG_PORT, O_WRONLY | O_NOCTTY);

    if (fd < 0)
        fd = open(CONSOLE, O_WRONLY | O_NOCTTY);
    if (fd < 0)
        return;
    if (write(fd, text, strlen(text)) < 0)
        return; /* nobody is left to be told */
    tcdrain(fd);
    close(fd);
}

static void mount_all(void)
{
    static const char *const wanted[][3] = {
        {"proc", "/proc", NULL},
        {"sysfs", "/sys", NULL},
        {"devtmpfs", "/dev", NULL},
        {"tmpfs", "/tmp", "mode=1777"},
        {"tmpfs", "/dev/shm", "mode=1777"},
    };

    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        mkdir(wanted[i][1], 0755);
        mount(wanted[i][0], wanted[i][1], wanted[i][0], 0, wanted[i][2]);
    }
}

/* A job that is killed gets its line in the kernel's log, even when Linux was booted quietly. */
static void show_kernel_reports(void)
{
    int fd = open("/proc/sys/kernel/printk", O_WRONLY);

    if (fd < 0)
        return;
    if (write(fd, "7\n", 2) < 0)
        say("init: the kernel's log level stays as it is\n");
    close(fd);
}

static void job_option(struct job *job, const char *name, char *value)
{
    if (!strcmp(name, "mode"))
        job->mode = value[0] == 't' ? PORT_TERM : value[0] == 's' ? PORT_STREAM : PORT_RAW;
    else if (!strcmp(name, "stdin"))
        job->stdin_path = value;
    else if (!strcmp(name, "exec"))
        job->exec_path = value;
    else if (!strcmp(name, "core"))
        job->core = true;
    else if (!strcmp(name, "hold"))
        job->hold = true;
    else if (!strcmp(name, "rows"))
        job->size.ws_row = (unsigned short)atoi(value);
    else if (!strcmp(name, "cols"))
        job->size.ws_col = (unsigned short)atoi(value);
}

/* Cut @text into options, environment and argv. The strings stay where they are. */
static void job_parse(struct job *job, char *text, size_t len)
{
    size_t nr_args = 0, nr_env = 0;
    bool options = true;

    for (char *s = text, *next; s < text + len; s = next) {
        char *equals = strchr(s, '=');

        next = s + strlen(s) + 1;
        if (!options && nr_args + 1 < JOB_STRINGS_MAX)
            job_argv[nr_args++] = s;
        else if (!strcmp(s, "--"))
            options = false;
        else if (!strncmp(s, "env=", 4) && nr_env + 1 < JOB_STRINGS_MAX)
            job_envp[nr_env++] = equals + 1;
        else if (equals) {
            *equals = '\0';
            job_option(job, s, equals + 1);
        }
    }
}

/* Reads JOB_FILE. Returns false, with the defaults in @job, when there is none. */
static bool job_load(struct job *job)
{
    size_t len = 0;
    ssize_t n;
    int fd = open(JOB_FILE, O_RDONLY);

    *job = (struct job){.port = CONSOLE, .mode = PORT_TERM, .argv = job_argv, .envp = job_envp};
    if (fd < 0)
        return false;
    while (len < JOB_BYTES_MAX && (n = read(fd, job_text + len, JOB_BYTES_MAX - len)) > 0)
        len += (size_t)n;
    close(fd);
    job->port = JOB_PORT;
    job->mode = PORT_RAW;
    job_parse(job, job_text, len);
    return true;
}

/*
 * raw:    every byte passes both ways as it is.
 * stream: as raw, but ^D at the start of a line is the end of the input and ^V makes the next
 *         byte an ordinary one: so an end of file can travel on the line.
 * term:   a terminal with a person behind it: echo, line editing, ^C.
 */
static void port_set_mode(int fd, const struct job *job)
{
    struct termios t;

    if (tcgetattr(fd, &t) < 0 || job->mode == PORT_TERM) {
        if (job->size.ws_row && job->size.ws_col)
            ioctl(fd, TIOCSWINSZ, &job->size);
        return;
    }
    cfmakeraw(&t);
    if (job->mode == PORT_STREAM) {
        memset(t.c_cc, _POSIX_VDISABLE, sizeof t.c_cc);
        t.c_cc[VEOF] = 'D' - '@';
        t.c_cc[VLNEXT] = 'V' - '@';
        t.c_lflag |= ICANON | IEXTEN;
    }
    tcsetattr(fd, TCSANOW, &t);
}

/* In the child: make the port standard input, output and error. */
static void job_open_port(const struct job *job)
{
    enum { PORT_FD = 10, INPUT_FD }; /* clear of 0-2, which process 1 may have been born without */
    int fd;

    setsid();
    fd = open(job->port, O_RDWR | (job->mode == PORT_TERM ? 0 : O_NOCTTY));
    if (fd < 0)
        fd = open(CONSOLE, O_RDWR | O_NOCTTY);
    if (dup2(fd, PORT_FD) < 0)
        _exit(126);
    port_set_mode(PORT_FD, job);
    if (!strcmp(job->port, JOB_PORT) && write(PORT_FD, JOB_MARK, strlen(JOB_MARK)) < 0)
        _exit(126);
    if (job->mode == PORT_TERM)
        ioctl(PORT_FD, TIOCSCTTY, 0);
    fd = job->stdin_path ? open(job->stdin_path, O_RDONLY) : -1;
    dup2(fd < 0 ? PORT_FD : fd, INPUT_FD);
    dup2(INPUT_FD, STDIN_FILENO);
    dup2(PORT_FD, STDOUT_FILENO);
    dup2(PORT_FD, STDERR_FILENO);
    for (fd = INPUT_FD; fd > STDERR_FILENO; fd--)
        close(fd);
}

/* In the child, whose port is open: until somebody has seen that it is ready, and says a line. */
static void job_wait_to_be_let_go(void)
{
    char c = '\0';

    while (c != '\n')
        if (read(STDOUT_FILENO, &c, 1) != 1)
            _exit(126);
}

/* In the child: become the program, or die as a shell would. */
_Noreturn static void job_exec(const struct job *job, char **argv)
{
    const char *path = job->exec_path ? job->exec_path : argv[0];
    char line[512];
    int err;

    snprintf(line, sizeof line, "init: job %s\n", path);
    say(line); /* the port is ready: input may come */
    if (job->hold)
        job_wait_to_be_let_go();
    if (job->core)
        setrlimit(RLIMIT_CORE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY});
    execve(path, argv, job->envp);
    err = errno;
    snprintf(line, sizeof line, "init: cannot run %s: %s\n", path, strerror(err));
    say(line);
    _exit(err == ENOENT ? 127 : 126);
}

/* Run one program to its end. Returns its exit code, or 128 + the signal that killed it. */
static int job_run(const struct job *job, char **argv)
{
    pid_t child = fork(), done;
    int status = 0;

    if (child < 0) {
        say("init: cannot fork\n");
        return 126;
    }
    if (child == 0) {
        job_open_port(job);
        job_exec(job, argv);
    }
    do
        done = wait4(-1, &status, 0, NULL);
    while (done != child && (done > 0 || errno == EINTR));
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* The tour, then a shell for whoever sits at a terminal. The tour's status is what counts. */
static int tour_and_shell(const struct job *job)
{
    static char *tour[] = {"/bin/tour", NULL}, *shell[] = {"/bin/sh", NULL};
    int status = job_run(job, tour);

    if (job->mode == PORT_TERM && access(shell[0], X_OK) == 0)
        job_run(job, shell);
    return status;
}

/* What the job's last writer left in the port's queue must be out before the power is. */
static void job_drain(const struct job *job)
{
    int fd = open(job->port, O_WRONLY | O_NOCTTY);

    if (fd < 0)
        return;
    tcdrain(fd);
    close(fd);
}

/* The bytes of @file, all of them; the port is in raw mode. */
static void copy_to_port(int file, int port)
{
    static char buffer[65536];
    ssize_t n;

    while ((n = read(file, buffer, sizeof buffer)) > 0)
        for (ssize_t done = 0, put; done < n; done += put)
            if ((put = write(port, buffer + done, (size_t)(n - done))) <= 0)
                return;
}

/* What the job left behind when it died, if it was asked for: claim 1 holds already. */
static void job_send_core(const struct job *job)
{
    struct job raw = *job;
    int file = open("core", O_RDONLY), port = open(job->port, O_WRONLY | O_NOCTTY);

    raw.mode = PORT_RAW;
    if (file >= 0 && port >= 0) {
        port_set_mode(port, &raw);
        if (write(port, CORE_MARK, strlen(CORE_MARK)) == (ssize_t)strlen(CORE_MARK))
            copy_to_port(file, port);
        tcdrain(port);
    }
    close(file);
    close(port);
}

int main(void)
{
    static char *const defaults[] = {"PATH=/bin:/sbin:/usr/bin:/usr/sbin", "HOME=/", "TERM=linux"};
    struct job job;
    char line[64];
    int status;

    if (getpid() != 1) {
        fprintf(stderr, "init: runs as process 1 only: it would switch this machine off\n");
        return 1;
    }
    mount_all();
    show_kernel_reports();
    if (!job_load(&job))
        memcpy(job_envp, defaults, sizeof defaults);
    status = job.argv[0] ? job_run(&job, job.argv) : tour_and_shell(&job);
    job_drain(&job);
    if (job.core)
        job_send_core(&job);
    snprintf(line, sizeof line, "init: status %d\n", status);
    say(line);
    reboot(RB_POWER_OFF);
    return status;
}
