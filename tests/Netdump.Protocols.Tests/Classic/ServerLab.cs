using System.Text;
using Netdump.Protocols.Classic;

namespace Netdump.Protocols.Tests.Classic;

/// <summary>A server session on a bench: time by hand, everything it sends and wants in lists.</summary>
internal sealed class ServerLab
{
    public static readonly ClassicStart X86 = new(ClassicMachine.X86_64, 5, 0xffff810012345678, 0x10000000000, 0x1122334455667788, false);

    public ServerLab(ClassicStart? start = null, ClassicServerOptions? options = null, uint firstNumber = 0xfffffff0)
    {
        Start = start ?? X86;
        Session = new ClassicServerSession(Start, options ?? new ClassicServerOptions(), firstNumber, Now);
        Drain();
    }

    public ClassicStart Start { get; }
    public ClassicServerSession Session { get; }
    public TimeSpan Now { get; private set; } = TimeSpan.FromSeconds(100);
    public List<ClassicRequest> Sent { get; } = [];
    public List<ClassicServerEffect> Effects { get; } = [];
    public List<byte[]> Pages { get; } = [];

    public ClassicRequest Last => Sent[^1];
    public IEnumerable<ClassicServerEffectKind> Kinds => Effects.Select(effect => effect.Kind);

    public ClassicRequest LastOf(ClassicCommand command) => Sent.Last(request => request.Command == command);
    public int CountOf(ClassicCommand command) => Sent.Count(request => request.Command == command);
    public ClassicRequest AskedPage(uint pfn) => Sent.Last(request => request.Command == ClassicCommand.SendMemory && request.From == pfn);

    public void Drain()
    {
        while (Session.TryTakeEffect(out ClassicServerEffect effect))
        {
            Effects.Add(effect);
            if (effect.Kind == ClassicServerEffectKind.Page)
                Pages.Add(Session.Page(effect).ToArray());
        }

        while (Session.TryTakeRequest(out ClassicRequest request))
            Sent.Add(request);
    }

    public void Reply(ClassicReplyCode code, uint number, uint info, ReadOnlySpan<byte> payload = default, byte version = 4)
    {
        Session.Receive(new ClassicReplyHeader(version, number, code, info), payload, Now);
        Drain();
    }

    public void Reply(ClassicReplyCode code, uint number, uint info, string payload) => Reply(code, number, info, Encoding.ASCII.GetBytes(payload));

    public void ReplyStart(ClassicStart start)
    {
        byte[] text = new byte[ClassicStart.MaximumPayload];
        ClassicReplyHeader header = start.Header;
        Reply(header.Code, header.Number, header.Info, text.AsSpan(0, start.WritePayload(text)), header.Version);
    }

    public void Wait(TimeSpan time)
    {
        Drain();
        TimeSpan end = Now + time;
        while (Session.NextDeadline <= end)
        {
            Now = Session.NextDeadline > Now ? Session.NextDeadline : Now;
            Session.Advance(Now);
            Drain();
        }

        Now = end;
        Session.Advance(Now);
        Drain();
    }

    public void Wait(double seconds) => Wait(TimeSpan.FromSeconds(seconds));

    public void AnswerHello() => Reply(ClassicReplyCode.Hello, LastOf(ClassicCommand.Hello).Number, 4, "Hello, this is netdump version 0.04\n");

    public void AnswerPageSize(uint size = 4096) => Reply(ClassicReplyCode.PageSize, LastOf(ClassicCommand.GetPageSize).Number, size, $"PAGE_SIZE: {size}\n");

    public void AnswerPageCount(uint count) => Reply(ClassicReplyCode.PageCount, LastOf(ClassicCommand.GetPageCount).Number, count, $"Number of pages: {count}\n");

    public void AnswerRegisters(int bytes = 216, uint ram = 7)
    {
        byte[] payload = [.. ClassicText.Registers, .. Enumerable.Range(0, bytes).Select(i => (byte)(i * 7))];
        Reply(ClassicReplyCode.Registers, LastOf(ClassicCommand.GetRegisters).Number, ram, payload);
    }

    /// <summary>Answers everything up to Prepared.</summary>
    public ServerLab Prepare(uint pages, uint pageSize = 4096)
    {
        AnswerHello();
        AnswerPageSize(pageSize);
        AnswerPageCount(pages);
        AnswerRegisters();
        Assert.Equal(ClassicServerPhase.Prepared, Session.Phase);
        return this;
    }

    public ServerLab Begin(uint pages, uint pageSize = 4096)
    {
        Prepare(pages, pageSize);
        Session.BeginMemory(Now);
        Drain();
        return this;
    }

    public static byte[] Chunk(uint pfn, uint offset)
    {
        byte[] chunk = new byte[1024];
        for (int i = 0; i < chunk.Length; i++)
            chunk[i] = (byte)((pfn * 31) + (offset / 1024 * 7) + (uint)i);
        return chunk;
    }

    public static byte[] PageBytes(uint pfn, uint pageSize = 4096) =>
        [.. Enumerable.Range(0, (int)pageSize / 1024).SelectMany(i => Chunk(pfn, (uint)i * 1024))];

    public void AnswerChunk(uint pfn, uint offset) => Reply(ClassicReplyCode.Memory, AskedPage(pfn).Number, offset, Chunk(pfn, offset));

    public void AnswerPage(uint pfn, uint pageSize = 4096)
    {
        for (uint offset = 0; offset < pageSize; offset += 1024)
            AnswerChunk(pfn, offset);
    }

    /// <summary>To the end of the memory phase, without any memory.</summary>
    public ServerLab ToState()
    {
        Prepare(10);
        Session.SkipMemory(Now);
        Drain();
        return this;
    }

    public ServerLab ToStateComplete()
    {
        ToState();
        Reply(ClassicReplyCode.ShowState, LastOf(ClassicCommand.ShowState).Number, 0);
        Wait(3);
        Assert.Equal(ClassicServerPhase.StateComplete, Session.Phase);
        return this;
    }

    /// <summary>With a client of our own that has no header area, to the repeated REBOOT.</summary>
    public ServerLab ToRebootOfOurs()
    {
        AnswerHello();
        AnswerPageSize();
        AnswerPageCount(1);
        AnswerRegisters();
        foreach (ClassicRequest request in Sent.Where(r => r.Command == ClassicCommand.GetHeader).ToArray())
            Reply(ClassicReplyCode.Error, request.Number, 0);
        Session.BeginMemory(Now);
        Drain();
        AnswerPage(0);
        Reply(ClassicReplyCode.ShowState, Last.Number, 0);
        Session.Finish(Now);
        Drain();
        Assert.Equal(ClassicServerPhase.Finishing, Session.Phase);
        return this;
    }
}
