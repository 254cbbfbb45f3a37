/* compose.c - the words of a record: its wording, its id, its text; and the rows made from it. */
#include "datagen/questions/internal.h"

#include <stdio.h>
#include <string.h>

/* The frames that the consumer takes (data.md 7.1): they decide num_tokens. */
enum { CONSUMER_FRAMES = 128 };

static uint64_t hash_of_record(uint64_t start, const st_record *r)
{
    uint64_t hash = st_hash_text(start, r->proof.rule);     /* exact and sampled rows differ */
    hash = st_hash_text(hash, r->dataset);
    hash = st_hash_text(hash, r->scene_id);
    hash = st_hash_text(hash, r->question_type);
    hash = st_hash_text(hash, r->template_id);
    for (int i = 0; i < r->referent_count; i++) {
        hash = st_hash_text(hash, r->referents[i].role);
        hash = st_hash_text(hash, r->referents[i].label);
        hash = st_hash_int(hash, r->referents[i].instance_count);
        for (int k = 0; k < r->referents[i].instance_count; k++)
            hash = st_hash_int(hash, r->referents[i].instance_ids[k]);
    }
    return hash;
}

void sti_record_id(char id[37], const st_record *record)
{
    /* Two chains of 64 bits; version and variant bits make it a UUID of version 8 (RFC 9562). */
    const uint64_t high =
        (hash_of_record(1, record) & ~UINT64_C(0xF000)) | UINT64_C(0x8000);
    const uint64_t low =
        (hash_of_record(2, record) & ~(UINT64_C(3) << 62)) | (UINT64_C(2) << 62);
    snprintf(id, 37, "%08x-%04x-%04x-%04x-%012llx", (unsigned)(high >> 32),
             (unsigned)(high >> 16 & 0xFFFF), (unsigned)(high & 0xFFFF), (unsigned)(low >> 48),
             (unsigned long long)(low & UINT64_C(0xFFFFFFFFFFFF)));
}

static const char *label_of(const st_record *record, const char *role)
{
    for (int i = 0; i < record->referent_count; i++)
        if (strcmp(record->referents[i].role, role) == 0)
            return record->referents[i].label;
    return "";
}

/* The steps of a route: its referents are the start, what is faced, and the waypoints. */
static st_status list_steps(const char **steps, st_arena *arena, const st_record *record)
{
    const char *waypoints[ST_REFERENTS_MAX];
    const int count = record->referent_count - 2;
    for (int i = 0; i < count; i++)
        waypoints[i] = record->referents[2 + i].label;
    st_text text;
    st_text_init(&text);
    sti_route_steps(&text, record->referents[1].label, waypoints, count);
    st_status s = st_text_check(&text);
    if (s.code == ST_OK)
        s = st_arena_copy_text(arena, steps, text.data, text.size);
    st_text_free(&text);
    return s;
}

st_status sti_compose_text(const char **question, st_arena *arena, const st_record *record,
                           const st_template *which)
{
    enum { LETTER = 3 };                        /* "A. " in front of an option */
    st_slot slots[16] = {
        {"label", label_of(record, "object")},  {"a", label_of(record, "a")},
        {"b", label_of(record, "b")},           {"p", label_of(record, "positioning")},
        {"o", label_of(record, "orienting")},   {"q", label_of(record, "querying")},
        {"anchor", label_of(record, "anchor")}, {"start", label_of(record, "start")},
        {"facing", label_of(record, "facing")},
    };
    size_t count = 9;
    static const char *const names[] = {"o1", "o2", "o3", "o4"};
    const char *labels[ST_OPTIONS_MAX];
    if (which->type == ST_QUESTION_REL_DISTANCE) {
        for (int i = 0; i < record->option_count; i++) {
            labels[i] = record->options[i] + LETTER;
            if (i < 4)
                slots[count++] = (st_slot){names[i], labels[i]};
        }
        const char *list;
        ST_TRY(st_template_list_options(arena, &list, labels, record->option_count));
        slots[count++] = (st_slot){"options", list};
    }
    if (which->type == ST_QUESTION_ROUTE) {
        slots[count++] = (st_slot){"goal", record->referents[record->referent_count - 1].label};
        slots[count].name = "steps";
        ST_TRY(list_steps(&slots[count++].value, arena, record));
    }
    st_text text;
    st_text_init(&text);
    st_template_fill(&text, which, slots, count);
    st_status s = st_text_check(&text);
    if (s.code == ST_OK) {
        /* Packs are checked and labels come from our tables (data.md E-37). */
        ST_ASSERT(!strstr(text.data, "<video>") && !strstr(text.data, "<image>"));
        s = st_arena_copy_text(arena, question, text.data, text.size);
    }
    st_text_free(&text);
    return s;
}

st_status sti_compose(st_record *record, uint64_t key, const st_template_pack *pack)
{
    st_question type;
    ST_ASSERT(st_question_find(&type, record->question_type));
    const size_t choices = st_template_pack_serving(pack, type, record->option_count);
    if (choices == 0)
        return ST_FAIL(ST_ERR_DATA, "template pack \"%s\" has nothing for %s with %d options",
                       pack->name, record->question_type, record->option_count);
    st_rng rng = st_rng_from(st_hash_text(key, "wording"));
    const st_template *which = st_template_pack_pick(pack, type, record->option_count,
                                                     (size_t)st_rng_below(&rng, choices));
    record->template_id = which->id;
    sti_record_id(record->id, record);
    return st_ok();
}

/* --- rows of others --------------------------------------------------------------------------- */

st_status st_qa_vsi_row(st_vsi_row *row, st_arena *arena, const st_record *record)
{
    *row = (st_vsi_row){.dataset = record->dataset,
                        .scene_name = record->scene_id,
                        .question_type = record->question_type,
                        .question = record->question,
                        .ground_truth = record->answer,
                        .option_count = record->option_count};
    memcpy(row->options, record->options, sizeof row->options);
    return st_arena_copy_text(arena, &row->id, record->id, strlen(record->id));
}

st_status st_qa_conversation(st_conversation *line, st_arena *arena, const st_record *record,
                             const st_template_pack *pack)
{
    *line = (st_conversation){.id = record->id,
                              .gpt = record->answer,
                              .video = record->video,
                              .data_source = record->dataset,
                              .scene_name = record->scene_id,
                              .question_type = record->question_type,
                              .split = record->split,
                              .task = "spatial_qa",
                              .option_count = record->option_count,
                              .answer = record->answer,
                              .src = ST_QA_RULES};
    memcpy(line->options, record->options, sizeof line->options);
    if (record->option_count == 0) {
        ST_TRY(st_arena_printf(arena, &line->human, "%s\n%s", record->question,
                               pack->number_suffix));
    } else {
        st_text text;
        st_text_init(&text);
        st_text_addf(&text, "%s\n%s\n", record->question, pack->options_heading);
        for (int i = 0; i < record->option_count; i++)
            st_text_addf(&text, "%s\n", record->options[i]);
        st_text_add(&text, pack->letter_suffix);
        st_status s = st_text_check(&text);
        if (s.code == ST_OK)
            s = st_arena_copy_text(arena, &line->human, text.data, text.size);
        st_text_free(&text);
        ST_TRY(s);
    }
    line->num_tokens = st_conversation_tokens(line, CONSUMER_FRAMES);
    return st_ok();
}
