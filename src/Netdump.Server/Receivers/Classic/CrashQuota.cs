using Netdump.Server.Receivers.Udp;

namespace Netdump.Server.Receivers.Classic;

/// <summary>
/// How many crashes were opened lately: each START opens a directory, and source addresses of UDP can be made up. Counts those of one
/// address, and those in all whose client never answered a request (numbers of requests are random, so a client that answers exists).
/// Owned by one engine thread.
/// </summary>
internal sealed class CrashQuota
{
    /// <summary>Most crashes of one address, behind which there may be a rack of hosts.</summary>
    public const int MaximumPerAddress = 64;

    /// <summary>Most crashes without an answer.</summary>
    public const int MaximumUnanswered = 256;

    /// <summary>For how long a crash counts.</summary>
    public static readonly TimeSpan Window = TimeSpan.FromMinutes(10);

    private readonly Queue<Place> _places = new();
    private readonly Dictionary<AddressKey, int> _ofAddress = [];

    /// <summary>Crashes that count and were never answered.</summary>
    public int Unanswered { get; private set; }

    /// <summary>Crashes of an address that count.</summary>
    public int Of(in AddressKey address) => _ofAddress.GetValueOrDefault(address);

    /// <summary>Counts a crash.</summary>
    public Place Take(in AddressKey address, TimeSpan now)
    {
        Place place = new(this, address, now);
        _places.Enqueue(place);
        _ofAddress[address] = Of(address) + 1;
        Unanswered++;
        return place;
    }

    /// <summary>Forgets what is older than <see cref="Window"/>.</summary>
    public void Expire(TimeSpan now)
    {
        while (_places.TryPeek(out Place? oldest) && oldest.At + Window <= now)
            _places.Dequeue().GiveBack();
    }

    /// <summary>One crash that counts.</summary>
    internal sealed class Place(CrashQuota quota, AddressKey address, TimeSpan at)
    {
        private bool _answered;
        private bool _over;

        /// <summary>When it was taken.</summary>
        public TimeSpan At => at;

        /// <summary>Its client answered a request.</summary>
        public void NoteAnswer()
        {
            if (_answered || _over)
                return;
            _answered = true;
            quota.Unanswered--;
        }

        /// <summary>It counts no more: nothing was opened, or its time is over.</summary>
        public void GiveBack()
        {
            if (_over)
                return;
            NoteAnswer();
            _over = true;
            int left = quota.Of(address) - 1;
            if (left > 0)
                quota._ofAddress[address] = left;
            else
                quota._ofAddress.Remove(address);
        }
    }
}
