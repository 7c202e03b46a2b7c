// Bytes from descriptor to descriptor: splice and tee between pipes and files; what is buffered, written back.
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

// What a call has used is closed when it is closed, and not a moment later.
static void ends(void) {
    for (int i = 0; i < 300; ++i) {
        int from[2], to[2];
        char buffer[8];
        CHECK(pipe(from) == 0 && pipe2(to, O_NONBLOCK) == 0);
        CHECK(write(from[1], "abc", 3) == 3 && splice(from[0], NULL, to[1], NULL, 3, 0) == 3);
        close(to[1]);
        CHECK(read(to[0], buffer, sizeof buffer) == 3 && read(to[0], buffer, sizeof buffer) == 0);
        close(to[0]);
        close(from[0]);
        close(from[1]);
    }
}

int main(void) {
    ends();
    int a[2], b[2];
    char buffer[64] = {};
    CHECK(pipe(a) == 0 && pipe2(b, O_NONBLOCK) == 0);
    char name[] = "splice-XXXXXX";
    const int file = mkstemp(name);
    CHECK(file >= 0 && write(file, "0123456789", 10) == 10);

    off_t offset = 2;
    CHECK(splice(file, &offset, a[1], NULL, 5, 0) == 5 && offset == 7);
    CHECK(tee(a[0], b[1], 3, 0) == 3);
    CHECK(read(b[0], buffer, sizeof buffer) == 3 && memcmp(buffer, "234", 3) == 0);
    CHECK(read(a[0], buffer, sizeof buffer) == 5 && memcmp(buffer, "23456", 5) == 0);
    CHECK(lseek(file, 0, SEEK_CUR) == 10);

    CHECK(write(a[1], "abc", 3) == 3);
    offset = 20;
    CHECK(splice(a[0], NULL, file, &offset, 100, SPLICE_F_MOVE) == 3 && offset == 23);
    CHECK(pread(file, buffer, 3, 20) == 3 && memcmp(buffer, "abc", 3) == 0);
    CHECK(write(a[1], "def", 3) == 3 && splice(a[0], NULL, b[1], NULL, 2, 0) == 2);
    CHECK(read(b[0], buffer, 9) == 2 && read(a[0], buffer, 9) == 1 && buffer[0] == 'f');

    CHECK_ERRNO(splice(file, NULL, file, NULL, 5, 0), EINVAL);
    CHECK_ERRNO(splice(99, NULL, a[1], NULL, 5, 0), EBADF);
    CHECK_ERRNO(splice(a[0], &offset, b[1], NULL, 5, 0), ESPIPE);
    CHECK_ERRNO(splice(b[0], NULL, a[1], NULL, 5, SPLICE_F_NONBLOCK), EAGAIN);
    CHECK_ERRNO(splice(b[0], NULL, a[1], NULL, 5, 0xff00), EINVAL);
    CHECK(splice(b[0], NULL, a[1], NULL, 0, 0) == 0);
    CHECK_ERRNO(tee(file, a[1], 5, 0), EINVAL);
    close(b[1]);
    CHECK(splice(b[0], NULL, a[1], NULL, 5, 0) == 0);
    close(b[0]);
    signal(SIGPIPE, SIG_IGN);
    close(a[0]);
    CHECK_ERRNO(splice(file, &(off_t){0}, a[1], NULL, 5, 0), EPIPE);

    CHECK(fsync(file) == 0 && fdatasync(file) == 0 && syncfs(file) == 0);
    CHECK(sync_file_range(file, 0, 10, SYNC_FILE_RANGE_WRITE) == 0);
    CHECK_ERRNO(sync_file_range(file, -1, 10, 0), EINVAL);
    CHECK(readahead(file, 0, 100) == 0);
    CHECK_ERRNO(readahead(-1, 0, 100), EBADF);
    CHECK_ERRNO(syncfs(99), EBADF);
    CHECK(close(file) == 0 && unlink(name) == 0);
    return check_end();
}
