using System.Text.RegularExpressions;

namespace Netdump.EndToEnd;

/// <summary>A server as packaging/install leaves it, Debian's sshd with Debian's settings, and ssh, sftp and scp against both.</summary>
public sealed class EnrolledServer : IDisposable
{
    public EnrolledServer()
    {
        Box = new Box(systemd: false);
        try
        {
            Box.Install();
            // What an administrator does, but that no terminal is there to type at.
            Box.Succeed("echo netdump:secret | chpasswd && service netdump-server start");
            Box.Succeed("mkdir -p /run/sshd /root/.ssh && /usr/sbin/sshd -E /var/log/sshd.log && ssh-keyscan localhost 2>/dev/null > /root/.ssh/known_hosts");
            Box.Succeed("printf '#!/bin/sh\\necho secret\\n' > /root/askpass && chmod 700 /root/askpass");
            Box.Succeed("cd /root && for n in web-17 web-18; do ssh-keygen -q -t ecdsa -b 256 -N '' -C $n -f $n; done");
            Box.Succeed($"{ByPassword} netdump-server enrol - < /root/web-17.pub");
        }
        catch
        {
            Box.Dispose();
            throw;
        }
    }

    /// <summary>ssh that types the password at the prompt.</summary>
    public const string ByPassword = "SSH_ASKPASS=/root/askpass SSH_ASKPASS_REQUIRE=force ssh -o PubkeyAuthentication=no -o NumberOfPasswordPrompts=1 netdump@localhost";

    /// <summary>Options for the enrolled key.</summary>
    public const string Key = "-i /root/web-17 -o IdentitiesOnly=yes -o BatchMode=yes";

    /// <summary>ssh with the enrolled key.</summary>
    public const string ByKey = $"ssh {Key} netdump@localhost";

    public Box Box { get; }

    public void Dispose() => Box.Dispose();
}

/// <summary>Enrolment over the real OpenSSH of Debian: what an enrolled key and the user's password open, and what they do not.</summary>
public sealed class EnrolmentTests(EnrolledServer server) : IClassFixture<EnrolledServer>
{
    private const string ByKey = EnrolledServer.ByKey;
    private const string Key = EnrolledServer.Key;
    private const string ByPassword = EnrolledServer.ByPassword;

    private Box Box => server.Box;

    private string Lines => Box.Succeed("cat /var/crash/.ssh/authorized_keys");

    [Fact]
    public void Enrolment_by_password_answers_the_fingerprint_and_adds_the_line_of_the_contract()
    {
        Assert.Matches("^restrict,command=\"netdump-server gate\" ecdsa-sha2-nistp256 [A-Za-z0-9+/=]+ web-17$", Lines.Split('\n')[0]);
        Assert.Equal("600 netdump netdump\n700 netdump netdump\n700 netdump netdump",
            Box.Succeed("cd /var/crash && stat -c '%a %U %G' .ssh/authorized_keys .ssh ."));
        string answer = Box.Succeed($"{ByPassword} netdump-server enrol - < /root/web-17.pub 2>/dev/null");
        Assert.Equal(Box.Succeed("netdump-server fingerprint"), answer);
        // It is the key's own, computed by OpenSSL.
        string digest = Box.Succeed("openssl pkey -in /var/crash/server/key.pem -pubout -outform DER | openssl dgst -sha256 -binary | base64");
        Assert.Equal($"SHA256:{digest}", answer);
    }

    [Fact]
    public void Enrolment_five_times_at_once_gives_one_line()
    {
        Box.Succeed("cd /root && rm -f many && ssh-keygen -q -t ecdsa -b 256 -N '' -C many -f many");
        Box.Succeed($"for i in 1 2 3 4 5; do {ByPassword} netdump-server enrol - < /root/many.pub & pids=\"$pids $!\"; done; for p in $pids; do wait $p || exit 1; done");
        Assert.Single(Regex.Matches(Lines, " many$", RegexOptions.Multiline));
    }

    [Fact]
    public void Another_name_of_the_key_and_another_key_of_the_name_are_refused_and_told_what_to_do()
    {
        string before = Lines;
        string taken = Box.Fail($"{ByPassword} netdump-server enrol - --name web-99 < /root/web-17.pub");
        Assert.Contains("this key is enrolled as web-17; enrol it under that name, or first netdump-server revoke web-17", taken, StringComparison.Ordinal);
        string other = Box.Fail($"{ByPassword} netdump-server enrol - --name web-17 < /root/web-18.pub");
        Assert.Contains("another key is enrolled as web-17", other, StringComparison.Ordinal);
        Assert.Contains("netdump-server revoke web-17", other, StringComparison.Ordinal);
        Assert.Equal(before, Lines);
    }

