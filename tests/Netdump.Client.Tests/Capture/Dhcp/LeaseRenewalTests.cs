using System.Net;
using CsCheck;
using Netdump.Client.Capture.Dhcp;
using Netdump.Client.Linux;

namespace Netdump.Client.Tests.Capture.Dhcp;

public sealed class LeaseRenewalTests
{
    private const uint Transaction = 0xfffffffe;
    private static readonly IPAddress Old = IPAddress.Parse("10.0.0.5"), New = IPAddress.Parse("10.0.0.77"), Server = IPAddress.Parse("10.0.0.1");
    private static readonly MacAddress Mac = MacAddress.TryParse("52:54:00:12:34:56", out MacAddress mac) ? mac : default;

    private readonly LeaseRenewal _renewal = new(Old, Mac, ReadOnlyMemory<byte>.Empty, Transaction, TimeSpan.Zero);

    private static TimeSpan At(double seconds) => TimeSpan.FromSeconds(seconds);

    private static byte[] Answer(DhcpKind type, IPAddress given, uint transaction = Transaction, MacAddress? to = null) =>
        DhcpServer.Answer(type, transaction, to ?? Mac, given, Server, 24, Server);

    private DhcpMessage Sent(double at) => _renewal.TryTakeMessage(At(at), out DhcpMessage message) ? message : throw new InvalidOperationException($"nothing is due at {at} s");

    [Fact]
    public void The_old_address_is_asked_for_and_given_again()
    {
        DhcpMessage request = Sent(0);
        Assert.Equal((DhcpKind.Request, Old, null), (request.Type, request.Wanted, request.ServerId));
        Assert.False(_renewal.TryTakeMessage(At(0.9), out _));
        _renewal.Received(Answer(DhcpKind.Acknowledge, Old), At(0.9));
        Assert.Equal((RenewalEnd.Given, Old), (_renewal.End, _renewal.Lease?.Given));
        Assert.False(_renewal.TryTakeMessage(At(1), out _));
    }

    [Fact]
    public void Silence_ends_after_four_questions_and_three_and_a_half_seconds()
    {
        for (int second = 0; second < 4; second++) Assert.Equal(Old, Sent(_renewal.NextDeadline.TotalSeconds).Wanted);
        Assert.Equal(LeaseRenewal.SilenceLimit, _renewal.NextDeadline);
        Assert.False(_renewal.TryTakeMessage(_renewal.NextDeadline, out _));
        Assert.Equal(RenewalEnd.NoAnswer, _renewal.End);
    }

    [Fact]
    public void A_refused_address_is_replaced_by_one_that_is_offered()
    {
        Sent(0);
        _renewal.Received(Answer(DhcpKind.Refuse, Old), At(0.1));
        DhcpMessage discover = Sent(0.1);
        Assert.Equal((DhcpKind.Discover, null), (discover.Type, discover.Wanted));
        Assert.NotEqual(Transaction, discover.Transaction);
        _renewal.Received(Answer(DhcpKind.Acknowledge, Old), At(0.2)); // another server, to the first question: too late
        _renewal.Received(Answer(DhcpKind.Offer, New, discover.Transaction), At(0.3));
        DhcpMessage request = Sent(0.3);
        Assert.Equal((DhcpKind.Request, New, Server), (request.Type, request.Wanted, request.ServerId));
        _renewal.Received(Answer(DhcpKind.Acknowledge, New, discover.Transaction), At(0.4));
        Assert.Equal((RenewalEnd.Given, New), (_renewal.End, _renewal.Lease?.Given));
    }

    [Fact]
    public void Refused_and_nothing_offered_ends_in_five_seconds_and_refused_twice_at_once()
    {
        Sent(0);
        _renewal.Received(Answer(DhcpKind.Refuse, Old), At(3.4));
        Sent(3.4);
        Sent(4.4);
        Assert.Equal(LeaseRenewal.Limit, _renewal.NextDeadline);
        Assert.False(_renewal.TryTakeMessage(At(5), out _));
        Assert.Equal(RenewalEnd.Refused, _renewal.End);

        LeaseRenewal twice = new(Old, Mac, ReadOnlyMemory<byte>.Empty, 1, TimeSpan.Zero);
        twice.Received(Answer(DhcpKind.Refuse, Old, 1), At(0));
        twice.Received(Answer(DhcpKind.Offer, New, 2), At(0));
        twice.Received(Answer(DhcpKind.Refuse, New, 2), At(0));
        Assert.Equal(RenewalEnd.Refused, twice.End);
    }

    [Fact]
    public void Answers_to_others_or_of_other_addresses_are_passed_over()
    {
        Sent(0);
        _renewal.Received(Answer(DhcpKind.Acknowledge, Old, transaction: 1), At(0));
        _renewal.Received(Answer(DhcpKind.Refuse, Old, to: default(MacAddress)), At(0));
        _renewal.Received(Answer(DhcpKind.Acknowledge, New), At(0));
        _renewal.Received(Answer(DhcpKind.Offer, New), At(0));
        _renewal.Received([], At(0));
        Assert.Equal(RenewalEnd.Open, _renewal.End);
    }

    [Fact]
    public void Whatever_comes_in_it_ends_in_five_seconds_with_few_messages()
    {
        Gen<byte[]> datagram = Gen.Select(Gen.OneOf(Gen.Const(DhcpKind.Offer), Gen.Const(DhcpKind.Acknowledge), Gen.Const(DhcpKind.Refuse)), Gen.OneOf(Gen.Const(Old), Gen.Const(New)), Gen.OneOf(Gen.Const(Transaction), Gen.Const(Transaction + 1)), (type, given, transaction) => Answer(type, given, transaction));
        Gen.Select(datagram, Gen.Double[0, 0.6]).Array[0, 30].Sample(events =>
        {
            LeaseRenewal renewal = new(Old, Mac, ReadOnlyMemory<byte>.Empty, Transaction, TimeSpan.Zero);
            TimeSpan now = TimeSpan.Zero;
            int sent = 0;
            foreach ((byte[] bytes, double pause) in events)
            {
                if (renewal.TryTakeMessage(now, out _)) sent++;
                renewal.Received(bytes, now);
                now += TimeSpan.FromSeconds(pause);
            }
            while (renewal.End == RenewalEnd.Open)
            {
                now = now > renewal.NextDeadline ? now : renewal.NextDeadline;
                Assert.True(renewal.NextDeadline <= LeaseRenewal.Limit);
                if (renewal.TryTakeMessage(now, out _)) sent++;
            }
            Assert.True(sent <= 8);
            Assert.Equal(renewal.End == RenewalEnd.Given, renewal.Lease is not null);
        });
    }
}
