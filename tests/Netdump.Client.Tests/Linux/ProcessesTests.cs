using System.Text;
using Microsoft.Win32.SafeHandles;
using Netdump.Client.Linux;

namespace Netdump.Client.Tests.Linux;

public sealed class ProcessesTests
{
    [Fact]
    public void A_program_that_is_not_there_says_so()
    {
        LinuxException missing = Assert.Throws<LinuxException>(() => Processes.Start("/nowhere/sh", "sh"));
        Assert.Equal("start /nowhere/sh: No such file or directory", missing.Message);
    }

    [Fact]
    public void A_child_inherits_the_pipes_writer_and_the_reader_sees_its_end()
    {
        (SafeFileHandle read, SafeFileHandle write) = Descriptors.PipeForChild();
        using (read)
        {
            using (write)
                Processes.Start("/bin/sh", "sh", "-c", $"printf '%s' \"$0\" > /proc/self/fd/{write.DangerousGetHandle()}", "two words");
            byte[] buffer = new byte[100];
            Assert.True(Descriptors.WaitReadable(read, TimeSpan.FromSeconds(20)));
            Assert.Equal("two words", Encoding.UTF8.GetString(buffer, 0, Descriptors.Read(read, buffer)));
            Assert.True(Descriptors.WaitReadable(read, TimeSpan.FromSeconds(20)));
            Assert.Equal(0, Descriptors.Read(read, buffer));
        }
    }

    [Fact]
    public void A_child_has_the_environment_of_its_parent_which_limits_the_heap_in_the_capture_kernel()
    {
        Environment.SetEnvironmentVariable("NETDUMP_TEST_CHILD", "a=b c");
        (SafeFileHandle read, SafeFileHandle write) = Descriptors.PipeForChild();
        using (read)
        {
            using (write)
                Processes.Start("/bin/sh", "sh", "-c", $"printf '%s' \"$NETDUMP_TEST_CHILD\" > /proc/self/fd/{write.DangerousGetHandle()}");
            byte[] buffer = new byte[100];
            Assert.True(Descriptors.WaitReadable(read, TimeSpan.FromSeconds(20)));
            Assert.Equal("a=b c", Encoding.UTF8.GetString(buffer, 0, Descriptors.Read(read, buffer)));
        }
    }

    [Fact]
    public void A_memory_file_is_readable_only_after_it_was_sealed()
    {
        SafeFileHandle writable = MemoryFile.Create("netdump-test");
        RandomAccess.Write(writable, "capture"u8, 0);
        using SafeFileHandle sealedFile = MemoryFile.Seal(writable);
        Assert.True(writable.IsClosed);
        byte[] content = new byte[20];
        Assert.Equal(7, RandomAccess.Read(sealedFile, content, 0));
        Assert.Equal(-9, Descriptors.Write(sealedFile, "x"u8)); // EBADF: not open for writing
    }

    [Fact]
    public void The_running_kernel_tells_its_release() =>
        Assert.Equal(File.ReadAllText("/proc/sys/kernel/osrelease").Trim(), KernelIdentity.Running().Release);

    [Fact]
    public void What_the_kernel_refuses_says_what_was_tried()
    {
        Assert.StartsWith("mount nosuchfs on /nowhere: ", Assert.Throws<LinuxException>(() => Mounts.Mount("x", "/nowhere", "nosuchfs")).Message, StringComparison.Ordinal);
    }
}