    [Theory]
    [InlineData("id")]
    [InlineData("sh")]
    [InlineData("netdump-server hosts")]
    [InlineData("netdump-server enrol - --config /etc/shadow")]
    [InlineData("netdump-server enrol - --name web-17 --store /tmp/x")]
    [InlineData("'netdump-server enrol -;id'")]
    [InlineData("'netdump-server enrol - --name $(id)'")]
    [InlineData("\"netdump-server gate\nid\"")]
    [InlineData("")]
    public void The_password_opens_nothing_but_an_enrolment(string command)
    {
        string output = Box.Fail($"{ByPassword} {command} < /root/web-18.pub");
        Assert.DoesNotContain("uid=", output, StringComparison.Ordinal);
        Assert.Contains("this user enrols hosts", output, StringComparison.Ordinal);
    }

    [Fact]
    public void The_password_opens_no_files_no_terminal_and_no_ports()
    {
        string password = ByPassword.Replace("ssh -o", "sftp -b /dev/stdin -o", StringComparison.Ordinal);
        Box.Fail($"echo 'get /var/crash/.ssh/authorized_keys /root/stolen' | {password}");
        Assert.Equal("", Box.Run("cat /root/stolen 2>/dev/null").Output);
        Assert.Contains("PTY allocation request failed", Box.Fail($"{ByPassword} -tt"), StringComparison.Ordinal);
        AssertNothingForwarded(ByPassword);
    }

    [Theory]
    [InlineData("id")]
    [InlineData("")]
    [InlineData("sh -i")]
    [InlineData("'fingerprint; id'")]
    [InlineData("netdump-server enrol -")]
    [InlineData("/bin/sh")]
    public void An_enrolled_key_opens_no_shell(string command)
    {
        string output = Box.Fail($"echo id | {ByKey} {command}");
        Assert.DoesNotContain("uid=", output, StringComparison.Ordinal);
        Assert.Matches("netdump-server: (refused|no shell here): an enrolled key is for `fingerprint` and `magic DIGITS` alone", output);
    }

    [Fact]
    public void An_enrolled_key_opens_no_files()
    {
        Box.Fail($"echo 'get /var/crash/server/key.pem /root/stolen-1' | sftp {Key} -b - netdump@localhost");
        Box.Fail($"scp {Key} netdump@localhost:/var/crash/server/key.pem /root/stolen-2");
        Box.Fail($"scp -O {Key} netdump@localhost:/var/crash/server/key.pem /root/stolen-3");
        Box.Fail($"scp {Key} /etc/hostname netdump@localhost:/var/crash/planted");
        Box.Fail($"scp -O {Key} /etc/hostname netdump@localhost:planted");
        Assert.Equal("", Box.Run("ls -d /root/stolen-* /var/crash/planted 2>/dev/null").Output);
    }

    [Fact]
    public void An_enrolled_key_opens_no_ports() => AssertNothingForwarded(ByKey);

    [Fact]
    public void An_enrolled_key_gets_no_terminal_no_agent_and_no_display()
    {
        Assert.Contains("PTY allocation request failed", Box.Run($"{ByKey} -tt fingerprint").Output, StringComparison.Ordinal);
        // A socket that sshd makes is what forwards an agent or a display. root's own key gets both: so this would see it.
        Box.Succeed("cd /root && rm -f own && ssh-keygen -q -t ecdsa -b 256 -N '' -f own && cat own.pub > .ssh/authorized_keys && touch .Xauthority");
        Assert.Matches("/tmp/ssh-[^/]*/agent|htons\\(6010\\)", SocketsDuring("ssh -i /root/own -o IdentitiesOnly=yes root@localhost", "/bin/true"));
        Assert.DoesNotMatch("/tmp/ssh-[^/]*/agent|htons\\(60[1-9][0-9]\\)", SocketsDuring(ByKey, "fingerprint"));
    }

    /// <summary>What sshd and what it starts bind and execute while an agent and a display are asked to be forwarded.</summary>
    private string SocketsDuring(string ssh, string command)
    {
        using Command trace = Box.Start("exec strace -f -e trace=bind,execve -o /root/trace -p $(cat /run/sshd.pid)");
        trace.WaitForLine("attached", TimeSpan.FromSeconds(20));
        Box.Succeed($"eval $(ssh-agent) >/dev/null; ssh-add -q /root/web-18; DISPLAY=:9 {ssh} -A -Y {command}; r=$?; ssh-agent -k >/dev/null; exit $r");
        string seen = Box.Succeed("cat /root/trace");
        Assert.Contains(command == "fingerprint" ? "netdump-server" : command, seen, StringComparison.Ordinal);
        return seen;
    }

