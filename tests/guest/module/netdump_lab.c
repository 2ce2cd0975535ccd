// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0
// Crashes on purpose, in process context: writing to /proc/netdump_lab dereferences a null pointer.
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/uaccess.h>

static int *netdump_lab_target;

static noinline void netdump_lab_dereference(void)
{
	WRITE_ONCE(*netdump_lab_target, 1);
}

static ssize_t netdump_lab_write(struct file *file, const char __user *text, size_t count, loff_t *position)
{
	netdump_lab_dereference();
	return count;
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
