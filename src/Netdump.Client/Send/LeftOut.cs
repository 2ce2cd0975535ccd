using System.Numerics;
using Netdump.Protocols.Classic;
using Netdump.Vmcore.Filter;
using Netdump.Vmcore.Memory;

namespace Netdump.Client.Send;

/// <summary>The pages that a dump leaves out at one level, as its server asks for them.</summary>
internal sealed class LeftOut : IDisposable
{
    /// <summary>Pages of one chunk of the map.</summary>
    private const uint ChunkPages = ClassicReplyHeader.ChunkSize * 8;

    private const int OriginalLevel = 1;
    private const int OwnLevel = 31;
    private readonly PageFilter? _filter;
    private readonly LeftOutMap? _map;
    private readonly bool _sparesZeros;
    private uint _told;

    private LeftOut(int level, DumpSource source, bool isMapped, Action<string>? note)
    {
        Level = level;
        _sparesZeros = (level & 1) != 0;
        if (level == 0)
            return;
        _filter = new PageFilter(source.File, level, isMapped);
        _map = new LeftOutMap(_filter, source.File.Physical);
        foreach (KeptClass kept in _filter.Kept)
            note?.Invoke($"{kept}");
    }

    /// <summary>The level.</summary>
    public int Level { get; }

    /// <summary>The level for a server.</summary>
    public static int LevelFor(SendOptions options, bool isOurs) =>
        options.Profile != ClassicClientProfile.Netdump ? 0 : options.DumpLevel ?? (isOurs ? OwnLevel : OriginalLevel);

    /// <summary>Finds what a level leaves out.</summary>
    /// <exception cref="IOException">The disk failed.</exception>
    public static LeftOut Of(DumpSource source, int level, Action<string>? note) => new(level, source, source.IsMapped, note);

    /// <summary>Whether a page is left out. False where that cannot be told.</summary>
    public bool Contains(uint page)
    {
        try
        {
            return _map?.Contains(page) == true;
        }
        catch (IOException)
        {
            return false;
        }
    }

    /// <summary>Whether a page is so spared that the server is told of it as of no memory: it holds nothing but zeros.</summary>
    public bool Spares(ReadOnlySpan<byte> page) => _sparesZeros && ZeroPage.IsZero(page);

    /// <summary>A chunk of the map.</summary>
    /// <param name="chunk">Its number.</param>
    /// <param name="map">1024 bytes.</param>
    /// <param name="isNew">How many pages it leaves out that were not told of before.</param>
    /// <returns>False when it cannot be told now.</returns>
    public bool TryCopy(uint chunk, Span<byte> map, out ulong isNew)
    {
        isNew = 0;
        map.Clear();
        try
        {
            _map?.Copy((ulong)chunk * ChunkPages, map);
        }
        catch (IOException)
        {
            return false;
        }
        if (chunk < _told)
            return true;
        _told = chunk + 1; // servers ask in ascending order
        foreach (var value in map)
            isNew += (ulong)BitOperations.PopCount((uint)value);
        return true;
    }

    public void Dispose() => _filter?.Dispose();
}
