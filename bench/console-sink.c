// The least a receiver can do: recvmmsg of 64 datagrams, counted and forgotten. SIGTERM: prints how many.
// usage: console-sink PORT
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { BATCH = 64, ROOM = 2048 };
static volatile sig_atomic_t over;
static void stop(int signal) { (void)signal; over = 1; }

int main(int argc, char **argv)
{
    if (argc < 2) return 2;
    static char text[BATCH][ROOM];
    struct sockaddr_in names[BATCH], at = { .sin_family = AF_INET, .sin_port = htons(atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct iovec vectors[BATCH];
    struct mmsghdr messages[BATCH];
    int s = socket(AF_INET, SOCK_DGRAM, 0), room = 8 << 20;
    sigaction(SIGTERM, &(struct sigaction) { .sa_handler = stop }, NULL);
    if (setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room)) setsockopt(s, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    if (bind(s, (struct sockaddr *)&at, sizeof at)) { perror("bind"); return 1; }
    unsigned long count = 0;
    while (!over) {
        for (int i = 0; i < BATCH; i++) {
            vectors[i] = (struct iovec) { text[i], ROOM };
            messages[i].msg_hdr = (struct msghdr) { .msg_name = &names[i], .msg_namelen = sizeof names[i], .msg_iov = &vectors[i], .msg_iovlen = 1 };
        }
        int n = recvmmsg(s, messages, BATCH, MSG_WAITFORONE, NULL);
        if (n > 0) count += n;
    }
    printf("%lu\n", count);
    return 0;
}
