"""What the benches of the secure upload share: a server and an sshd of their own on the loopback, ended by their process ids."""
import glob, os, re, socket, subprocess, sys, time

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
NETDUMP = os.path.join(HERE, "artifacts", "client", "netdump")
SERVER = os.path.join(HERE, "artifacts", "server", "netdump-server")
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "netdump-tests")


def affinity(cpus):
    """What a child does before it becomes the program."""
    def apply():
        os.sched_setaffinity(0, cpus)
        if os.environ.get("REALTIME"):
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    return apply


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(path, pattern):
    for _ in range(600):
        if os.path.exists(path) and (found := re.search(pattern, open(path).read())):
            return found
        time.sleep(0.1)
    sys.exit(f"{path}: {pattern} did not come:\n{open(path).read()}")


class Server:
    """netdump-server with one enrolled key."""

    def __init__(self, work, cpus, store=None):
        self.store = store or os.path.join(work, "store")
        self.port = free_port()
        key, log = os.path.join(work, "key"), os.path.join(work, "server.log")
        if not os.path.exists(key):
            subprocess.run([NETDUMP, "keygen", "--key", key, "--name", "bench"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([SERVER, "enrol", key + ".pub", "--store", self.store], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        pin = subprocess.run([SERVER, "fingerprint", "--store", self.store], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        self.process = subprocess.Popen([SERVER, "--store", self.store, "--listen", "127.0.0.1", "--port", str(free_port(socket.SOCK_DGRAM)), "--secure-port", str(self.port), "--analyser", "none"],
                                        stdout=open(log, "w"), stderr=subprocess.STDOUT, preexec_fn=affinity(cpus))
        wait_for(log, r"\[210\]")
        self.options = ["--server", f"127.0.0.1:{self.port}", "--key", key, "--pin", pin]

    def take(self, name):
        """Bytes of the vmcore that arrived; it is removed."""
        crash, = glob.glob(os.path.join(self.store, "127.0.0.1-*"))
        size = os.path.getsize(os.path.join(crash, name))
        subprocess.run(["rm", "-rf", crash], check=True)
        return size

    def processor_seconds(self):
        """What it has used so far."""
        words = open(f"/proc/{self.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Sshd:
    """sshd as Debian installs it, with keys of this run alone."""

    def __init__(self, work, cpus):
        port, host, user = free_port(), os.path.join(work, "ssh-host"), os.path.join(work, "ssh-user")
        for key in (host, user):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        os.makedirs("/run/sshd", exist_ok=True)
        self.process = subprocess.Popen(
            ["/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null", "-h", host, "-p", str(port), "-o", "ListenAddress=127.0.0.1", "-o", f"AuthorizedKeysFile={user}.pub",
             "-o", "StrictModes=no", "-o", "PidFile=none", "-o", "UsePAM=no", "-o", "Subsystem=sftp internal-sftp"],
            stdout=open(os.path.join(work, "sshd.log"), "w"), stderr=subprocess.STDOUT, preexec_fn=affinity(cpus))
        self.settings = ["-F", "/dev/null", "-i", user, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
        self.port = port
        self.ssh = ["ssh", *self.settings, "-p", str(port), "127.0.0.1"]
        for _ in range(100):
            if subprocess.run([*self.ssh, "true"], stderr=subprocess.DEVNULL).returncode == 0:
                return
            time.sleep(0.1)
        sys.exit("sshd does not let us in: " + open(os.path.join(work, "sshd.log")).read())

    def stop(self):
        self.process.terminate()
        self.process.wait()
