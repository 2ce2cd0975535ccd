using System.Runtime.InteropServices;
using Netdump.Client.Linux;

namespace Netdump.Client.Confinement;

/// <summary>
/// A seccomp filter (linux/seccomp.h, linux/filter.h) for all threads of this process: no sockets, no programs, no processes, nothing that
/// changes the machine or looks into other processes. Such a call fails with EPERM; a call of a foreign architecture ends the process.
/// </summary>
public static class CallFilter
{
    private const int SetFilter = 1; // SECCOMP_SET_MODE_FILTER
    private const int AllThreads = 1; // SECCOMP_FILTER_FLAG_TSYNC

    private const uint Kill = 0x8000_0000; // SECCOMP_RET_KILL_PROCESS
    private const uint Allow = 0x7fff_0000; // SECCOMP_RET_ALLOW
    private const uint Fail = 0x0005_0000; // SECCOMP_RET_ERRNO, the error below

    private const ushort Load = 0x20; // BPF_LD | BPF_W | BPF_ABS
    private const ushort IfEqual = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
    private const ushort IfNotBelow = 0x35; // BPF_JMP | BPF_JGE | BPF_K
    private const ushort IfAny = 0x45; // BPF_JMP | BPF_JSET | BPF_K
    private const ushort Return = 0x06; // BPF_RET | BPF_K

    // struct seccomp_data
    private const int Number = 0;
    private const int Architecture = 4;
    private const int FirstArgument = 16;

    private const uint ThreadFlag = 0x10000; // CLONE_THREAD
    private const uint ForeignBit = 0x4000_0000; // __X32_SYSCALL_BIT

    // socket, connect, accept, sendto, sendmsg, bind, listen, socketpair, accept4, sendmmsg; fork, vfork, execve, execveat; kill, ptrace,
    // process_vm_readv, process_vm_writev; mount, umount2, pivot_root, chroot, reboot, swapon, swapoff; init_module, finit_module,
    // delete_module, kexec_load, kexec_file_load; bpf, perf_event_open, add_key, request_key, keyctl, unshare, setns, userfaultfd,
    // open_by_handle_at.
    private static ReadOnlySpan<int> RefusedX64 =>
    [
        41, 42, 43, 44, 46, 49, 50, 53, 288, 307, 57, 58, 59, 322, 62, 101, 310, 311, 165, 166, 155, 161, 169, 167, 168, 175, 313, 176, 246, 320,
        321, 298, 248, 249, 250, 272, 308, 323, 304,
    ];

    private static ReadOnlySpan<int> RefusedArm64 =>
    [
        198, 203, 202, 206, 211, 200, 201, 199, 242, 269, 221, 281, 129, 117, 270, 271, 40, 39, 41, 51, 142, 224, 225, 105, 273, 106, 104, 294,
        280, 241, 217, 218, 219, 97, 268, 282, 265,
    ];

    // The same on both: pidfd_send_signal, io_uring_setup, io_uring_enter, io_uring_register, open_tree, move_mount, fsopen, fsconfig, fsmount,
    // fspick, pidfd_open, pidfd_getfd, mount_setattr.
    private static ReadOnlySpan<int> RefusedOnBoth => [424, 425, 426, 427, 428, 429, 430, 431, 432, 433, 434, 438, 442];

    /// <summary>Puts the filter in force, for good.</summary>
    /// <exception cref="LinuxException">The kernel has no such filter, or refused.</exception>
    public static unsafe void Apply()
    {
        NewPrivileges.GiveUp();
        ulong[] program = Build(RuntimeInformation.ProcessArchitecture == System.Runtime.InteropServices.Architecture.Arm64);
        fixed (ulong* code = program)
        {
            nint* description = stackalloc nint[2]; // struct sock_fprog: u16 length, pointer
            description[0] = program.Length;
            description[1] = (nint)code;
            if (SystemCall.Invoke(SystemCall.Seccomp, SetFilter, AllThreads, (nint)description, 0, 0) != 0)
                throw LinuxException.Last("filter system calls");
        }
    }

    /// <summary>The filter's program; each instruction is u16 code, u8 jump if true, u8 jump if false, u32 operand.</summary>
    internal static ulong[] Build(bool isArm64)
    {
        List<ulong> program =
        [
            Step(Load, Architecture),
            Step(IfEqual, isArm64 ? 0xc000_00b7 : 0xc000_003e, 1, 0), // AUDIT_ARCH_AARCH64, AUDIT_ARCH_X86_64
            Step(Return, Kill),
            Step(Load, Number),
        ];
        if (!isArm64)
        {
            program.Add(Step(IfNotBelow, ForeignBit, 0, 1));
            program.Add(Step(Return, Kill));
        }
        foreach (int number in isArm64 ? RefusedArm64 : RefusedX64) Refuse(program, number, Errno.NotPermitted);
        foreach (int number in RefusedOnBoth) Refuse(program, number, Errno.NotPermitted);
        // The flags of clone3 lie in memory, which a filter cannot see: the C library then takes clone.
        Refuse(program, 435, Errno.NotImplemented);
        program.Add(Step(IfEqual, isArm64 ? 220u : 56u, 0, 3)); // clone: threads only
        program.Add(Step(Load, FirstArgument));
        program.Add(Step(IfAny, ThreadFlag, 1, 0));
        program.Add(Step(Return, Fail | Errno.NotPermitted));
        program.Add(Step(Return, Allow));
        return [.. program];
    }

    private static void Refuse(List<ulong> program, int number, int error)
    {
        program.Add(Step(IfEqual, (uint)number, 0, 1));
        program.Add(Step(Return, Fail | (uint)error));
    }

    private static ulong Step(ushort code, uint operand, byte ifTrue = 0, byte ifFalse = 0) =>
        code | ((ulong)ifTrue << 16) | ((ulong)ifFalse << 24) | ((ulong)operand << 32);
}
