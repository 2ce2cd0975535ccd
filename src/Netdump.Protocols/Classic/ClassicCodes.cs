namespace Netdump.Protocols.Classic;

/// <summary>What a server asks of a crashed client: the <c>command</c> field of a request (redhat-netdump 2.4).</summary>
public enum ClassicCommand : uint
{
    /// <summary>Silently ignored by every client; our server sends it as a sign of life while it prepares files.</summary>
    None = 0,
    /// <summary>Send one page of memory; <c>from</c> is its page frame number.</summary>
    SendMemory = 1,
    /// <summary>Leave dump mode; answered with <see cref="ClassicReplyCode.End"/>.</summary>
    Exit = 2,
    /// <summary>Restart after three seconds; never answered.</summary>
    Reboot = 3,
    /// <summary>Say hello.</summary>
    Hello = 4,
    /// <summary>Tell the highest page frame number plus one.</summary>
    GetPageCount = 5,
    /// <summary>Tell the page size in bytes.</summary>
    GetPageSize = 6,
    /// <summary>Ends the handshake; <c>from</c> is the highest version of the server, <c>to</c> = 1 accepts our extension.</summary>
    AcknowledgeStart = 7,
    /// <summary>Send the registers of the crashing processor.</summary>
    GetRegisters = 8,
    /// <summary>Print registers, tasks and memory use as log lines.</summary>
    ShowState = 9,
    /// <summary>Extension: one chunk of 1024 bytes of the dump's own ELF header area; <c>from</c> is the chunk's number.</summary>
    GetHeader = 64,
    /// <summary>Extension: one chunk of 1024 bytes of the map of left-out pages (bit pfn &amp; 7 of byte pfn / 8); <c>from</c> is the chunk's number.</summary>
    GetBitmap = 65,
}

/// <summary>What a client says: the <c>code</c> field of a reply (redhat-netdump 2.5).</summary>
public enum ClassicReplyCode : uint
{
    /// <summary>Never sent.</summary>
    None = 0,
    /// <summary>Page out of range (<c>info</c> 0) or unknown command (<c>info</c> = the command).</summary>
    Error = 1,
    /// <summary>Console text; <c>info</c> is its byte offset in the stream since the client's module was loaded, modulo 2^32.</summary>
    Log = 2,
    /// <summary>1024 bytes of a page; <c>info</c> is their byte offset inside the page.</summary>
    Memory = 3,
    /// <summary>The page is not RAM; <c>info</c> is the next page frame number that is, 0 for none.</summary>
    Reserved = 4,
    /// <summary>Hello.</summary>
    Hello = 5,
    /// <summary><c>info</c> is the highest page frame number plus one.</summary>
    PageCount = 6,
    /// <summary><c>info</c> is the page size in bytes.</summary>
    PageSize = 7,
    /// <summary>A kernel has crashed and waits for a server; <c>nr</c> is its ELF machine, <c>info</c> its highest version.</summary>
    Start = 8,
    /// <summary>The client left dump mode.</summary>
    End = 9,
    /// <summary>23 bytes of text, then raw registers in the client's byte order.</summary>
    Registers = 10,
    /// <summary>Reserved number, never sent.</summary>
    Magic = 11,
    /// <summary>The state was or will be printed; the payload is stale text and means nothing.</summary>
    ShowState = 12,
}
