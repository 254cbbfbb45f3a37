/* session_file.c - a session as a file.
 *
 *     "spatial session\n"     16 bytes
 *     version                 u32
 *     byte order              u32, 0x01020304 as the writer stores it
 *     digest of the network   32 bytes
 *     plan                    9 x i64
 *     payload size            u64
 *     payload                 every living byte of state, in the order of sti_session_visit
 *     checksum                32 bytes, SHA-256 of all before
 */
#include "kernels/base/digest.h"
#include "kernels/base/files.h"
#include "model/session_internal.h"

#include <string.h>

enum { VERSION = 1, BYTE_ORDER_MARK = 0x01020304, PLAN_FIELDS = 9, DIGEST_BYTES = 32 };

static const char MAGIC[16] = "spatial session\n";

typedef struct header {
    char     magic[16];
    uint32_t version, byte_order;
    uint8_t  network[DIGEST_BYTES];
    int64_t  plan[PLAN_FIELDS];
    uint64_t payload_bytes;
} header;
_Static_assert(sizeof(header) == 16 + 8 + 32 + 72 + 8, "the header is written as it lies");

static void plan_put(int64_t field[PLAN_FIELDS], const st_session_plan *p)
{
    const int64_t all[PLAN_FIELDS] = {p->lookahead, p->anchors, p->rule, p->tokens_max,
                                      p->anchor_first, p->anchor_recent, p->rows_max, p->unit_max,
                                      p->patches_max};
    memcpy(field, all, sizeof all);
}

static st_status plan_get(st_session_plan *p, const int64_t field[PLAN_FIELDS])
{
    if (field[0] < ST_LOOKAHEAD_EXACT || field[0] > ST_LOOKAHEAD_NONE ||
        field[1] < ST_ANCHOR_UNBOUNDED || field[1] > ST_ANCHOR_BOUNDED ||
        field[2] < ST_RULE_HYBRID || field[2] > ST_RULE_PLAIN)
        return ST_FAIL(ST_ERR_FORMAT, "damaged: the plan makes no sense");
    *p = (st_session_plan){.lookahead = (st_lookahead)field[0],
                           .anchors = (st_anchor_reach)field[1], .rule = (st_rule)field[2],
                           .tokens_max = field[3], .anchor_first = field[4],
                           .anchor_recent = field[5], .rows_max = field[6], .unit_max = field[7],
                           .patches_max = field[8]};
    return st_ok();
}

/* --- writing ---------------------------------------------------------------------------------- */

typedef struct writing {
    st_out    out;
    st_sha256 hash;
} writing;

static st_status count_bytes(void *context, void *bytes, size_t size)
{
    (void)bytes;
    *(uint64_t *)context += size;
    return st_ok();
}

static st_status write_bytes(void *context, void *bytes, size_t size)
{
    writing *w = context;
    st_sha256_add(&w->hash, bytes, size);
    return st_out_write(&w->out, bytes, size);
}

