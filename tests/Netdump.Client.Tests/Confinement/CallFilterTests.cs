using CsCheck;
using Netdump.Client.Confinement;

namespace Netdump.Client.Tests.Confinement;

/// <summary>The filter's program, run by a small interpreter of classic BPF: what the kernel would answer.</summary>
public class CallFilterTests
{
    private const uint Allow = 0x7fff_0000;
    private const uint Kill = 0x8000_0000;
    private const uint NotPermitted = 0x0005_0001;
    private const uint NotImplemented = 0x0005_0026;
    private const uint X64 = 0xc000_003e;
    private const uint Arm64 = 0xc000_00b7;

    private static uint Answer(bool isArm64, uint number, uint architecture, uint first = 0)
    {
        ulong[] program = CallFilter.Build(isArm64);
        uint value = 0;
        for (int at = 0; at < program.Length; at++)
        {
            (ushort code, byte yes, byte no, uint operand) = ((ushort)program[at], (byte)(program[at] >> 16), (byte)(program[at] >> 24), (uint)(program[at] >> 32));
            switch (code)
            {
                case 0x20:
                    value = operand switch { 0 => number, 4 => architecture, 16 => first, _ => throw new InvalidOperationException($"loads {operand}") };
                    break;
                case 0x15:
                    at += value == operand ? yes : no;
                    break;
                case 0x35:
                    at += value >= operand ? yes : no;
                    break;
                case 0x45:
                    at += (value & operand) != 0 ? yes : no;
                    break;
                case 0x06:
                    return operand;
                default:
                    throw new InvalidOperationException($"code {code:x}");
            }
        }
        throw new InvalidOperationException("runs past its end");
    }

    [Theory]
    [InlineData(41, 198)] // socket
    [InlineData(42, 203)] // connect
    [InlineData(44, 206)] // sendto
    [InlineData(53, 199)] // socketpair
    [InlineData(59, 221)] // execve
    [InlineData(322, 281)] // execveat
    [InlineData(62, 129)] // kill
    [InlineData(101, 117)] // ptrace
    [InlineData(165, 40)] // mount
    [InlineData(321, 280)] // bpf
    [InlineData(425, 425)] // io_uring_setup
    public void What_a_reader_of_dumps_has_no_use_for_is_refused(uint x64, uint arm64)
    {
        Assert.Equal(NotPermitted, Answer(false, x64, X64));
        Assert.Equal(NotPermitted, Answer(true, arm64, Arm64));
    }

    [Theory]
    [InlineData(0, 63)] // read
    [InlineData(1, 64)] // write
    [InlineData(17, 67)] // pread64
    [InlineData(9, 222)] // mmap
    [InlineData(257, 56)] // openat
    [InlineData(202, 98)] // futex
    [InlineData(234, 131)] // tgkill, to threads of its own
    [InlineData(231, 94)] // exit_group
    public void What_it_needs_is_allowed(uint x64, uint arm64)
    {
        Assert.Equal(Allow, Answer(false, x64, X64));
        Assert.Equal(Allow, Answer(true, arm64, Arm64));
    }

    [Fact]
    public void Threads_may_be_made_and_processes_not()
    {
        Assert.Equal(Allow, Answer(false, 56, X64, 0x003d_0f00));
        Assert.Equal(NotPermitted, Answer(false, 56, X64, 0x0120_0011)); // fork
        Assert.Equal(NotImplemented, Answer(false, 435, X64));
        Assert.Equal(Allow, Answer(true, 220, Arm64, 0x003d_0f00));
        Assert.Equal(NotPermitted, Answer(true, 220, Arm64, 17));
    }

    [Fact]
    public void Calls_of_another_architecture_end_the_process()
    {
        Assert.Equal(Kill, Answer(false, 1, 0x4000_0003)); // i386
        Assert.Equal(Kill, Answer(false, 0x4000_0001, X64)); // x32
        Assert.Equal(Kill, Answer(true, 1, X64));
    }

    [Fact]
    public void Every_call_has_an_answer() =>
        Gen.Select(Gen.Bool, Gen.UInt, Gen.OneOf(Gen.Const(X64), Gen.Const(Arm64), Gen.UInt), Gen.UInt).Sample((arm, number, architecture, first) =>
            Answer(arm, number, architecture, first) is Allow or Kill or NotPermitted or NotImplemented);
}
