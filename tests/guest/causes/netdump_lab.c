// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0
// Crashes on purpose: the name of a cause written to /proc/netdump_lab makes it happen, in the context of the writer unless the cause is a hang.
// What each should be called, and who is to blame, is known, so that an analysis can be judged.
#include <linux/completion.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/proc_fs.h>
#include <linux/rwsem.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

struct netdump_lab_box {
	struct netdump_lab_box *next;
	long value;
	struct list_head link;
};

static int *netdump_lab_target;
static int netdump_lab_divisor;

static noinline void netdump_lab_dereference(void)
{
	WRITE_ONCE(*netdump_lab_target, 1);
}

static noinline void netdump_lab_bug(void)
{
	BUG();
}

static noinline void netdump_lab_warn(void)
{
	WARN(1, "netdump_lab: a warning with a number, %d\n", 42);
}

static noinline void netdump_lab_divide(void)
{
	WRITE_ONCE(netdump_lab_divisor, 1000 / READ_ONCE(netdump_lab_divisor));
}

// Never gets back: the frame is there for each call, whatever the compiler thinks of the recursion.
static noinline int netdump_lab_recurse(int depth)
{
	volatile char frame[256];

	frame[depth & 255] = depth;
	if (depth < 0)
		return 0;
	return netdump_lab_recurse(depth + 1) + frame[depth & 255];
}

// A page is given back, and a pointer that lay in it followed: with page_poison=1 that is 0xaaaaaaaaaaaaaaaa.
static noinline void netdump_lab_use_page(void)
{
	struct netdump_lab_box *box = (void *)__get_free_page(GFP_KERNEL);

	if (!box)
		return;
	box->next = box;
	free_page((unsigned long)box);
	WRITE_ONCE(READ_ONCE(box->next)->value, 1);
}

// The same in a slab cache that poisons what is freed: 0x6b6b6b6b6b6b6b6b.
static noinline void netdump_lab_use_object(void)
{
	struct kmem_cache *cache = kmem_cache_create("netdump_lab", sizeof(struct netdump_lab_box), 0, SLAB_POISON, NULL);
	struct netdump_lab_box *box = cache ? kmem_cache_alloc(cache, GFP_KERNEL) : NULL;

	if (!box)
		return;
	box->next = box;
	kmem_cache_free(cache, box);
	WRITE_ONCE(READ_ONCE(box->next)->value, 1);
}

static noinline void netdump_lab_unlink(struct netdump_lab_box *box)
{
	list_del(&box->link);
}

static noinline void netdump_lab_unlink_twice(void)
{
	static LIST_HEAD(boxes);
	static struct netdump_lab_box box;

	list_add(&box.link, &boxes);
	netdump_lab_unlink(&box);
	netdump_lab_unlink(&box);
}

// One processor that schedules no more: a soft lockup.
static noinline void netdump_lab_spin(void)
{
	preempt_disable();
	while (!READ_ONCE(netdump_lab_divisor))
		cpu_relax();
	preempt_enable();
}

// Chains of locks: lab_holder sleeps with the first; lab_middle has the second and waits for the first; two lab_waiter wait for the second.
static DEFINE_MUTEX(netdump_lab_first_mutex);
static DEFINE_MUTEX(netdump_lab_second_mutex);
static DECLARE_RWSEM(netdump_lab_first_rwsem);
static DECLARE_RWSEM(netdump_lab_second_rwsem);
static DECLARE_COMPLETION(netdump_lab_step);

static noinline void netdump_lab_sleep(void)
{
	complete(&netdump_lab_step);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(MAX_SCHEDULE_TIMEOUT);
}

static int netdump_lab_hold_mutex(void *nothing)
{
	mutex_lock(&netdump_lab_first_mutex);
	netdump_lab_sleep();
	mutex_unlock(&netdump_lab_first_mutex);
	return 0;
}

static int netdump_lab_middle_mutex(void *nothing)
{
	mutex_lock(&netdump_lab_second_mutex);
	complete(&netdump_lab_step);
	mutex_lock(&netdump_lab_first_mutex);
	mutex_unlock(&netdump_lab_first_mutex);
	mutex_unlock(&netdump_lab_second_mutex);
	return 0;
}

