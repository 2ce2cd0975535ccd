using System.Net;
using System.Text;
using Microsoft.Extensions.Time.Testing;
using Netdump.Protocols.NetConsole;
using Netdump.Server.Receivers.Console;
using Netdump.Server.Receivers.Udp;
using Netdump.Server.Store;
using Netdump.Vmcore.Log;

namespace Netdump.Server.Tests.Console;

/// <summary>A console receiver on a scratch store, with both clocks in the test's hands.</summary>
internal sealed class ConsoleLab : IDisposable
{
    private readonly DateTimeOffset _start = new(2026, 11, 23, 22, 5, 0, TimeSpan.Zero);

    public ConsoleLab(int maximumConsoles = 65_536)
    {
        Root = Directory.CreateTempSubdirectory("netdump-console-").FullName;
        Time = new FakeTimeProvider(_start);
        Time.SetLocalTimeZone(TimeZoneInfo.CreateCustomTimeZone("test", TimeSpan.FromHours(3), "test", "test"));
        Store = new CrashStore(Root, Time) { MaximumConsoles = maximumConsoles };
        Receiver = MakeReceiver();
    }

    public string Root { get; }

    public FakeTimeProvider Time { get; }

    public CrashStore Store { get; }

    public LogLines Log { get; } = new();

    public ConsoleReceiver Receiver { get; private set; }

    public List<string> Started { get; } = [];

    /// <summary>Monotonic time; began a thousand seconds before the test.</summary>
    public TimeSpan Now => TimeSpan.FromSeconds(1000) + (Time.GetUtcNow() - _start);

    public Peer Peer { get; set; } = PeerOf("10.0.0.5");

    public static Peer PeerOf(string address, int port = 6665) => Peer.From(new IPEndPoint(IPAddress.Parse(address), port));

    public static byte[] Bytes(string text) => Encoding.Latin1.GetBytes(text);

    public static LogRecord RingRecord(ulong sequence, double time, string text) =>
        new(sequence, (ulong)(time * 1e9), 0, 6, 0, 1, Bytes(text), null, null);

    public void Wait(double seconds) => Time.Advance(TimeSpan.FromSeconds(seconds));

    public void Extended(ulong sequence, double time, string text, string lines = "") =>
        Receiver.ReceiveExtended(Bytes($"6,{sequence},{Math.Round(time * 1e6)},-;{text}\n{lines}"), Peer, Now);

    public void Basic(string text) => Receiver.ReceiveBasic(Bytes(text), Peer, Now);

    public void Classic(uint offset, string text) => Receiver.ReceiveLog(offset, Bytes(text), Peer, Now);

    /// <summary>Lets 300 ms pass as the engine does, which calls when it is asked to: everything is delivered and written.</summary>
    public void Settle() => Run(0.3);

    /// <summary>Lets time pass as the engine does.</summary>
    public void Run(double seconds)
    {
        TimeSpan end = Now + TimeSpan.FromSeconds(seconds);
        while (Receiver.Advance(Now) is var next && next <= end) Time.Advance(next > Now ? next - Now : TimeSpan.FromMilliseconds(1));
        if (end > Now) Time.Advance(end - Now);
    }

    /// <summary>The server stops and starts again.</summary>
    public void Restart()
    {
        Receiver.Stop();
        Receiver = MakeReceiver();
    }

    public string File(string address, string name) => Path.Combine(Root, "console", address, name);

    public string Text(string address = "10.0.0.5", string date = "2026-11-24") => System.IO.File.ReadAllText(File(address, date + ".log"));

    public CrashDirectory MakeCrash() => Store.Create(Peer.Address);

    public CrashLog OpenCrash(CrashDirectory directory) => new(directory, Receiver.LogOf(Peer), Now);

    public void Dispose()
    {
        Receiver.Stop();
        Directory.Delete(Root, recursive: true);
    }

    private ConsoleReceiver MakeReceiver() => new(Store, Time, Log, address => Started.Add(address.ToString()));
}

/// <summary>Datagrams as the demultiplexer hands them over.</summary>
internal static class ConsoleDatagrams
{
    public static void ReceiveExtended(this ConsoleReceiver receiver, ReadOnlySpan<byte> datagram, in Peer peer, TimeSpan now)
    {
        Assert.True(ExtendedRecord.TryParse(datagram, out ExtendedRecord record));
        receiver.ReceiveExtended(record, datagram, peer, now);
    }
}
