/* session_internal.h - what the files of a session share: its state, its workspace, its packets.
 *
 *   packet    rows on their way through the layers, with what must travel along
 *   span      a run of rows of one kind; a grid is one span
 *   hold      what a hybrid layer keeps for later: rows not yet ready, and the raw q, k, v of the
 *             last grid that went by, which the next one is mixed with
 *
 * Rows enter a hybrid layer's work area in this order:
 *
 *     | the grid behind | held rows | new rows               |
 *                       |<------ ready ------>|<-- to hold ->|
 */
#ifndef ST_MODEL_SESSION_INTERNAL_H
#define ST_MODEL_SESSION_INTERNAL_H

#include "kernels/ttt.h"
#include "model/internal.h"
#include "model/session.h"
#include "model/vision.h"

typedef enum sti_span_kind { STI_SPAN_TEXT, STI_SPAN_IMAGE, STI_SPAN_GRID } sti_span_kind;

typedef struct sti_span {
    int32_t kind;               /* sti_span_kind                               */
    int32_t first, last;        /* of its video, as far as known               */
    int32_t h, w;               /* merged tokens of a grid, down and across    */
    int32_t rows;
} sti_span;

typedef struct sti_packet {
    int64_t   rows, spans;
    int64_t   visual;           /* whether any row has deepstack features      */
    float    *x;                /* (rows_cap,H)                                */
    float    *deep;             /* (K,rows_cap,H), K deepstack sets            */
    int64_t  *position;         /* (rows_cap,3)                                */
    sti_span *span;             /* (rows_cap)                                  */
    int64_t   rows_cap;
} sti_packet;

typedef struct sti_hold {
    sti_packet rows;            /* capacity unit_max                           */
    float     *q, *k, *v;       /* (unit_max, heads*D / kv*D) normed, not turned */
    float     *lr, *mu, *scale; /* (unit_max, 3F / F / F) before their squash  */
    float     *behind_q, *behind_k, *behind_v;      /* (grid rows, ...)        */
    int64_t    behind_rows;     /* 0: the next grid is the first of its video  */
} sti_hold;

/* Keys that could be written again, under Q3: a ring over the last C tokens. */
typedef struct sti_recent {
    float  *k, *v;              /* (C,F*d)  */
    float  *lr, *mu;            /* (C,3F), (C,F) after their squash */
    int64_t reseed;             /* the first answered token is still to come   */
} sti_recent;

typedef struct sti_layer {
    const st_layer_weights *w;
    int64_t      index;
    bool         hybrid;
    int64_t      seen;          /* rows that went through                      */
    int64_t      capacity;      /* rows of the key ring                        */
    float       *k, *v;         /* (capacity, kv, D)                           */
    st_ttt_state ttt;           /* hybrid                                      */
    sti_hold     hold;          /* hybrid with convolution                     */
    sti_recent   recent;        /* hybrid under Q3                             */
} sti_layer;

/* Shared by a session and its forks; holds nothing between calls. */
typedef struct sti_workspace {
    st_slab    slab;
    st_vision *vision;
    sti_packet in, out;
    float     *patches;         /* (patches_max, D of the tower), for a watcher */
    int64_t    area;            /* rows of q, k, v below: behind, held and new */
    float     *y;               /* (rows,H)          normed rows                */
    float     *q, *k, *v;       /* (area, heads*D / kv*D)                       */
    float     *lr, *mu, *scale; /* (area, 3F / F / F)                           */
    float     *q_turned, *k_turned, *attended;      /* (rows, ...)              */
    float     *cosine, *sine;   /* (area, D/2)                                  */
    int64_t   *axis;            /* (3,area) positions by axis                   */
    float     *fq, *fk, *fv, *fo;                   /* (F,rows,d)               */
    float     *rate, *decay, *gain;                 /* (3,F,rows), (F,rows) x2  */
    int32_t   *grids, *rest;    /* (area,5), (area)                             */
    sti_span  *span;            /* (area) held and new spans together           */
    float     *gate, *up;       /* (MLP rows, F) */
    float     *birth[3];        /* (F*h*d) fast weights widened, at reset only  */
    size_t     scratch_from;    /* the rest of the slab: scratch of st_ttt_read */
} sti_workspace;

