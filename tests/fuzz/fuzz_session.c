/* Any bytes as a session file: loaded or refused, then read on and asked, and never a crash.
 *
 * The first byte chooses. 0: the rest is the file. Otherwise the rest is a list of edits, three
 * bytes of offset and one of value, to a good file made at the start: half a video, with rows held
 * back. The checksum is put right behind them, because no random change would pass it.
 */
#include "model/session_internal.h"
#include "unit/tiny_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SUM_BYTES = 32, V = 96 };

static st_network *network;
static st_session *session;
static st_arena    arena;
static st_str      good;            /* the bytes of a good file */

static void read_grid(bool end)
{
    static float pixels[24 * 1536], logits[V];
    static const int64_t ids[] = {3, 4};
    const st_piece pieces[] = {
        {.kind = ST_PIECE_GRID, .pixels = pixels, .rows = 4, .columns = 6},
        {.kind = ST_PIECE_TEXT, .ids = ids, .count = 2},
        {.kind = ST_PIECE_END},
        {.kind = ST_PIECE_TEXT, .ids = ids, .count = 1}};
    const size_t from = st_session_state_get(session).video_open ? 0 : 3;
    const st_status s = st_session_feed(session, pieces + from, (end ? 4 : 2) - from);
    if (s.code == ST_OK && end && st_session_logits(session, logits).code == ST_OK)
        (void)logits;
}

static void make_good_file(void)
{
    char folder[64], path[128];
    st_model_config config = tiny_config();
    config.compat.reseed_pending = true;
    tiny_model_make(folder, &config, 1);
    network = tiny_network(folder);
    st_session_plan plan = st_session_plan_default();
    plan.tokens_max = 64;
    plan.rows_max = 16;
    plan.unit_max = 10;
    plan.patches_max = 24;
    must(st_session_create(&session, network, &plan));
    const st_piece begin = {.kind = ST_PIECE_VIDEO};
    must(st_session_feed(session, &begin, 1));
    for (int i = 0; i < 3; i++)
        read_grid(false);
    snprintf(path, sizeof path, "%s/session", folder);
    must(st_session_save(session, path));
    st_arena_init(&arena, "good");
    must(st_file_read(&arena, &good, path, (size_t)64 << 20));
    tiny_model_remove(folder);
}

static void edit(unsigned char *bytes, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i + 4 <= size; i += 4) {
        const size_t at = (size_t)data[i] | (size_t)data[i + 1] << 8 | (size_t)data[i + 2] << 16;
        bytes[at % (good.size - SUM_BYTES)] = data[i + 3];
    }
    const st_digest sum = st_digest_of(bytes, good.size - SUM_BYTES);
    memcpy(bytes + good.size - SUM_BYTES, sum.bytes, SUM_BYTES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!session)
        make_good_file();
    if (size == 0 || data[0] == 0) {
        if (sti_session_read(session, size ? data + 1 : data, size ? size - 1 : 0).code == ST_OK)
            __builtin_trap();       /* nothing so short is a session of this network */
        return 0;
    }
    unsigned char *bytes = malloc(good.size);
    if (!bytes)
        return 0;
    memcpy(bytes, good.data, good.size);
    edit(bytes, data + 1, size - 1);
    if (sti_session_read(session, bytes, good.size).code == ST_OK)
        read_grid(true);
    free(bytes);
    return 0;
}
