namespace Netdump.Vmcore.Log;

/// <summary>Where the members of the log ring's structures lie in this kernel, by the offsets VMCOREINFO exports; bytes. -1 = not there.</summary>
internal sealed class LogRingLayout
{
    private const int LargestStructure = 4096;
    private readonly VmcoreInfo _info;

    public LogRingLayout(VmcoreInfo info)
    {
        _info = info;
        DescriptorRing = Offset("printk_ringbuffer.desc_ring");
        TextRing = Offset("printk_ringbuffer.text_data_ring");
        CountBits = Offset("prb_desc_ring.count_bits");
        Descriptors = Offset("prb_desc_ring.descs");
        Infos = Offset("prb_desc_ring.infos");
        var counter = info.Offset("atomic_long_t.counter") ?? 0;
        Head = Offset("prb_desc_ring.head_id") + counter;
        Tail = Offset("prb_desc_ring.tail_id") + counter;
        SizeBits = Offset("prb_data_ring.size_bits");
        Data = Offset("prb_data_ring.data");

        DescriptorSize = Size("prb_desc");
        State = Inside("prb_desc.state_var", counter, 8, DescriptorSize);
        var position = Offset("prb_desc.text_blk_lpos");
        Begin = Inside("prb_data_blk_lpos.begin", position, 8, DescriptorSize);
        Next = Inside("prb_data_blk_lpos.next", position, 8, DescriptorSize);

        InfoSize = Size("printk_info");
        Sequence = Inside("printk_info.seq", 0, 8, InfoSize);
        Time = Inside("printk_info.ts_nsec", 0, 8, InfoSize);
        TextLength = Inside("printk_info.text_len", 0, 4, InfoSize);
        Caller = info.Offset("printk_info.caller_id") is null ? -1 : Inside("printk_info.caller_id", 0, 4, InfoSize);
        (Subsystem, SubsystemLength) = Name("dev_printk_info.subsystem", "printk_info_subsystem");
        (Device, DeviceLength) = Name("dev_printk_info.device", "printk_info_device");
    }

    public int DescriptorRing { get; }

    public int TextRing { get; }

    public int CountBits { get; }

    public int Descriptors { get; }

    public int Infos { get; }

    public int Head { get; }

    public int Tail { get; }

    public int SizeBits { get; }

    public int Data { get; }

    public int DescriptorSize { get; }

    public int State { get; }

    public int Begin { get; }

    public int Next { get; }

    public int InfoSize { get; }

    public int Sequence { get; }

    public int Time { get; }

    public int TextLength { get; }

    public int Caller { get; }

    public int Subsystem { get; }

    public int SubsystemLength { get; }

    public int Device { get; }

    public int DeviceLength { get; }

    private int Offset(string member) => _info.Offset(member) ?? throw KernelLog.Missing($"OFFSET({member})");

    private int Size(string type)
    {
        var size = _info.Size(type) ?? throw KernelLog.Missing($"SIZE({type})");
        return size <= LargestStructure ? size : throw new VmcoreFormatException(-1, $"SIZE({type}) is {size}, {LargestStructure} at most can be");
    }

    private int Inside(string member, int of, int width, int size)
    {
        var offset = Offset(member) + of;
        return offset <= size - width ? offset : throw new VmcoreFormatException(-1, $"OFFSET({member}) {offset} lies outside its structure of {size} bytes");
    }

    // The device's name is a comfort: kernels without these keys, or with nonsense in them, have none.
    private (int Offset, int Length) Name(string member, string array)
    {
        if (_info.Offset("printk_info.dev_info") is not { } of || _info.Offset(member) is not { } offset || _info.Length(array) is not { } length)
            return (-1, 0);
        return of + offset <= InfoSize - length ? (of + offset, length) : (-1, 0);
    }
}
