using System.Text;
using Netdump.Protocols.Classic;

namespace Netdump.Protocols.Tests.Classic;

/// <summary>
/// A client session on a bench with what its caller does: pages of <see cref="ServerLab.PageBytes"/>, RAM at pages 0-9 and 20-29, a
/// header area of four chunks.
/// </summary>
internal sealed class ClientLab
{
    private readonly byte[] _buffer = new byte[4096];
    private readonly byte[] _pageBuffer = new byte[64 * 1037];

    public ClientLab(ClassicClientProfile profile, uint machine = ClassicMachine.X86_64, uint? pageCount = null, bool strictMagic = false)
    {
        Version = profile is ClassicClientProfile.A or ClassicClientProfile.B ? (byte)4 : (byte)5;
        Header = [.. Enumerable.Range(0, 4096).Select(i => (byte)(i >> 4))];
        Registers = [.. Enumerable.Range(0, 216).Select(i => (byte)i)];
        Session = new ClassicClientSession(
            new ClassicClientOptions
            {
                Profile = profile,
                Machine = machine,
                Memory = new ClassicMemoryMap([(0, 10), (20, 30)]),
                PageCount = pageCount,
                TaskStruct = 0xffff88,
                PageOffset = 0xffff8880,
                Magic = 0xabc,
                StrictMagic = strictMagic,
                Registers = Registers,
                HeaderLength = 4096,
            },
            Now);
        Drain();
    }

    public sealed record Reply(ClassicReplyHeader Header, byte[] Payload)
    {
        public string Text => Encoding.ASCII.GetString(Payload);
    }

    public ClassicClientSession Session { get; }
    public TimeSpan Now { get; private set; } = TimeSpan.FromSeconds(50);
    public List<Reply> Replies { get; } = [];
    public List<ClassicClientEffect> Effects { get; } = [];
    public byte[] Header { get; }
    public byte[] Registers { get; }
    public string[] State { get; init; } = ["state\n"];
    public bool CompletesState { get; init; } = true;
    public uint? UnreadablePage { get; init; }

    /// <summary>The version byte this profile answers with when 5 was negotiated.</summary>
    public byte Version { get; }

    /// <summary>Acknowledges the START with version 5, and forgets what was sent so far.</summary>
    public ClientLab Connect(bool extension = false)
    {
        Ask(ClassicCommand.AcknowledgeStart, 5, to: extension ? 1u : 0);
        Assert.Equal(ClassicClientPhase.Serving, Session.Phase);
        Assert.Equal(ClassicClientEffectKind.Connected, Assert.Single(Effects).Kind);
        Effects.Clear();
        Replies.Clear();
        return this;
    }

    public void Ask(ClassicCommand command, uint from = 0, uint number = 1, uint to = 0, ulong magic = 0xabc)
    {
        byte[] datagram = new byte[ClassicRequest.Size];
        new ClassicRequest(magic, number, command, from, to).Write(datagram);
        Session.Receive(datagram, Now);
        Drain();
    }

    public void Wait(double seconds)
    {
        TimeSpan end = Now + TimeSpan.FromSeconds(seconds);
        while (Session.NextDeadline <= end)
        {
            Now = Session.NextDeadline;
            Session.Advance(Now);
            Drain();
        }

        Now = end;
    }

    public void Drain()
    {
        TakeReplies();
        while (Session.TryTakeEffect(out ClassicClientEffect effect))
            Carry(effect);
        TakeReplies();
    }

    private void Carry(in ClassicClientEffect effect)
    {
        switch (effect.Kind)
        {
            case ClassicClientEffectKind.SendPage when effect.Argument == UnreadablePage:
                Add(_buffer, Session.WriteUnreadable(_buffer, effect.Number));
                break;
            case ClassicClientEffectKind.SendPage:
                AddPage(Session.WritePage(_pageBuffer, effect.Number, ServerLab.PageBytes(effect.Argument)));
                break;
            case ClassicClientEffectKind.SendZeroPage:
                AddPage(Session.WritePage(_pageBuffer, effect.Number, new byte[4096]));
                break;
            case ClassicClientEffectKind.SendHeader:
                uint offset = effect.Argument * 1024;
                Add(_buffer, Session.WriteMemoryReply(_buffer, effect.Number, offset, Header.AsSpan((int)offset, 1024)));
                break;
            case ClassicClientEffectKind.ShowState:
                foreach (string line in State)
                {
                    ReadOnlySpan<byte> rest = Encoding.ASCII.GetBytes(line);
                    while (!rest.IsEmpty)
                    {
                        int length = Session.WriteLog(_buffer, rest, out int consumed);
                        if (length > 0)
                            Add(_buffer, length);
                        rest = rest[consumed..];
                    }
                }

                if (CompletesState)
                    Session.CompleteState();
                break;
            default:
                Effects.Add(effect);
                break;
        }
    }

    private void TakeReplies()
    {
        while (Session.TryTakeReply(_buffer, out int length))
            Add(_buffer, length);
    }

    private void AddPage(int length)
    {
        for (int at = 0; at < length; at += 1037)
            Add(_pageBuffer.AsSpan(at, 1037), 1037);
    }

    private void Add(ReadOnlySpan<byte> datagram, int length)
    {
        Assert.True(ClassicReplyHeader.TryRead(datagram[..length], out ClassicReplyHeader header));
        Replies.Add(new Reply(header, datagram[13..length].ToArray()));
    }
}
