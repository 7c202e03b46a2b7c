/* Everybody says hello. Works in nodes, natively, and alone. */
#include <divisi.h>
#include <stdio.h>

int main(void) {
    printf("hello from rank %d of %d on node %d of %d (%s, %s)\n", divisi_rank(), divisi_size(), divisi_node(),
           divisi_nodes(), divisi_mode_name(), divisi_backend_name());
    return 0;
}
