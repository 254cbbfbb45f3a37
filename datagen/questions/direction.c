/* direction.c - standing here and facing there, where is that? (data.md 5.7, Q-25)
 *
 * P is where one stands, O what one faces, Q what is asked for. Seen from above, the bearing of Q
 * runs counter-clockwise from straight ahead:
 *
 *            0 ahead                 easy     left (0,180), right (180,360)
 *        front | front               medium   left (0,135), back [135,225], right (225,360)
 *        left  |  right              hard     quadrants
 *     90 ------P------ 270
 *        back  |  back
 *        left  |  right
 *             180
 */
#include "datagen/questions/internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SECTORS_MAX = 4 };

/* A sector holds the bearings from its start to the next one's; the borders count for margins, and
 * easy keeps clear of the back of medium, where left and right mean little. */
typedef struct sectors {
    int         count;
    const char *name[SECTORS_MAX];
    double      start_deg[SECTORS_MAX];
    int         border_count;
    double      border_deg[SECTORS_MAX];
} sectors;

static const sectors sectors_easy = {2, {"left", "right"}, {0, 180}, 3, {0, 135, 225}};
static const sectors sectors_medium = {
    3, {"left", "back", "right"}, {0, 135, 225}, 3, {0, 135, 225}};
static const sectors sectors_hard = {4,
                                     {"front-left", "back-left", "back-right", "front-right"},
                                     {0, 90, 180, 270},
                                     4,
                                     {0, 90, 180, 270}};

static const sectors *sectors_of(st_question type)
{
    if (type == ST_QUESTION_DIRECTION_EASY)
        return &sectors_easy;
    return type == ST_QUESTION_DIRECTION_MEDIUM ? &sectors_medium : &sectors_hard;
}

int sti_sector_count(st_question type)
{
    return sectors_of(type)->count;
}

const char *sti_sector_name(st_question type, int sector)
{
    return sectors_of(type)->name[sector];
}

int sti_sector_of(st_question type, double bearing_deg)
{
    const sectors *s = sectors_of(type);
    int sector = s->count - 1;
    while (sector > 0 && bearing_deg < s->start_deg[sector])
        sector--;
    return sector;
}

double sti_sector_margin_deg(st_question type, double bearing_deg)
{
    const sectors *s = sectors_of(type);
    double least_deg = 360.0;
    for (int i = 0; i < s->border_count; i++) {
        const double turn_deg = fabs(bearing_deg - s->border_deg[i]);
        least_deg = fmin(least_deg, fmin(turn_deg, 360.0 - turn_deg));
    }
    /* In the back sector of easy the nearest border is on the wrong side: no margin at all. */
    if (s == &sectors_easy && bearing_deg > 135.0 && bearing_deg < 225.0)
        return -least_deg;
    return least_deg;
}

/* Where someone at P may stand: its centre, and the middle of the footprint side nearest to O.
 * Sides that tie within 1 um all count, so that rounding decides nothing. */
typedef struct stands {
    double xy_m[17][2];
    int    count;
} stands;

static double side_distance_m(const double a[2], const double b[2], const double p[2])
{
    const double dx = b[0] - a[0], dy = b[1] - a[1], square = dx * dx + dy * dy;
    double s = square > 0.0 ? ((p[0] - a[0]) * dx + (p[1] - a[1]) * dy) / square : 0.0;
    s = fmin(fmax(s, 0.0), 1.0);
    return hypot(a[0] + s * dx - p[0], a[1] + s * dy - p[1]);
}

static stands stands_of(const st_obb *p, const st_footprint *f, const double target_m[2])
{
    stands st = {.count = 1};
    memcpy(st.xy_m[0], p->center_m, sizeof st.xy_m[0]);
    double distance_m[16], least_m = INFINITY;
    for (int i = 0; i < f->count; i++) {
        distance_m[i] = side_distance_m(f->xy_m[i], f->xy_m[(i + 1) % f->count], target_m);
        least_m = fmin(least_m, distance_m[i]);
    }
    for (int i = 0; i < f->count; i++) {
        if (!(distance_m[i] <= least_m + 1e-6))
            continue;
        const double *a = f->xy_m[i], *b = f->xy_m[(i + 1) % f->count];
        st.xy_m[st.count][0] = 0.5 * (a[0] + b[0]);
        st.xy_m[st.count][1] = 0.5 * (a[1] + b[1]);
        st.count++;
    }
    return st;
}

