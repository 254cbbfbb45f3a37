/* room_size.c - how large is the floor? (data.md 5.4, Q-22; the gate of 3.3, M-3) */
#include "datagen/questions/internal.h"

static st_status find(sti_candidates *all, const sti_facts *facts)
{
    const st_thresholds *t = &facts->settings->thresholds;
    const st_room *room = &facts->scene->room;
    if (!room->known || !(room->area_m2 >= t->room_min_m2 && room->area_m2 <= t->room_max_m2))
        return st_ok();
    /* Mirrors, windows and half-scanned rooms: there the floor and the outline disagree. */
    if (room->floor_area_m2 >= 0.0 &&
        !(room->floor_area_m2 >= t->room_floor_min_ratio * room->area_m2 &&
          room->floor_area_m2 <= t->room_floor_max_ratio * room->area_m2))
        return st_ok();
    char digits[64];
    sti_candidate c = {.facts = facts,
                       .type = ST_QUESTION_ROOM_SIZE,
                       .about = "",
                       .value = room->area_m2};
    ST_TRY(st_arena_printf(all->arena, &c.content, "%s", st_print_fixed(digits, c.value, 1)));
    return sti_candidate_add(all, c, "");
}

static st_status describe(st_record *record, const char *contents[ST_OPTIONS_MAX], st_arena *arena,
                          const sti_candidate *one)
{
    (void)contents;
    (void)arena;
    const st_thresholds *t = &one->facts->settings->thresholds;
    const st_room *room = &one->facts->scene->room;
    record->proof.unit = "m2";
    record->proof.rule = ST_QA_RULES " Q-22";
    sti_add_margin(record, "room_min_m2", room->area_m2 - t->room_min_m2);
    sti_add_margin(record, "room_max_m2", t->room_max_m2 - room->area_m2);
    if (room->floor_area_m2 >= 0.0) {
        sti_add_margin(record, "room_floor_min_m2",
                       room->floor_area_m2 - t->room_floor_min_ratio * room->area_m2);
        sti_add_margin(record, "room_floor_max_m2",
                       t->room_floor_max_ratio * room->area_m2 - room->floor_area_m2);
    }
    return st_ok();
}

const sti_family sti_family_room_size = {find, describe};
