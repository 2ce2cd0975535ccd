using System.Buffers.Binary;
using System.Net.Sockets;
using System.Numerics;
using System.Security.Cryptography;
using Netdump.Protocols.Keys;

namespace Netdump.Client.Trust;

/// <summary>
/// Signs for ssh with this host's key, as ssh-agent does (draft-ietf-sshm-ssh-agent): ssh proves the key without ever reading it, so that neither its
/// memory nor the page cache holds it afterwards. One key, no other request than the two that ssh needs.
/// </summary>
internal sealed class KeyAgent : IDisposable
{
    private const int LongestMessage = 16 << 10;
    private const byte Failure = 5, RequestIdentities = 11, IdentitiesAnswer = 12, SignRequest = 13, SignResponse = 14;

    private readonly ECDsa _key;
    private readonly byte[] _blob;
    private readonly string _folder;
    private readonly Socket _listener;
    private readonly Thread _thread;

    /// <summary>Listens.</summary>
    /// <param name="key">The key; stays the caller's, and outlives the agent.</param>
    public KeyAgent(ECDsa key)
    {
        _key = key;
        _blob = Convert.FromBase64String(SshPublicKey.Of(key, "").ToString().Split(' ')[1]);
        _folder = Directory.CreateTempSubdirectory("netdump-agent-").FullName; // 0700: nobody else can connect
        Path = System.IO.Path.Combine(_folder, "socket");
        _listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            _listener.Bind(new UnixDomainSocketEndPoint(Path));
            _listener.Listen();
        }
        catch
        {
            _listener.Dispose();
            Directory.Delete(_folder, recursive: true);
            throw;
        }
        _thread = new Thread(Serve) { IsBackground = true, Name = "key agent" };
        _thread.Start();
    }

    /// <summary>The socket, for ssh's IdentityAgent.</summary>
    public string Path { get; }

    /// <summary>Answers one request; public to tests, who give it anything.</summary>
    /// <param name="request">A message without its length.</param>
    internal byte[] Answer(ReadOnlySpan<byte> request)
    {
        var answer = new MemoryStream();
        if (request is [RequestIdentities])
        {
            answer.WriteByte(IdentitiesAnswer);
            Put(answer, 1);
            PutString(answer, _blob);
            PutString(answer, []);
            return answer.ToArray();
        }
        if (request is [SignRequest, ..] && TryTake(ref request, 1, out ReadOnlySpan<byte> blob) && blob.SequenceEqual(_blob)
            && TryTake(ref request, 0, out ReadOnlySpan<byte> data) && request.Length == 4)
        {
            // RFC 5656 section 3.1.2: r and s as numbers, in a string of their own.
            byte[] signed = _key.SignData(data, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
            var numbers = new MemoryStream();
            PutNumber(numbers, signed.AsSpan(0, signed.Length / 2));
            PutNumber(numbers, signed.AsSpan(signed.Length / 2));
            var signature = new MemoryStream();
            PutString(signature, "ecdsa-sha2-nistp256"u8);
            PutString(signature, numbers.ToArray());
            answer.WriteByte(SignResponse);
            PutString(answer, signature.ToArray());
            return answer.ToArray();
        }
        return [Failure];
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _listener.Dispose();
        _thread.Join();
        Directory.Delete(_folder, recursive: true);
    }

    private void Serve()
    {
        try
        {
            while (true)
            {
                using Socket peer = _listener.Accept();
                using var stream = new NetworkStream(peer);
                Serve(stream);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // closed: over
        }
    }

    private void Serve(NetworkStream stream)
    {
        byte[] head = new byte[4];
        try
        {
            while (stream.ReadAtLeast(head, 4, throwOnEndOfStream: false) == 4)
            {
                uint length = BinaryPrimitives.ReadUInt32BigEndian(head);
                if (length is 0 or > LongestMessage) return;
                byte[] request = new byte[length];
                stream.ReadExactly(request);
                byte[] answer = Answer(request);
                BinaryPrimitives.WriteInt32BigEndian(head, answer.Length);
                stream.Write([.. head, .. answer]);
            }
        }
        catch (IOException)
        {
            // ssh went away
        }
    }

    private static bool TryTake(ref ReadOnlySpan<byte> from, int skip, out ReadOnlySpan<byte> text)
    {
        text = default;
        from = from[skip..];
        if (from.Length < 4 || BinaryPrimitives.ReadUInt32BigEndian(from) is var length && length > from.Length - 4) return false;
        text = from.Slice(4, (int)length);
        from = from[(4 + (int)length)..];
        return true;
    }

    private static void Put(MemoryStream to, int number)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(bytes, number);
        to.Write(bytes);
    }

    private static void PutString(MemoryStream to, ReadOnlySpan<byte> text)
    {
        Put(to, text.Length);
        to.Write(text);
    }

    // mpint of RFC 4251: two's complement, no more bytes than needed.
    private static void PutNumber(MemoryStream to, ReadOnlySpan<byte> bytes) =>
        PutString(to, new BigInteger(bytes, isUnsigned: true, isBigEndian: true).ToByteArray(isBigEndian: true));
}