    [Fact]
    public void The_gate_answers_the_fingerprint_and_keeps_the_magic_of_the_address()
    {
        Assert.Equal(Box.Succeed("netdump-server fingerprint"), Box.Succeed($"{ByKey} fingerprint"));
        Box.Succeed($"{Address("127.0.0.1")} magic 0123456789abcdef");
        Box.Succeed($"{Address("::1")} magic 00000000000000ff");
        Assert.Equal("0123456789abcdef\n00000000000000ff", Box.Succeed("cd /var/crash/magic && cat 127.0.0.1 __1"));
        Assert.Equal("600 netdump", Box.Succeed("stat -c '%a %U' /var/crash/magic/127.0.0.1"));
        Box.Fail($"{Address("127.0.0.1")} magic 0123456789abcde");
        Box.Fail($"{Address("127.0.0.1")} 'magic 0123456789abcdef ../../x'");
        Assert.Equal("0123456789abcdef", Box.Succeed("cat /var/crash/magic/127.0.0.1"));
    }

    [Fact]
    public void A_revoked_key_opens_nothing_at_once_not_even_on_an_open_connection()
    {
        Box.Succeed("cd /root && rm -f gone && ssh-keygen -q -t ecdsa -b 256 -N '' -C gone -f gone && netdump-server enrol gone.pub");
        string bySocket = ByKey.Replace("web-17", "gone", StringComparison.Ordinal).Replace("ssh -i", "ssh -S /root/gone.socket -i", StringComparison.Ordinal);
        using (Command master = Box.Start($"{bySocket} -M -N"))
        {
            Box.WaitFor(() => Box.Run($"{bySocket} fingerprint").ExitCode == 0);
            Assert.Contains("gone is not enrolled any more", Box.Succeed("netdump-server revoke gone"), StringComparison.Ordinal);
            Assert.Contains("this key is not enrolled any more", Box.Fail($"{bySocket} fingerprint"), StringComparison.Ordinal);
        }

        Assert.Contains("Permission denied", Box.Fail($"{bySocket.Replace("-S /root/gone.socket", "", StringComparison.Ordinal)} fingerprint"), StringComparison.Ordinal);
        Assert.DoesNotContain(" gone\n", Lines + "\n", StringComparison.Ordinal);
    }

    [Fact]
    public void What_root_enrols_belongs_to_the_stores_user()
    {
        Box.Succeed("cd /root && rm -f byroot && ssh-keygen -q -t ecdsa -b 256 -N '' -C byroot -f byroot && netdump-server enrol byroot.pub && netdump-server enrol --token");
        Assert.Equal("", Box.Succeed("find /var/crash ! -user netdump"));
        Box.Succeed($"{ByKey.Replace("web-17", "byroot", StringComparison.Ordinal)} fingerprint");
        Assert.Matches("(?m)^byroot +[0-9]{4}-", Box.Succeed("netdump-server hosts"));
    }

    [Fact]
    public void Root_is_not_led_out_of_the_store()
    {
        // As somebody who took the daemon over would try it.
        Box.Succeed("mkdir -p /srv/crash && chown netdump /srv/crash && chmod 700 /srv/crash && setpriv --reuid netdump --clear-groups --regid netdump ln -s /root/planted /srv/crash/.ssh");
        Assert.Contains("is a symbolic link", Box.Fail("mkdir -p /root/planted; netdump-server enrol /root/web-18.pub --store /srv/crash"), StringComparison.Ordinal);
        Assert.Equal("", Box.Succeed("ls -A /root/planted"));
    }

    private static string Address(string address) => ByKey.Replace("localhost", address, StringComparison.Ordinal).Replace("ssh ", "ssh -o StrictHostKeyChecking=no ", StringComparison.Ordinal);

    private void AssertNothingForwarded(string ssh)
    {
        // A page that can be read on the server, and through the tunnel cannot.
        const string page = "curl -s -m 2 http://127.0.0.1";
        using Command there = Box.Start("mkdir -p /srv/www && echo reached > /srv/www/page && exec busybox httpd -f -p 127.0.0.1:8888 -h /srv/www");
        Box.WaitFor(() => Box.Run($"{page}:8888/page").Output == "reached");
        using (Command tunnel = Box.Start($"{ssh} -N -L 127.0.0.1:7777:127.0.0.1:8888"))
        {
            Box.WaitFor(() => Box.Run("ss -Hltn 'sport = 7777' | grep -q 7777").ExitCode == 0);
            Assert.Equal("", Box.Run($"{page}:7777/page 2>/dev/null").Output);
            tunnel.WaitForLine("administratively prohibited", TimeSpan.FromSeconds(20));
        }

        Assert.DoesNotContain("reached", Box.Run($"printf 'GET /page HTTP/1.0\r\n\r\n' | timeout 20 {ssh} -W 127.0.0.1:8888").Output, StringComparison.Ordinal);
        Box.Fail($"timeout 20 {ssh} -N -o ExitOnForwardFailure=yes -R 127.0.0.1:7778:127.0.0.1:8888");
        Box.Fail($"timeout 20 {ssh} -N -o ExitOnForwardFailure=yes -R /tmp/socket:127.0.0.1:8888");
        Assert.Equal("", Box.Run("ls /tmp/socket 2>/dev/null").Output);
        Assert.Equal("reached", Box.Run($"{page}:8888/page").Output); // it was there all the time
    }
}