st_status st_session_save(const st_session *session, const char *path)
{
    st_session *s = (st_session *)session;      /* the walk is shared with reading */
    header h = {.version = VERSION, .byte_order = BYTE_ORDER_MARK};
    memcpy(h.magic, MAGIC, sizeof h.magic);
    memcpy(h.network, s->network->digest.bytes, DIGEST_BYTES);
    plan_put(h.plan, &s->plan);
    ST_TRY(sti_session_visit(s, count_bytes, &h.payload_bytes));

    writing w = {.out = st_out_none()};
    st_sha256_start(&w.hash);
    st_status status;
    ST_TRY_OR(status, out, st_out_open(&w.out, path));
    ST_TRY_OR(status, out, write_bytes(&w, &h, sizeof h));
    ST_TRY_OR(status, out, sti_session_visit(s, write_bytes, &w));
    st_digest sum = st_sha256_end(&w.hash);
    ST_TRY_OR(status, out, st_out_write(&w.out, sum.bytes, DIGEST_BYTES));
    ST_TRY_OR(status, out, st_out_commit(&w.out));
out:
    st_out_discard(&w.out);
    return status;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* Check all that needs no session. */
static st_status header_get(header *h, const unsigned char *bytes, size_t size)
{
    if (size < sizeof *h + DIGEST_BYTES || memcmp(bytes, MAGIC, sizeof MAGIC) != 0)
        return ST_FAIL(ST_ERR_FORMAT, "not a session file");
    memcpy(h, bytes, sizeof *h);
    if (h->byte_order != BYTE_ORDER_MARK)
        return ST_FAIL(ST_ERR_UNSUPPORTED, "written by a machine of the other byte order");
    if (h->version != VERSION)
        return ST_FAIL(ST_ERR_UNSUPPORTED, "session version %u, this program reads %d",
                       (unsigned)h->version, VERSION);
    if (h->payload_bytes != size - sizeof *h - DIGEST_BYTES)
        return ST_FAIL(ST_ERR_FORMAT, "cut: %llu bytes of state expected, %zu are there",
                       (unsigned long long)h->payload_bytes, size - sizeof *h - DIGEST_BYTES);
    return st_ok();
}

typedef struct reading {
    const unsigned char *at, *end;
} reading;

static st_status read_bytes(void *context, void *bytes, size_t size)
{
    reading *r = context;
    if (size > (size_t)(r->end - r->at))
        return ST_FAIL(ST_ERR_FORMAT, "damaged: the state is shorter than its counts say");
    if (size > 0)
        memcpy(bytes, r->at, size);
    r->at += size;
    return st_ok();
}

static st_status check_owner(const st_session *s, const header *h)
{
    const st_digest *own = &s->network->digest;
    st_digest theirs;
    memcpy(theirs.bytes, h->network, DIGEST_BYTES);
    if (memcmp(theirs.bytes, own->bytes, DIGEST_BYTES) != 0) {
        char a[65], b[65];
        return ST_FAIL(ST_ERR_DATA, "saved by another model or rule (%.12s, this one is %.12s)",
                       st_digest_print(a, &theirs), st_digest_print(b, own));
    }
    st_session_plan plan;
    ST_TRY(plan_get(&plan, h->plan));
    if (!sti_plan_equal(&plan, &s->plan))
        return ST_FAIL(ST_ERR_USAGE, "saved by a session of another plan");
    return st_ok();
}

st_status sti_session_read(st_session *s, const unsigned char *bytes, size_t size)
{
    header h;
    ST_TRY(header_get(&h, bytes, size));
    ST_TRY(check_owner(s, &h));
    const st_digest sum = st_digest_of(bytes, size - DIGEST_BYTES);
    if (memcmp(sum.bytes, bytes + size - DIGEST_BYTES, DIGEST_BYTES) != 0)
        return ST_FAIL(ST_ERR_FORMAT, "damaged: the checksum does not fit");

    reading r = {bytes + sizeof h, bytes + size - DIGEST_BYTES};
    st_status status = sti_session_visit(s, read_bytes, &r);
    if (status.code == ST_OK && r.at != r.end)
        status = ST_FAIL(ST_ERR_FORMAT, "damaged: the state is longer than its counts say");
    for (int64_t i = 0; i < s->layers && status.code == ST_OK; i++)
        if (s->layer[i].hybrid)
            status = st_ttt_state_restored(s->network->stream, &s->layer[i].ttt);
    if (status.code != ST_OK)
        ST_TRY(st_session_reset(s));        /* half a state is none */
    return status;
}

st_status st_session_load(st_session *s, const char *path)
{
    st_map map;
    ST_TRY(st_map_open(&map, path));
    const st_status status = st_within(sti_session_read(s, map.data, map.size), "%s", path);
    st_map_close(&map);
    return status;
}

st_status st_session_file_plan(st_session_plan *plan, const char *path)
{
    st_map map;
    header h;
    ST_TRY(st_map_open(&map, path));
    st_status s = header_get(&h, map.data, map.size);
    if (s.code == ST_OK)
        s = plan_get(plan, h.plan);
    st_map_close(&map);
    return st_within(s, "%s", path);
}
