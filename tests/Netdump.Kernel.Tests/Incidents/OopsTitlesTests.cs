namespace Netdump.Kernel.Tests.Incidents;

public class OopsTitlesTests
{
    private const int TitlesReached = 343; // of 373; raise it with the rules, never lower it

    [Fact]
    public void Titles_of_the_recorded_logs_are_those_of_a_good_reader()
    {
        List<string> missed = [];
        foreach (OopsTitles log in OopsTitles.All)
        {
            string? found = log.Analysis.Incidents.Count > 0 ? log.Analysis.Incidents[0].Title : null;
            if (found != (string.IsNullOrEmpty(log.Title) ? null : log.Title))
                missed.Add($"{log.Name}: wanted {log.Title}, found {found}");
        }
        Assert.True(OopsTitles.All.Count - missed.Count >= TitlesReached, string.Join('\n', missed));
    }
}
