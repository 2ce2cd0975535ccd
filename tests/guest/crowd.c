// Makes tasks that sleep for good, every second one of them in uninterruptible sleep. usage: crowd TASKS      (built with -static)
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { STACK = 4096 };

static int pauses(void *unused)
{
    (void)unused;
    while (pause() != 0) {}
    return 0;
}

// Who lends a child its memory is in state D until the child has gone on, which this one never does.
static int lends(void *stack) { return clone(pauses, stack, CLONE_VM | CLONE_VFORK | SIGCHLD, 0); }

int main(int count, char **words)
{
    int tasks = count > 1 ? atoi(words[1]) : 0;
    char *stacks = mmap(0, (size_t)(tasks + 2) * STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stacks == MAP_FAILED) return 1;
    for (int i = 0; i < tasks; i += 2) {
        int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
        if (clone(lends, stacks + (size_t)(i + 1) * STACK, flags, stacks + (size_t)(i + 2) * STACK) < 0) {
            perror("crowd: clone");
            return 1;
        }
    }
    return pauses(0);
}
