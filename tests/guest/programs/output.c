// Much output arrives whole and in order, through stdio, write and writev; the last line lacks its newline.
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

int main(void) {
    for (int i = 0; i < 20000; ++i) printf("line %d of a long output, %.3f\n", i, i / 7.0);
    fflush(stdout);
    char big[100000];
    memset(big, 'x', sizeof big);
    for (size_t i = 99; i < sizeof big; i += 100) big[i] = '\n';
    size_t done = 0;
    while (done < sizeof big) {
        ssize_t count = write(STDOUT_FILENO, big + done, sizeof big - done);
        if (count <= 0) return 1;
        done += (size_t)count;
    }
    char one[] = "one ", two[] = "two ", three[] = "three\n";
    struct iovec parts[] = {{one, 4}, {two, 4}, {big, 0}, {three, 6}};
    if (writev(STDOUT_FILENO, parts, 4) != 14) return 2;
    printf("no newline at the end");
    return 0;
}
