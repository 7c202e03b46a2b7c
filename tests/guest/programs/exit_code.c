// exit_code WAY CODE: the exit code of main, exit, _exit, a thread's exit, with handlers and buffers treated rightly.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void first(void) { puts("first handler, run last"); }
static void second(void) { puts("second handler, run first"); }

static void* leave(void* code) { exit(*(int*)code); }

int main(int argc, char** argv) {
    if (argc != 3) return 99;
    static int code;
    code = atoi(argv[2]);
    atexit(first);
    atexit(second);
    printf("leaving by %s\n", argv[1]);
    if (strcmp(argv[1], "return") == 0) return code;
    if (strcmp(argv[1], "exit") == 0) exit(code);
    if (strcmp(argv[1], "_exit") == 0) {
        write(STDOUT_FILENO, "written\n", 8);
        _exit(code);  // what stands in the buffer is lost, here as natively
    }
    pthread_t thread;
    if (strcmp(argv[1], "thread") == 0) {
        pthread_create(&thread, NULL, leave, &code);
        for (;;) pause();
    }
    return 99;
}
