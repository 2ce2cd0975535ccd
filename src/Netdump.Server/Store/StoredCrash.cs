using System.Net;
using Microsoft.Win32.SafeHandles;

namespace Netdump.Server.Store;

/// <summary>A crash that an earlier process, or an earlier session of this one, left on the disk, opened to be gone on with.</summary>
/// <param name="Directory">Its directory.</param>
/// <param name="Header">Who sends it and how far it is: <see cref="SessionState.Opened"/>, <see cref="SessionState.Receiving"/> or
/// <see cref="SessionState.Stored"/>.</param>
/// <param name="Vmcore">The file, while memory is received.</param>
/// <param name="Session">The session file beside it.</param>
public sealed record StoredCrash(CrashDirectory Directory, SessionHeader Header, VmcoreWriter? Vmcore, SessionFile? Session) : IDisposable
{
    /// <summary>Opens the crash of a directory. Reads maps: may take a moment.</summary>
    /// <param name="directory">A directory with a session file.</param>
    /// <param name="port">Source port the client has now; null for the one it had.</param>
    /// <exception cref="InvalidDataException">The files do not fit each other, or are not ours.</exception>
    /// <exception cref="IOException">The disk refuses.</exception>
    public static StoredCrash Open(CrashDirectory directory, int? port = null)
    {
        SessionFile.Read(directory.File(SessionFile.FileName), out SessionHeader header, out PageMap received, out PageMap synced);
        header = header with { Port = port ?? header.Port, Boot = SessionFile.CurrentBoot };
        bool isComplete = File.Exists(directory.File(VmcoreWriter.CompleteName));
        if (isComplete && LeftOutPages.Exists(directory))
            LeftOutPages.Clean(directory); // the process ended between the dump's name and this
        if (!File.Exists(directory.File(VmcoreWriter.IncompleteName)))
        {
            if (header.State == SessionState.Opened && isComplete)
                throw new InvalidDataException($"{directory.Path} holds a vmcore that its session does not know of");
            // The file gets its final name first, and the session its state after that.
            return new StoredCrash(directory, header with { State = isComplete ? SessionState.Stored : SessionState.Opened }, null, null);
        }

        if (header.State == SessionState.Stored)
            throw new InvalidDataException($"{directory.Path} holds a vmcore-incomplete beside a vmcore that is complete");
        if (header.State == SessionState.Opened)
        {
            // The process ended between the two files: no page has come.
            directory.Delete(VmcoreWriter.IncompleteName);
            return new StoredCrash(directory, header with { State = SessionState.Opened }, null, null);
        }

        header = header with { State = SessionState.Receiving };
        VmcoreLayout layout = ReadLayout(directory, header);
        VmcoreWriter vmcore = VmcoreWriter.Open(directory, layout, received);
        try
        {
            return new StoredCrash(directory, header, vmcore, SessionFile.Create(directory, header, received, synced));
        }
        catch
        {
            vmcore.Dispose();
            throw;
        }
    }

    /// <summary>The client's address; its interface included, if it is link-local.</summary>
    public IPAddress Address => IPAddress.TryParse(Header.Address, out IPAddress? address)
        ? address
        : throw new InvalidDataException($"{Directory.Path}: '{Header.Address}' is no address");

    /// <summary>Closes the files as they are.</summary>
    public void Dispose()
    {
        Vmcore?.Dispose();
        Session?.Dispose();
    }

    private static VmcoreLayout ReadLayout(CrashDirectory directory, SessionHeader header)
    {
        string path = directory.File(VmcoreWriter.IncompleteName);
        using SafeFileHandle file = File.OpenHandle(path, share: FileShare.ReadWrite | FileShare.Delete);
        long length = RandomAccess.GetLength(file);
        if (header.HeaderBytes > length)
            throw new InvalidDataException($"{path} is shorter than its header");
        var area = new byte[header.HeaderBytes];
        for (int read = 0; read < area.Length;)
        {
            int count = RandomAccess.Read(file, area.AsSpan(read), read);
            if (count == 0)
                throw new InvalidDataException($"{path} ends inside its header");
            read += count;
        }

        (VmcoreLayout? layout, string? reason) = header.KernelHeader
            ? VmcoreKernelHeader.Create(area, header.PageSize, header.PageCount)
            : VmcoreOriginalHeader.Reopen(area, header.PageSize, header.PageCount);
        if (layout is null)
            throw new InvalidDataException($"{path}: {reason}");
        if (layout.FileSize != length)
            throw new InvalidDataException($"{path} has {length} bytes, {layout.FileSize} were laid out");
        return layout;
    }
}
