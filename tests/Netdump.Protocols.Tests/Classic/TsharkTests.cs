using System.Buffers.Binary;
using System.Diagnostics;
using Netdump.Protocols.Classic;

namespace Netdump.Protocols.Tests.Classic;

/// <summary>Wireshark's dissector as a judge of our packets, field by field. It needs tshark: without it these tests fail.</summary>
public sealed class TsharkTests
{
    private const string Fields = "netdump.magic netdump.version netdump.seq_nr netdump.command netdump.from netdump.to netdump.code netdump.info netdump.payload";

    [Fact]
    public void Tshark_reads_every_request_as_we_wrote_it()
    {
        List<ClassicRequest> requests = [.. new ServerLab().Begin(40).Sent];
        ServerLab end = new ServerLab(ServerLab.X86 with { Extension = true }).ToRebootOfOurs();
        requests.AddRange(end.Sent);
        end = new ServerLab(options: new ClassicServerOptions { ExitInsteadOfReboot = true }).ToStateComplete();
        end.Wait(6); // signs of life
        end.Session.Finish(end.Now);
        end.Drain();
        requests.AddRange(end.Sent);
        requests.Add(new ClassicRequest(ulong.MaxValue, 0x80000001, ClassicCommand.GetBitmap, 0x80000002, 0x80000003));
        Assert.Equal(
            [0u, 1, 2, 3, 4, 5, 6, 7, 8, 9, 64, 65],
            requests.Select(request => (uint)request.Command).Distinct().Order().ToArray());

        string[] lines = Dissect(requests.Select(Bytes));
        Assert.Equal(
            requests.Select(r => $"0x{r.Magic:x16}||0x{r.Number:x8}|{(uint)r.Command}|0x{r.From:x8}|0x{r.To:x8}|||"),
            lines);
    }

    [Fact]
    public void Tshark_reads_every_reply_as_we_wrote_it_but_for_the_byte_order_of_info()
    {
        List<ClientLab.Reply> replies = [];
        foreach (ClassicClientProfile profile in new[] { ClassicClientProfile.A, ClassicClientProfile.B, ClassicClientProfile.D, ClassicClientProfile.Netdump })
        {
            ClientLab lab = new(profile);
            replies.AddRange(lab.Replies);
            lab.Connect(extension: true);
            uint number = 0x81828384;
            foreach (ClassicCommand command in Enum.GetValues<ClassicCommand>().Where(c => c != ClassicCommand.Exit && c != ClassicCommand.Reboot))
                lab.Ask(command, 3, number++);
            lab.Ask(ClassicCommand.SendMemory, 12, number++); // a hole
            lab.Ask(ClassicCommand.SendMemory, 99, number++); // past the end
            lab.Ask(ClassicCommand.Exit, 0, number);
            replies.AddRange(lab.Replies);
        }

        Assert.Equal(
            [1u, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12],
            replies.Select(reply => (uint)reply.Header.Code).Distinct().Order().ToArray());

        string[] lines = Dissect(replies.Select(Bytes));
        Assert.Equal(
            replies.Select(r =>
                $"|0x{r.Header.Version:x2}|0x{r.Header.Number:x8}||||{(uint)r.Header.Code}|0x{BinaryPrimitives.ReverseEndianness(r.Header.Info):x8}|{Convert.ToHexStringLower(r.Payload)}"),
            lines);
    }

    [Fact]
    public void Tshark_defect_1_info_is_shown_little_endian_although_clients_send_it_big_endian()
    {
        ClientLab.Reply reply = new(new ClassicReplyHeader(4, 0x01020304, ClassicReplyCode.Reserved, 0x0a0b0c0d), []);
        Assert.Equal("|0x04|0x01020304||||4|0x0d0c0b0a|", Dissect([Bytes(reply)]).Single());
    }

    [Fact]
    public void Tshark_defect_2_a_reply_of_24_bytes_is_shown_as_a_request()
    {
        byte[] eleven = "eleven byte"u8.ToArray();
        ClientLab.Reply reply = new(new ClassicReplyHeader(4, 0, ClassicReplyCode.Log, 7), eleven);
        Assert.Equal(24, Bytes(reply).Length);
        string line = Dissect([Bytes(reply)]).Single();
        Assert.StartsWith("0x0400000000000000||0x02000000|", line, StringComparison.Ordinal); // the header's bytes under a request's names

        ClientLab.Reply twelve = new(reply.Header, [.. eleven, (byte)'s']);
        Assert.Equal("|0x04|0x00000000||||2|0x07000000|656c6576656e206279746573", Dissect([Bytes(twelve)]).Single());
    }

    private static byte[] Bytes(ClassicRequest request)
    {
        byte[] bytes = new byte[ClassicRequest.Size];
        request.Write(bytes);
        return bytes;
    }

    private static byte[] Bytes(ClientLab.Reply reply)
    {
        byte[] bytes = new byte[ClassicReplyHeader.Size + reply.Payload.Length];
        reply.Header.Write(bytes);
        reply.Payload.CopyTo(bytes, ClassicReplyHeader.Size);
        return bytes;
    }

    private static string[] Dissect(IEnumerable<byte[]> payloads)
    {
        string path = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(path, PacketCapture.Write(payloads));
            ProcessStartInfo start = new("tshark") { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
            foreach (string argument in (string[])["-n", "-r", path, "-d", "udp.port==6666,netdump", "-T", "fields", "-E", "separator=|"])
                start.ArgumentList.Add(argument);
            foreach (string field in Fields.Split(' '))
            {
                start.ArgumentList.Add("-e");
                start.ArgumentList.Add(field);
            }

            using Process tshark = Process.Start(start)!;
            Task<string> errors = tshark.StandardError.ReadToEndAsync();
            string output = tshark.StandardOutput.ReadToEnd();
            tshark.WaitForExit();
            Assert.True(tshark.ExitCode == 0, errors.Result);
            return output.TrimEnd('\n').Split('\n');
        }
        finally
        {
            File.Delete(path);
        }
    }
}