/* Whether every corner of Q lies in the sector, from wherever one may stand. */
static bool corners_agree(st_question type, int sector, const stands *from, const double facing[2],
                          const st_footprint *q)
{
    for (int s = 0; s < from->count; s++) {
        for (int i = 0; i < q->count; i++) {
            double bearing_deg;
            if (st_bearing_deg(&bearing_deg, from->xy_m[s], facing, q->xy_m[i]).code != ST_OK ||
                sti_sector_of(type, bearing_deg) != sector)
                return false;
        }
    }
    return true;
}

static double centre_distance_m(const st_obb *a, const st_obb *b)
{
    return hypot(a->center_m[0] - b->center_m[0], a->center_m[1] - b->center_m[1]);
}

/* The numbers that thresholds look at, all of a triple but its bearing. */
typedef struct reach {
    double po_m, pq_m, oq_m;                    /* between boxes               */
    double po_centre_m, pq_centre_m;            /* between centres, from above */
    double p_side_m, o_side_m, q_side_m;        /* longest footprint sides     */
} reach;

/* The least slack of each rule of a triple; all must be >= 0. */
typedef struct slack {
    double stand_min_m, stand_max_m, stand_centre_m, target_min_m, stand_side_m, target_side_m;
} slack;

static slack slack_of(const reach *r, const st_thresholds *t)
{
    return (slack){
        .stand_min_m = fmin(r->po_m, r->pq_m) - t->stand_min_m,
        .stand_max_m = t->stand_max_m - fmax(r->po_m, r->pq_m),
        .stand_centre_m = fmin(r->po_centre_m, r->pq_centre_m) - t->stand_centre_min_m,
        .target_min_m = r->oq_m - t->target_min_m,
        .stand_side_m = t->stand_side_max_m - r->p_side_m,
        .target_side_m = t->target_side_max_m - fmax(r->o_side_m, r->q_side_m),
    };
}

static bool holds(const slack *s)
{
    return s->stand_min_m >= 0.0 && s->stand_max_m >= 0.0 && s->stand_centre_m >= 0.0 &&
           s->target_min_m >= 0.0 && s->stand_side_m >= 0.0 && s->target_side_m >= 0.0;
}

/* Footprints of the referents, and their longest sides, by their place in facts->referents. */
typedef struct ground {
    st_footprint *footprint;
    double       *side_m;
} ground;

static st_status gather_ground(ground *g, st_arena *arena, const sti_facts *facts)
{
    ST_TRY(ST_ALLOC(arena, &g->footprint, (size_t)facts->referent_count));
    ST_TRY(ST_ALLOC(arena, &g->side_m, (size_t)facts->referent_count));
    for (int r = 0; r < facts->referent_count; r++) {
        g->footprint[r] = st_obb_footprint(&facts->scene->objects[facts->referents[r]].box);
        g->side_m[r] = st_footprint_longest_side(&g->footprint[r]);
    }
    return st_ok();
}

/* p, o and q are places in facts->referents; the sides are left to the caller. */
static reach reach_of(const sti_facts *facts, int p, int o, int q)
{
    const int *ids = facts->referents;
    const st_object *objects = facts->scene->objects;
    return (reach){
        .po_m = sti_facts_exact(facts, p, ids[o]),
        .pq_m = sti_facts_exact(facts, p, ids[q]),
        .oq_m = sti_facts_exact(facts, o, ids[q]),
        .po_centre_m = centre_distance_m(&objects[ids[p]].box, &objects[ids[o]].box),
        .pq_centre_m = centre_distance_m(&objects[ids[p]].box, &objects[ids[q]].box),
    };
}

static reach reach_on(const sti_facts *facts, const ground *g, int p, int o, int q)
{
    reach r = reach_of(facts, p, o, q);
    r.p_side_m = g->side_m[p];
    r.o_side_m = g->side_m[o];
    r.q_side_m = g->side_m[q];
    return r;
}

