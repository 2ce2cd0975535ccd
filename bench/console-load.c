// Sends netconsole records over the loopback as many hosts would, 127.1.x.y, each with sequence numbers of its own: BURST records of one, as
// a kernel prints a report, then those of the next.
// usage: console-load PORT HOSTS BURST basic|extended SECONDS [FIRST]     prints how many records it sent, and the next FIRST
// Numbers begin with FIRST, so that they can go on where another run ended.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { BATCH = 64, ROOM = 160 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    if (argc < 6) return 2;
    int hosts = atoi(argv[2]), burst = atoi(argv[3]), extended = argv[4][0] == 'e';
    double end = now() + atof(argv[5]);
    unsigned long first = argc > 6 ? strtoul(argv[6], NULL, 10) : 0, sent = 0;
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct sockaddr_in from = { .sin_family = AF_INET, .sin_port = htons(6665) };
    int s = socket(AF_INET, SOCK_DGRAM, 0), on = 1, room = 4 << 20;
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(s, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    if (bind(s, (struct sockaddr *)&from, sizeof from)) { perror("bind"); return 1; }

    static char text[BATCH][ROOM];
    static union { char bytes[CMSG_SPACE(sizeof(struct in_pktinfo))]; struct cmsghdr align; } control[BATCH];
    struct iovec vectors[BATCH];
    struct mmsghdr messages[BATCH];
    memset(messages, 0, sizeof messages);
    for (int i = 0; i < BATCH; i++) {
        vectors[i].iov_base = text[i];
        messages[i].msg_hdr = (struct msghdr) { .msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &vectors[i], .msg_iovlen = 1,
            .msg_control = &control[i], .msg_controllen = sizeof control[i].bytes };
        struct cmsghdr *header = CMSG_FIRSTHDR(&messages[i].msg_hdr);
        header->cmsg_level = IPPROTO_IP;
        header->cmsg_type = IP_PKTINFO;
        header->cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo));
    }
    for (int host = 0, done = 0; now() < end;) {
        for (int i = 0; i < BATCH; i++) {
            unsigned long number = first + (unsigned)done, micros = 1000000 + number * 100;
            vectors[i].iov_len = extended
                ? sprintf(text[i], "6,%lu,%lu,-;bench: host %d says line %lu, of the length that kernels print\n SUBSYSTEM=pci\n", number, micros, host, number)
                : sprintf(text[i], "[%5lu.%06lu] bench: host %d says line %lu, of the length that kernels print, more or less\n",
                          micros / 1000000, micros % 1000000, host, number);
            struct in_pktinfo *source = (struct in_pktinfo *)CMSG_DATA(CMSG_FIRSTHDR(&messages[i].msg_hdr));
            source->ipi_spec_dst.s_addr = htonl(0x7f010000u + (unsigned)(host / 250 << 8) + (unsigned)(host % 250) + 1);
            if (++done < burst) continue;
            done = 0;
            if (++host < hosts) continue;
            host = 0;
            first += (unsigned)burst;
        }
        for (int at = 0; at < BATCH;) {
            int n = sendmmsg(s, messages + at, BATCH - at, 0);
            if (n < 0) { perror("sendmmsg"); return 1; }
            at += n;
            sent += n;
        }
    }
    printf("%lu %lu\n", sent, first + (unsigned)burst);
    return 0;
}
