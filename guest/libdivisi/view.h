/* Memory of peers that is seen where it is. Who sends the same buffers again and again lends them as for a copy
 * (lend.h); the receiver has the VMM show them to it once (DIVISI_SYS_VIEW_LENT) and from then on copies by itself,
 * with no exit at all. What is shown stays so until it goes the way of all caches, or the owner maps that memory
 * otherwise.
 *
 * Threads: one at a time, as all of libdivisi.
 */
#ifndef DIVISI_GUEST_VIEW_H
#define DIVISI_GUEST_VIEW_H

#include "lend.h"

/* To be asked once for each message that the sender could lend: whether this one came often enough to be worth it. */
int dvi_view_pays(const struct dvi_link* link, const void* address, uint64_t bytes);
/* The receiver rather had it through the ring: not again soon. */
void dvi_view_in_vain(const struct dvi_link* link, const void* address);
/* To be asked once for each such message: whether that was so just now. */
int dvi_rests(const struct dvi_link* link, const void* address);

/* Where this rank sees what the peer of `link` has lent; NULL: it does not. What is read there counts once
 * dvi_view_stands() has said so afterwards: the peer can take it away at any time. */
const void* dvi_view(const struct dvi_link* link, const struct dvi_lent* lent, uint64_t bytes);
int dvi_view_stands(void);

#endif
