using System.Text;
using Netdump.Protocols.NetConsole;

namespace Netdump.Protocols.Tests.NetConsole;

/// <summary>What a stream delivered, kept.</summary>
internal sealed class Collected
{
    public List<Item> Items { get; } = [];

    public IEnumerable<string> Texts => Items.Select(i => i.Text);

    public void Sink(in ConsoleRecord record) => Items.Add(new Item(
        record.Kind,
        record.Boot,
        Encoding.Latin1.GetString(record.Text),
        record.Kind == ConsoleRecordKind.Extended ? record.Sequence : 0,
        record.Microseconds,
        record.Priority,
        record.IsPartial,
        record.IsCapture,
        record.Lost,
        record.IsStartup,
        record.Raw.ToArray(),
        record.IsLate,
        record.IsCopy));

    public sealed record Item(
        ConsoleRecordKind Kind, BootVerdict Boot, string Text, ulong Sequence, ulong? Microseconds, int Priority, bool IsPartial, bool IsCapture,
        ulong Lost, bool IsStartup, byte[] Raw, bool IsLate, bool IsCopy);
}
