using System.CommandLine;
using System.Diagnostics;
using Netdump.Client.Linux;
using Netdump.Vmcore.Codecs;
using Netdump.Vmcore.Elf;
using Netdump.Vmcore.Filter;
using Netdump.Vmcore.Kdump;
using Netdump.Vmcore.Output;

namespace Netdump.Client.Commands;

/// <summary>What <c>netdump filter</c> writes.</summary>
internal enum FilterFormat
{
    /// <summary>A kdump-compressed dump.</summary>
    Kdump,

    /// <summary>An ELF core.</summary>
    Elf,

    /// <summary>A kdump-compressed dump as a flattened stream.</summary>
    Flattened,
}

/// <summary><c>netdump filter</c>: a dump becomes a smaller one.</summary>
internal static class FilterCommand
{
    private const int DefaultLevel = 31;
    private const int MostThreads = 16; // each has 1 MiB of buffers
    private const int DefaultThreads = 8;

    private const string Examples = """
        netdump filter vmcore vmcore.small
        netdump filter -d 1 --compress zlib vmcore vmcore.zeros-out
        netdump filter --format elf vmcore vmcore.gdb          for gdb and every other reader of ELF cores
        netdump filter vmcore - | ssh archive 'makedumpfile -R vmcore'
        ssh host cat /var/crash/vmcore.zst | netdump filter - vmcore
        """;

    public static Command Create()
    {
        var input = DumpArgument.Create("IN");
        var output = new Argument<string>("OUT") { Description = "The file to write, which must not exist; - is standard output, then the dump is flattened" };
        var level = new Option<int>("--dump-level", "-d")
        {
            Description = "What to leave out, added up: 1 zero pages, 2 page cache, 4 page cache with private data too, 8 data of processes, 16 free pages",
            HelpName = "0-31",
            DefaultValueFactory = _ => DefaultLevel,
        };
        var format = new Option<FilterFormat>("--format", "-f") { Description = "What to write", HelpName = "kdump|elf|flattened", DefaultValueFactory = _ => FilterFormat.Kdump };
        var compress = new Option<string>("--compress", "-c") { Description = "How pages are compressed [default: zstd; an ELF core knows none]", HelpName = "zstd|zlib|none" };
        compress.AcceptOnlyFromAmong("zstd", "zlib", "none");
        var effort = new Option<int>("--level") { Description = "The compression's own level: 1 is fast, 9 is small; zstd also knows -1 to -7, faster still and larger", HelpName = "-7-9", DefaultValueFactory = _ => 1 };
        var threads = new Option<int?>("--threads") { Description = $"Threads that compress [default: one for each processor, {DefaultThreads} at most]", HelpName = "N" };
        var force = new Option<bool>("--force") { Description = "Overwrite OUT" };
        var json = new Option<bool>("--json") { Description = "The result for programs" };
        var command = new CommandWithExamples(
            "filter", "Writes a dump anew without the pages that analysis does not need. Exit code 0 when OUT holds all of the others.", Examples)
        {
            input, output, level, format, compress, effort, threads, force, json,
        };
        level.Validators.Add(r => Check(r.GetValue(level), 0, 31, level.Name, r.AddError));
        effort.Validators.Add(r => Check(r.GetValue(effort), -7, 9, effort.Name, r.AddError));
        effort.Validators.Add(r =>
        {
            if (r.GetValue(effort) == 0) r.AddError($"{effort.Name} is 1 to 9, or -7 to -1 with zstd.");
        });
        threads.Validators.Add(r => Check(r.GetValue(threads) ?? 1, 1, MostThreads, threads.Name, r.AddError));
        command.Validators.Add(r =>
        {
            if (r.GetValue(effort) < 0 && r.GetValue(compress) is ("zlib" or "none"))
                r.AddError($"{effort.Name} is 1 to 9: zstd alone knows -7 to -1 too.");
            if (r.GetValue(format) == FilterFormat.Elf && r.GetValue(compress) is "zstd" or "zlib")
                r.AddError("An ELF core knows no compression: leave --compress out.");
        });
        command.SetAction(p =>
        {
            var request = new FilterRequest(
                p.GetRequiredValue(input), p.GetRequiredValue(output), p.GetValue(level), p.GetValue(format),
                p.GetValue(format) == FilterFormat.Elf ? PageCodec.None : CodecOf(p.GetValue(compress)), p.GetValue(effort),
                p.GetValue(threads) ?? Math.Min(Environment.ProcessorCount, DefaultThreads), p.GetValue(force));
            var result = Filter(request);
            // The dump has standard output for itself.
            (request.Output == "-" ? Console.Error : Console.Out).WriteLine(p.GetValue(json) ? result.ToJson() : result.ToString());
            return result.LostPages == 0 ? 0 : throw new ClientException(
                $"{request.Output} is marked as incomplete: {result.LostPages} pages are lost in {request.Input}", "all others are in it");
        });
        return command;
    }

