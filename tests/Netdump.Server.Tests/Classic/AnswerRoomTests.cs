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
        using var simulation = new Simulation(answerRoom: Chunks * AnswerRoom.ChargedForChunk * 4 / 3);
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
    public void Each_dump_may_ask_for_two_pages_however_many_there_are() =>
        Assert.Equal(AnswerRoom.LeastShare, new AnswerRoom(2048).ShareOfEach);
}
