#include <stdio.h>

int main(void) {
    puts("hello, node");
    fprintf(stderr, "and to standard error\n");
    return 0;
}