static st_status add_types(sti_candidates *all, const sti_facts *facts, const ground *g, int p,
                           int o, int q)
{
    const st_thresholds *t = &facts->settings->thresholds;
    const st_object *objects = facts->scene->objects;
    const int *ids = facts->referents;
    const double *facing = objects[ids[o]].box.center_m;
    double bearing_deg;
    if (st_bearing_deg(&bearing_deg, objects[ids[p]].box.center_m, facing,
                       objects[ids[q]].box.center_m).code != ST_OK)
        return st_ok();                         /* two centres coincide: nothing to ask */
    const stands from = stands_of(&objects[ids[p]].box, &g->footprint[p], facing);

    for (int k = ST_QUESTION_DIRECTION_EASY; k <= ST_QUESTION_DIRECTION_HARD; k++) {
        const st_question type = (st_question)k;
        const int sector = sti_sector_of(type, bearing_deg);
        if (!(sti_sector_margin_deg(type, bearing_deg) >= t->bearing_margin_deg) ||
            !corners_agree(type, sector, &from, facing, &g->footprint[q]))
            continue;
        sti_candidate c = {.facts = facts,
                           .type = type,
                           .options = sti_sector_count(type),
                           .slot = {ids[p], ids[o], ids[q]},
                           .content = sti_sector_name(type, sector),
                           .value = bearing_deg};
        char key[3 * 256];
        snprintf(key, sizeof key, "%.200s|%.200s|%.200s", objects[ids[p]].label,
                 objects[ids[o]].label, objects[ids[q]].label);
        ST_TRY(st_arena_printf(all->arena, &c.about, "%s|%s", objects[ids[o]].label,
                               objects[ids[q]].label));
        ST_TRY(sti_candidate_add(all, c, key));
    }
    return st_ok();
}

static st_status find(sti_candidates *all, const sti_facts *facts)
{
    ground g;
    ST_TRY(gather_ground(&g, all->arena, facts));
    const int n = facts->referent_count;
    for (int p = 0; p < n; p++) {
        for (int o = 0; o < n; o++) {
            for (int q = 0; q < n; q++) {
                if (p == o || p == q || o == q)
                    continue;
                const reach r = reach_on(facts, &g, p, o, q);
                const slack s = slack_of(&r, &facts->settings->thresholds);
                if (holds(&s))
                    ST_TRY(add_types(all, facts, &g, p, o, q));
            }
        }
    }
    return st_ok();
}

static st_status describe(st_record *record, const char *contents[ST_OPTIONS_MAX], st_arena *arena,
                          const sti_candidate *one)
{
    const sti_facts *facts = one->facts;
    const st_thresholds *t = &facts->settings->thresholds;
    static const char *const roles[] = {"positioning", "orienting", "querying"};
    record->proof.unit = "deg";
    record->proof.rule = ST_QA_RULES " Q-25";
    contents[0] = one->content;
    for (int i = 0, n = 1; i < one->options; i++)
        if (strcmp(sti_sector_name(one->type, i), one->content) != 0)
            contents[n++] = sti_sector_name(one->type, i);

    int place[3];
    double side_m[3];
    for (int i = 0; i < 3; i++) {
        const st_footprint f = st_obb_footprint(&facts->scene->objects[one->slot[i]].box);
        side_m[i] = st_footprint_longest_side(&f);
        place[i] = sti_facts_referent(facts, one->slot[i]);
        ST_TRY(sti_add_referent(record, arena, roles[i], facts->scene, &one->slot[i], 1));
    }
    reach r = reach_of(facts, place[0], place[1], place[2]);
    r.p_side_m = side_m[0];
    r.o_side_m = side_m[1];
    r.q_side_m = side_m[2];
    sti_add_input(record, "po_m", r.po_m);
    sti_add_input(record, "pq_m", r.pq_m);
    sti_add_input(record, "oq_m", r.oq_m);
    const slack s = slack_of(&r, t);
    sti_add_margin(record, "stand_min_m", s.stand_min_m);
    sti_add_margin(record, "stand_max_m", s.stand_max_m);
    sti_add_margin(record, "stand_centre_m", s.stand_centre_m);
    sti_add_margin(record, "target_min_m", s.target_min_m);
    sti_add_margin(record, "stand_side_m", s.stand_side_m);
    sti_add_margin(record, "target_side_m", s.target_side_m);
    sti_add_margin(record, "bearing_deg",
                   sti_sector_margin_deg(one->type, one->value) - t->bearing_margin_deg);
    return sti_add_boxes(record, arena, facts->scene, one->slot, 3);
}

const sti_family sti_family_direction = {find, describe};
