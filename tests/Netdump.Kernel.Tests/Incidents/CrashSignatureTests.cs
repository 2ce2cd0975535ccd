using Netdump.Kernel.Incidents;
using Netdump.Vmcore.Tests;

namespace Netdump.Kernel.Tests.Incidents;

public class CrashSignatureTests
{
    private const string SysrqKey = "v1|sysrq|sysrq_handle_crash|__handle_sysrq|write_sysrq_trigger";

    [Theory]
    [InlineData("linux-6.1-sysrq", "dmesg.txt")]
    [InlineData("linux-6.1-sysrq", "netconsole-extended.txt")]
    [InlineData("linux-6.1-sysrq-4level", "dmesg.txt")]
    [InlineData("linux-7.3-sysrq", "dmesg.txt")]
    [InlineData("linux-7.3-sysrq-full", "dmesg.txt")]
    public void Item55_every_log_of_a_sysrq_crash_has_one_signature(string crash, string file)
    {
        using var text = new StreamReader(SharedData.File(crash, file));
        CrashSignature? signature = LogAnalysis.Of(ConsoleLine.Of(text)).Signature;
        Assert.NotNull(signature);
        Assert.Equal(SysrqKey, signature.Key);
        Assert.Equal("c387c617f6670a05", signature.Id);
        Assert.Equal("kernel panic: sysrq triggered crash", signature.Title);
    }

    [Theory]
    [InlineData("foo.isra.0.cold", "foo")]
    [InlineData("foo.llvm.123", "foo")]
    [InlineData("foo.llvm.9a8b7c", "foo")]
    [InlineData("foo.part.2.constprop.0", "foo")]
    [InlineData("foo.lto_priv.0", "foo")]
    [InlineData("foo.localalias", "foo")]
    [InlineData("foo.42", "foo")]
    [InlineData("__pfx_foo", "foo")]
    [InlineData("__x64_sys_read", "sys_read")]
    [InlineData("__do_sys_read", "sys_read")]
    [InlineData("__se_compat_sys_ioctl", "sys_ioctl")]
    [InlineData("ksys_read", "ksys_read")]
    [InlineData("foo.isra", "foo.isra")]
    public void Item54_names_lose_what_the_compiler_added(string name, string expected) => Assert.Equal(expected, SignatureNames.Normalise(name));

    [Fact]
    public void Item56_frames_with_a_question_mark_never_enter()
    {
        SignatureFrame[] trace = [new("guess", null, false), new("sure", "mod", true), new("guess", null, false), new("sure2", null, true)];
        Assert.Equal(["mod!sure", "sure2"], SignatureFrames.Of(CrashClass.PageFault, trace));
    }
}