struct st_session {
    const st_network *network;
    st_session_plan   plan;
    sti_workspace    *work;
    bool              owns_work;
    st_slab           slab;         /* everything that reading changes */
    st_arena          arena;        /* the layers' structs             */
    sti_layer        *layer;
    int64_t           layers;
    float            *last;         /* (H) what left the last layer last */

    /* Plain numbers; saved and copied as they are. */
    struct sti_progress {
        int64_t tokens, done, grids, videos, position;
        int64_t video_open, grid_pending_first;
        int64_t grid_rows, grid_columns;    /* of the open video, in patches; 0 before its first */
        int64_t beyond_range;
        int64_t answering;
        int64_t clock_ms;
    } at;

    st_session_watch        *watch;
    void                    *watch_context;
    st_session_watch_vision *watch_vision;
    void                    *watch_vision_context;
};

/* Rows that pass the wide middle of the MLP at once. */
enum { STI_MLP_ROWS = 512 };

static inline bool sti_has_conv(const st_session *s)
{
    return s->network->config.ttt.conv;
}

/* --- session.c --- */

bool sti_plan_equal(const st_session_plan *a, const st_session_plan *b);

/* --- session_state.c --- */

/* Take everything of a session, or of a workspace, from its slab. */
ST_CHECKED st_status sti_session_take(st_session *s);
ST_CHECKED st_status sti_workspace_take(sti_workspace *w, const st_session *s);

/* Call `visit` for every living byte of state in a fixed order. */
typedef st_status sti_visit(void *context, void *bytes, size_t size);
ST_CHECKED st_status sti_session_visit(st_session *s, sti_visit *visit, void *context);

/* --- session_file.c --- */

/* Make the session what the bytes of a session file say. */
ST_CHECKED st_status sti_session_read(st_session *s, const unsigned char *bytes, size_t size);

/* --- decoder.c --- */

/* Send the workspace's packet `in` through layers from .. L-1. */
ST_CHECKED st_status sti_decoder_run(st_session *s, int64_t from);

/* x += o_proj(y) and the MLP, for rows of one layer; deepstack behind it. */
ST_CHECKED st_status sti_layer_finish(st_session *s, sti_layer *l, sti_packet *p,
                                      const st_tensor *mixed);

/* Turn keys, put them into the layer's ring, and attend. Rows start at area row `at`; the tables
 * are in place. The answer is work->attended (rows, heads*D). */
ST_CHECKED st_status sti_layer_attend(st_session *s, sti_layer *l, int64_t at, int64_t rows);

/* Tables for `rows` rows of positions (rows,3). */
ST_CHECKED st_status sti_layer_tables(st_session *s, int64_t at, const int64_t *position,
                                      int64_t rows);

/* q, k, v of normed rows into area rows from `at` on: projected and normed by head. */
ST_CHECKED st_status sti_layer_project(st_session *s, sti_layer *l, const st_tensor *y, int64_t at);

/* --- packet.c --- */

void sti_packet_clear(sti_packet *p);

/* Append rows [first, first+rows) of `from`; spans are appended apart. */
void sti_packet_add_rows(sti_packet *p, const sti_packet *from, int64_t first, int64_t rows,
                         int64_t hidden, int64_t deepstack);

/* --- ttt_layer.c --- */

/* One hybrid layer: from packet `in` to packet `out` of the workspace. */
ST_CHECKED st_status sti_hybrid_run(st_session *s, sti_layer *l);

/* The fast weights as born. */
ST_CHECKED st_status sti_hybrid_begin(st_session *s, sti_layer *l);

/* Q3: the last C tokens become pending again. */
ST_CHECKED st_status sti_hybrid_reseed(st_session *s, sti_layer *l);

st_ttt_rule sti_hybrid_rule(const st_model_config *config);

#endif
