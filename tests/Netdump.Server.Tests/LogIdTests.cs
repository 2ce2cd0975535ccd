using System.Reflection;
using Microsoft.Extensions.Logging;

namespace Netdump.Server.Tests;

public sealed class LogIdTests
{
    [Fact]
    public void Every_log_line_has_an_id_of_its_own()
    {
        int[] ids = [.. typeof(Log).GetMethods(BindingFlags.Public | BindingFlags.Static)
            .Select(m => m.GetCustomAttribute<LoggerMessageAttribute>()).OfType<LoggerMessageAttribute>().Select(a => a.EventId)];
        Assert.InRange(ids.Length, 40, 1000);
        Assert.Empty(ids.GroupBy(id => id).Where(group => group.Count() > 1).Select(group => group.Key));
    }
}
