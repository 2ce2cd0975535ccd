using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Netdump.Protocols.Keys;

namespace Netdump.Client.Tests.Trust;

/// <summary>A TLS 1.3 end with a key of its own that answers each connection once, with whatever a test wants: a server that misbehaves.</summary>
internal sealed class TlsServer : IDisposable
{
    private readonly TcpListener _listener;
    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly X509Certificate2 _certificate;
    private readonly Func<string, byte[]> _answer;

    /// <summary>Listens in the network of the calling thread.</summary>
    /// <param name="answer">Makes the answer of a request.</param>
    /// <param name="address">Null: the loopback.</param>
    /// <param name="port">0: any free one.</param>
    public TlsServer(Func<string, byte[]> answer, IPAddress? address = null, int port = 0)
    {
        _answer = answer;
        using X509Certificate2 made = HostCertificate.OfOwnKey(_key, "server");
        _certificate = X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pfx), null);
        _listener = new TcpListener(address ?? IPAddress.Loopback, port);
        _listener.Start();
        _ = ServeAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public KeyFingerprint Key => KeyFingerprint.Of(_key);

    /// <summary>Fingerprint of the key that the last client showed.</summary>
    public KeyFingerprint? Client { get; private set; }

    public void Dispose()
    {
        _listener.Dispose();
        _certificate.Dispose();
        _key.Dispose();
    }

    private async Task ServeAsync()
    {
        while (true)
        {
            try
            {
                using Socket socket = await _listener.AcceptSocketAsync();
                using var stream = new SslStream(new NetworkStream(socket));
                await stream.AuthenticateAsServerAsync(new SslServerAuthenticationOptions
                {
                    ServerCertificate = _certificate,
                    ClientCertificateRequired = true,
                    RemoteCertificateValidationCallback = (_, c, _, _) =>
                    {
                        Client = c is X509Certificate2 { PublicKey: var own } ? KeyFingerprint.Of(own.ExportSubjectPublicKeyInfo()) : null;
                        return Client is not null;
                    },
                });
                byte[] request = new byte[1 << 16];
                int length = await stream.ReadAsync(request);
                if (length == 0) continue;
                await stream.WriteAsync(_answer(System.Text.Encoding.ASCII.GetString(request, 0, length)));
                await stream.ShutdownAsync();
            }
            catch (Exception e) when (e is IOException or System.Security.Authentication.AuthenticationException)
            {
                // the client went away
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                return;
            }
        }
    }
}