    private static FilterSummary Filter(FilterRequest request)
    {
        using var source = DumpArgument.Open(request.Input);
        var clock = Stopwatch.StartNew();
        using var bar = new FilterBar(Console.Error, isTerminal: !Console.IsErrorRedirected);
        var isMapped = DumpArgument.IsMapped(request.Input);
        using var filter = new PageFilter(source, request.Level, isMapped, bar.ShowLooking);
        using var output = Create(request);
        var options = new WriteOptions
        {
            Codec = request.Codec,
            Level = request.Effort,
            DumpLevel = request.Level,
            Threads = request.Threads,
            IsMapped = isMapped,
            Progress = bar.ShowWriting,
        };
        try
        {
            var written = request.Format == FilterFormat.Elf
                ? ElfWriter.Write(source, filter.Select, output, options)
                : KdumpWriter.Write(source, filter.Select, output, options);
            return FilterSummary.Of(request, source, filter, written, clock.Elapsed);
        }
        catch (NotSupportedException e)
        {
            throw new ClientException(e.Message, inner: e);
        }
        catch (IOException e)
        {
            var target = request.Output == "-" ? "standard output" : request.Output;
            throw new ClientException($"{target}: {e.Message}", "what is there so far is marked as incomplete, and opens", e);
        }
    }

    private static DumpOutput Create(FilterRequest request)
    {
        if (request.Output == "-")
            return new FlattenedOutput(new BufferedStream(Console.OpenStandardOutput(), 1 << 20));
        RefuseOverwriting(request);
        return request.Format == FilterFormat.Flattened
            ? new FlattenedOutput(new FileStream(request.Output, new FileStreamOptions
            {
                Mode = FileMode.CreateNew,
                Access = FileAccess.Write,
                BufferSize = 1 << 20,
                UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite, // a dump holds secrets
            }))
            : FileOutput.Create(request.Output);
    }

    // Replaced, not written over: a source that is the same file under another name stays whole while it is read.
    private static void RefuseOverwriting(FilterRequest request)
    {
        var target = new FileInfo(request.Output);
        if (Directory.Exists(request.Output))
            throw new ClientException($"{request.Output} is a directory", "name the file to write");
        if (!target.Exists)
            return;
        if (!request.Force)
            throw new ClientException($"{request.Output} exists", "give --force to overwrite it");
        if (Path.GetFullPath(request.Output) == Path.GetFullPath(request.Input))
            throw new ClientException($"{request.Output} is IN itself", "write to another file");
        if (!FileTypes.IsOrdinary(request.Output))
            throw new ClientException($"{request.Output} is no ordinary file", "write to one, or to - for standard output");
        target.Delete();
    }

    private static void Check(int value, int least, int most, string name, Action<string> complain)
    {
        if (value < least || value > most)
            complain($"{name} must be from {least} to {most}.");
    }

    private static PageCodec CodecOf(string? name) => name switch { "zlib" => PageCodec.Zlib, "none" => PageCodec.None, _ => PageCodec.Zstd };
}

/// <summary>What was asked of <c>netdump filter</c>.</summary>
/// <param name="Input">Path of the source, or -.</param>
/// <param name="Output">Path of the output, or -.</param>
/// <param name="Level">Dump level.</param>
/// <param name="Format">What to write.</param>
/// <param name="Codec">How pages are compressed.</param>
/// <param name="Effort">The codec's level.</param>
/// <param name="Threads">Threads that compress.</param>
/// <param name="Force">Whether an existing output is replaced.</param>
internal sealed record FilterRequest(string Input, string Output, int Level, FilterFormat Format, PageCodec Codec, int Effort, int Threads, bool Force);