static int netdump_lab_last_mutex(void *nothing)
{
	complete(&netdump_lab_step);
	mutex_lock(&netdump_lab_second_mutex);
	mutex_unlock(&netdump_lab_second_mutex);
	return 0;
}

static int netdump_lab_hold_shared(void *nothing)
{
	down_write(&netdump_lab_first_rwsem);
	netdump_lab_sleep();
	up_write(&netdump_lab_first_rwsem);
	return 0;
}

static int netdump_lab_middle_shared(void *nothing)
{
	down_write(&netdump_lab_second_rwsem);
	complete(&netdump_lab_step);
	down_read(&netdump_lab_first_rwsem);
	up_read(&netdump_lab_first_rwsem);
	up_write(&netdump_lab_second_rwsem);
	return 0;
}

static int netdump_lab_last_shared(void *nothing)
{
	complete(&netdump_lab_step);
	down_write(&netdump_lab_second_rwsem);
	up_write(&netdump_lab_second_rwsem);
	return 0;
}

static void netdump_lab_start(int (*run)(void *), const char *name)
{
	if (!IS_ERR(kthread_run(run, NULL, "%s", name)))
		wait_for_completion(&netdump_lab_step);
}

static void netdump_lab_chain(int (*hold)(void *), int (*middle)(void *), int (*wait)(void *))
{
	netdump_lab_start(hold, "lab_holder");
	netdump_lab_start(middle, "lab_middle");
	netdump_lab_start(wait, "lab_waiter");
	netdump_lab_start(wait, "lab_waiter");
}

static void netdump_lab_mutex_chain(void)
{
	netdump_lab_chain(netdump_lab_hold_mutex, netdump_lab_middle_mutex, netdump_lab_last_mutex);
}

static void netdump_lab_rwsem_chain(void)
{
	netdump_lab_chain(netdump_lab_hold_shared, netdump_lab_middle_shared, netdump_lab_last_shared);
}

static void netdump_lab_overflow(void)
{
	WRITE_ONCE(netdump_lab_divisor, netdump_lab_recurse(0));
}

static void netdump_lab_panic(void)
{
	panic("netdump_lab: node %d lost its quorum", 3);
}

static const struct {
	const char *name;
	void (*happen)(void);
} netdump_lab_causes[] = {
	{ "null", netdump_lab_dereference },
	{ "bug", netdump_lab_bug },
	{ "warn", netdump_lab_warn },
	{ "divide", netdump_lab_divide },
	{ "overflow", netdump_lab_overflow },
	{ "page", netdump_lab_use_page },
	{ "object", netdump_lab_use_object },
	{ "list", netdump_lab_unlink_twice },
	{ "softlockup", netdump_lab_spin },
	{ "mutex", netdump_lab_mutex_chain },
	{ "rwsem", netdump_lab_rwsem_chain },
	{ "panic", netdump_lab_panic },
};

static ssize_t netdump_lab_write(struct file *file, const char __user *text, size_t count, loff_t *position)
{
	char name[16] = "";
	size_t i;

	if (count >= sizeof(name) || copy_from_user(name, text, count))
		return -EINVAL;
	for (i = 0; i < ARRAY_SIZE(netdump_lab_causes); i++) {
		if (strcmp(strim(name), netdump_lab_causes[i].name) == 0) {
			netdump_lab_causes[i].happen();
			return count;
		}
	}
	return -EINVAL;
}

static const struct proc_ops netdump_lab_ops = {
	.proc_write = netdump_lab_write,
};

static int __init netdump_lab_init(void)
{
	return proc_create("netdump_lab", 0200, NULL, &netdump_lab_ops) ? 0 : -ENOMEM;
}

static void __exit netdump_lab_exit(void)
{
	remove_proc_entry("netdump_lab", NULL);
}

module_init(netdump_lab_init);
module_exit(netdump_lab_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Crashes on purpose, for Netdump's end-to-end tests");
