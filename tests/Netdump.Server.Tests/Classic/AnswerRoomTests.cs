using Netdump.Protocols.Classic;
using Netdump.Server.Receivers.Classic;

namespace Netdump.Server.Tests.Classic;

/// <summary>Many dumps at once share the room that their answers have in the socket.</summary>
public sealed class AnswerRoomTests
{
    private const int Dumps = 6;
    private const int Chunks = Dumps * 16;

    [Fact]
    public async Task No_more_is_asked_than_the_receiver_has_room_for()
    {
        using var simulation = new Simulation(answerRoom: Chunks * AnswerRoom.ChargedForChunk * 2);
        for (int i = 1; i <= Dumps; i++)
        {
            simulation.Clients.Add(SimulatedClient.Create(ClassicClientProfile.D, seed: i, address: $"192.0.2.{i}"));
            await simulation.RunUntil(() => simulation.Receiver.OpenCrashes == i);
            simulation.Clients[^1].IsSilent = true; // before it is asked for memory: all begin together
        }

        foreach (SimulatedClient client in simulation.Clients)
            client.IsSilent = false;
        await simulation.RunToTheEnd();
        Assert.InRange(simulation.MostWaiting, Chunks / 2, Chunks);
        Assert.Equal(Dumps, simulation.CrashDirectories.Count(directory => File.Exists(Path.Combine(directory, "vmcore"))));

        // What is free again is the next one's.
        simulation.MostWaiting = 0;
        simulation.Clients.Add(SimulatedClient.Create(ClassicClientProfile.D, seed: 7, address: "192.0.2.7"));
        await simulation.RunToTheEnd();
        Assert.InRange(simulation.MostWaiting, Chunks / 2, Chunks);
    }

    [Fact]
    public async Task No_answer_is_late_while_datagrams_wait_in_the_socket_for_a_second_at_most()
    {
        using var simulation = new Simulation();
        simulation.Clients.Add(SimulatedClient.Create(ClassicClientProfile.D, seed: 1));
        simulation.Clients[0].SilentAfter = 10;
        await simulation.RunUntil(() => simulation.Clients[0].IsSilent);
        ClassicReceiver receiver = simulation.Receiver;
        TimeSpan now = simulation.Now;
        receiver.Advance(now);
        int sent = simulation.Sent;
        for (int i = 1; i < 10; i++)
            receiver.Advance(now + (i * TimeSpan.FromMilliseconds(100)), isBehind: true);
        Assert.Equal(sent, simulation.Sent);
        receiver.Advance(now + TimeSpan.FromSeconds(1.1), isBehind: true);
        Assert.True(simulation.Sent > sent, "the clock stood still");

        receiver.Advance(now + TimeSpan.FromSeconds(1.2));
        sent = simulation.Sent;
        receiver.Advance(now + TimeSpan.FromSeconds(2.1), isBehind: true);
        Assert.Equal(sent, simulation.Sent);
        receiver.Advance(now + TimeSpan.FromSeconds(2.1));
        Assert.True(simulation.Sent > sent, "what was late is not asked again");
    }

    [Fact]
    public void Each_dump_may_ask_for_two_pages_however_many_there_are() =>
        Assert.Equal(AnswerRoom.LeastShare, new AnswerRoom(2048).ShareOfEach);
}
