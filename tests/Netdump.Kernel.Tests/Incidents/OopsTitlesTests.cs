using Netdump.Kernel.Incidents;

namespace Netdump.Kernel.Tests.Incidents;

public class OopsTitlesTests
{
    private const int TitlesReached = 367; // of 373; raise it with the rules, never lower it
    private const double CulpritsReached = 0.80; // the rules of the specification alone reach 92 of 118

    [Fact]
    public void NetConsole49_titles_of_the_recorded_logs_are_those_of_a_good_reader()
    {
        List<string> missed = [];
        int others = 0;
        foreach (OopsTitles log in OopsTitles.All)
        {
            Incident? found = log.Analysis.Incidents.Count > 0 ? log.Analysis.Incidents[0] : null;
            string? wanted = string.IsNullOrEmpty(log.Title) ? null : log.Title;
            if (found?.Title == wanted)
                continue;
            missed.Add($"{log.Name}: wanted {wanted}, found {found?.Title}");
            if (found is not null && wanted is not null && log.Others.Append(wanted).Intersect(found.OtherTitles.Append(found.Title)).Any())
                others++;
        }
        Assert.True(OopsTitles.All.Count - missed.Count >= TitlesReached, string.Join('\n', missed));
        Assert.True(OopsTitles.All.Count - missed.Count + others >= OopsTitles.All.Count * 0.98);
        Assert.DoesNotContain(missed, m => m.Contains("wanted ,", StringComparison.Ordinal)); // none where there is nothing
    }

    [Fact]
    public void A_signatures_first_frame_is_the_culprit_that_the_title_names_in_four_of_five_crashes()
    {
        int named = 0, right = 0;
        foreach (OopsTitles log in OopsTitles.All)
        {
            if (log.Analysis.Incidents is not [{ } found, ..] || log.Title is not { } title || log.IsCorrupted || title.LastIndexOf(" in ", StringComparison.Ordinal) is not (> 0 and var at))
                continue;
            string function = title[(at + 4)..];
            // Titles of hangs, of stacks that ran over and of lock rules name another frame than signatures on purpose.
            if (function.Contains(' ') || CrashClass.IsHang(found.Class) || found.Class is CrashClass.Deadlock or CrashClass.StackOverflow or CrashClass.Incident)
                continue;
            named++;
            string frame = found.Signature.Frames is [{ } first, ..] ? first : "";
            frame = frame[(frame.IndexOf('!') + 1)..];
            if (frame == function || frame == $"sys_{function}")
                right++;
        }
        Assert.True(named > 118);
        Assert.True(right >= named * CulpritsReached, $"{right} of {named}");
    }

    [Fact]
    public void NetConsole51_a_place_in_user_space_is_no_function()
    {
        foreach (OopsTitles log in OopsTitles.All)
        {
            foreach (Incident incident in log.Analysis.Incidents)
                Assert.DoesNotContain(incident.Trace, f => f.Name.StartsWith("0x", StringComparison.Ordinal) || f.Name.Length == 0);
        }
    }
}
