/* rows_record.c - our question records with their proof, and the training lines made of them. */
#include "kernels/base/rows_internal.h"

#include "kernels/base/limits.h"

#include <string.h>

/* Instances that one referent of a record may have, a lecture hall has some 200 chairs; and frames
 * of its evidence, which are a few of every referent. */
enum { INSTANCES_MAX = 4096, FRAMES_MAX = 4096 };

#define VIDEO_MARKER "<video>\n"

/* --- writing ---------------------------------------------------------------------------------- */

static void write_referents(st_json_writer *w, const st_record *record)
{
    st_json_write_key(w, "referents");
    st_json_write_array(w);
    for (int i = 0; i < record->referent_count; i++) {
        const st_referent *r = &record->referents[i];
        st_json_write_object(w);
        st_json_put_text(w, "role", r->role);
        st_json_put_text(w, "label", r->label);
        st_json_write_key(w, "instance_ids");
        st_json_write_array(w);
        for (int k = 0; k < r->instance_count; k++)
            st_json_write_int(w, r->instance_ids[k]);
        st_json_write_end(w);
        st_json_write_end(w);
    }
    st_json_write_end(w);
}

static void write_frames(st_json_writer *w, const st_record *record)
{
    st_json_write_key(w, "frames");
    st_json_write_array(w);
    for (int i = 0; i < record->frame_count; i++) {
        st_json_write_object(w);
        st_json_put_int(w, "i", record->frames[i].i);
        st_json_put_double(w, "t_s", record->frames[i].t_s);
        st_json_write_end(w);
    }
    st_json_write_end(w);
}

static void write_numbers(st_json_writer *w, const char *key, const st_proof_number *numbers,
                          int count)
{
    st_json_write_key(w, key);
    st_json_write_object(w);
    for (int i = 0; i < count; i++)
        st_json_put_double(w, numbers[i].name, numbers[i].value);
    st_json_write_end(w);
}

static void write_proof(st_json_writer *w, const st_proof *proof)
{
    st_json_write_key(w, "proof");
    st_json_write_object(w);
    st_json_put_double(w, "raw_value", proof->raw_value);
    st_json_put_text(w, "unit", proof->unit);
    write_numbers(w, "margins", proof->margins, proof->margin_count);
    write_numbers(w, "inputs", proof->inputs, proof->input_count);
    st_json_write_key(w, "boxes");
    st_json_write_array(w);
    for (int i = 0; i < proof->box_count; i++) {
        const st_proof_box *box = &proof->boxes[i];
        st_json_write_object(w);
        st_json_put_int(w, "instance_id", box->instance_id);
        st_json_put_doubles(w, "center_m", box->center_m, 3);
        st_json_put_doubles(w, "size_m", box->size_m, 3);
        st_json_put_doubles(w, "axes", box->axes, 9);
        st_json_write_end(w);
    }
    st_json_write_end(w);
    st_json_put_text(w, "rule", proof->rule);
    st_json_write_end(w);
}

void st_record_write(st_text *out, const st_record *record)
{
    st_json_writer w;
    st_json_write_start(&w, out, ST_JSON_COMPACT);
    st_json_write_object(&w);
    st_json_put_text(&w, "id", record->id);
    st_json_put_text(&w, "dataset", record->dataset);
    st_json_put_text(&w, "scene_id", record->scene_id);
    st_json_put_text(&w, "split", record->split);
    st_json_put_text(&w, "question_type", record->question_type);
    st_json_put_text(&w, "template_id", record->template_id);
    st_json_put_text(&w, "video", record->video);
    st_json_put_text(&w, "question", record->question);
    sti_row_write_options(&w, record->options, record->option_count);
    st_json_put_text(&w, "answer", record->answer);
    st_json_put_text(&w, "answer_value", record->answer_value);
    write_referents(&w, record);
    write_frames(&w, record);
    write_proof(&w, &record->proof);
    st_json_write_key(&w, "flags");
    st_json_write_array(&w);
    for (int i = 0; i < record->flag_count; i++)
        st_json_write_text(&w, record->flags[i]);
    st_json_write_end(&w);
    st_json_write_end(&w);
    st_text_add(out, "\n");
}

static void write_turn(st_json_writer *w, const char *from, const char *before, const char *value)
{
    st_text words;
    st_text_init(&words);
    st_text_add(&words, before);
    st_text_add(&words, value);
    if (words.out_of_memory)
        w->out->out_of_memory = true;       /* reported by st_text_check, as every lost word */
    st_json_write_object(w);
    st_json_put_text(w, "from", from);
    st_json_put_str(w, "value", st_text_view(&words));
    st_json_write_end(w);
    st_text_free(&words);
}

void st_conversation_write(st_text *out, const st_conversation *line)
{
    st_json_writer w;
    st_json_write_start(&w, out, ST_JSON_COMPACT);
    st_json_write_object(&w);
    st_json_put_text(&w, "id", line->id);
    st_json_write_key(&w, "conversations");
    st_json_write_array(&w);
    write_turn(&w, "human", VIDEO_MARKER, line->human);
    write_turn(&w, "gpt", "", line->gpt);
    st_json_write_end(&w);
    st_json_put_text(&w, "video", line->video);
    st_json_put_text(&w, "data_source", line->data_source);
    st_json_put_text(&w, "scene_name", line->scene_name);
    st_json_put_text(&w, "question_type", line->question_type);
    st_json_put_text(&w, "split", line->split);
    st_json_put_text(&w, "task", line->task);
    sti_row_write_options(&w, line->options, line->option_count);
    st_json_put_text(&w, "answer", line->answer);
    st_json_put_int(&w, "num_tokens", line->num_tokens);
    st_json_put_text(&w, "src", line->src);
    st_json_write_end(&w);
    st_text_add(out, "\n");
}

int64_t st_conversation_tokens(const st_conversation *line, int frames)
{
    const size_t bytes = strlen(VIDEO_MARKER) + strlen(line->human) + strlen(line->gpt);
    return (int64_t)((bytes + 2) / 3) + 171 * (((int64_t)frames + 1) / 2);
}

/* --- reading ---------------------------------------------------------------------------------- */

static st_status read_int32(int *value, st_json json)
{
    int64_t wide;
    ST_TRY(st_json_int(json, &wide));
    if (wide < INT32_MIN || wide > INT32_MAX)
        return st_json_fail(json, ST_ERR_LIMIT, "expected an integer of 32 bits, found %lld",
                            (long long)wide);
    *value = (int)wide;
    return st_ok();
}

static st_status read_referents(st_record *record, st_arena *arena, const st_json *root)
{
    const st_json list = st_json_member(root, "referents");
    ST_TRY(st_json_expect(list, ST_JSON_ARRAY));
    const size_t count = st_json_count(list);
    if (count > ST_REFERENTS_MAX)
        return st_json_fail(list, ST_ERR_LIMIT, "expected at most %d referents, found %zu",
                            ST_REFERENTS_MAX, count);
    for (size_t i = 0; i < count; i++) {
        const st_json one = st_json_element(&list, i);
        st_referent *r = &record->referents[i];
        ST_TRY(sti_row_copy_text(&r->role, arena, &one, "role"));
        ST_TRY(sti_row_copy_text(&r->label, arena, &one, "label"));
        const st_json ids = st_json_member(&one, "instance_ids");
        ST_TRY(st_json_expect(ids, ST_JSON_ARRAY));
        const size_t n = st_json_count(ids);
        if (n > INSTANCES_MAX)
            return st_json_fail(ids, ST_ERR_LIMIT, "expected at most %d instances, found %zu",
                                INSTANCES_MAX, n);
        int *copy;
        ST_TRY(ST_ALLOC(arena, &copy, n));
        for (size_t k = 0; k < n; k++)
            ST_TRY(read_int32(&copy[k], st_json_element(&ids, k)));
        r->instance_ids = copy;
        r->instance_count = (int)n;
    }
    record->referent_count = (int)count;
    return st_ok();
}

static st_status read_frames(st_record *record, st_arena *arena, const st_json *root)
{
    const st_json list = st_json_member(root, "frames");
    ST_TRY(st_json_expect(list, ST_JSON_ARRAY));
    const size_t count = st_json_count(list);
    if (count > FRAMES_MAX)
        return st_json_fail(list, ST_ERR_LIMIT, "expected at most %d frames, found %zu",
                            FRAMES_MAX, count);
    st_record_frame *frames;
    ST_TRY(ST_ALLOC(arena, &frames, count));
    for (size_t i = 0; i < count; i++) {
        const st_json one = st_json_element(&list, i);
        ST_TRY(st_json_int(st_json_member(&one, "i"), &frames[i].i));
        ST_TRY(st_json_double(st_json_member(&one, "t_s"), &frames[i].t_s));
    }
    record->frames = frames;
    record->frame_count = (int)count;
    return st_ok();
}

static st_status read_numbers(st_proof_number *numbers, int *count, st_arena *arena,
                              const st_json *proof, const char *key)
{
    const st_json object = st_json_member(proof, key);
    ST_TRY(st_json_expect(object, ST_JSON_OBJECT));
    if (st_json_count(object) > ST_PROOF_ENTRIES_MAX)
        return st_json_fail(object, ST_ERR_LIMIT, "expected at most %d numbers, found %zu",
                            ST_PROOF_ENTRIES_MAX, st_json_count(object));
    st_json_walk walk = st_json_walk_start(&object);
    st_json member;
    *count = 0;
    while (st_json_walk_next(&walk, &object, &member)) {
        st_proof_number *number = &numbers[(*count)++];
        ST_TRY(st_arena_copy_text(arena, &number->name, member.key, strlen(member.key)));
        ST_TRY(st_json_double(member, &number->value));
    }
    return st_ok();
}

static st_status read_proof(st_proof *proof, st_arena *arena, const st_json *root)
{
    const st_json json = st_json_member(root, "proof");
    ST_TRY(st_json_expect(json, ST_JSON_OBJECT));
    ST_TRY(st_json_double(st_json_member(&json, "raw_value"), &proof->raw_value));
    ST_TRY(sti_row_copy_text(&proof->unit, arena, &json, "unit"));
    ST_TRY(read_numbers(proof->margins, &proof->margin_count, arena, &json, "margins"));
    ST_TRY(read_numbers(proof->inputs, &proof->input_count, arena, &json, "inputs"));
    ST_TRY(sti_row_copy_text(&proof->rule, arena, &json, "rule"));

    const st_json list = st_json_member(&json, "boxes");
    ST_TRY(st_json_expect(list, ST_JSON_ARRAY));
    const size_t count = st_json_count(list);
    if (count > ST_PROOF_BOXES_MAX)
        return st_json_fail(list, ST_ERR_LIMIT, "expected at most %d boxes, found %zu",
                            ST_PROOF_BOXES_MAX, count);
    st_proof_box *boxes;
    ST_TRY(ST_ALLOC(arena, &boxes, count));
    for (size_t i = 0; i < count; i++) {
        const st_json one = st_json_element(&list, i);
        ST_TRY(read_int32(&boxes[i].instance_id, st_json_member(&one, "instance_id")));
        ST_TRY(st_json_doubles(st_json_member(&one, "center_m"), boxes[i].center_m, 3));
        ST_TRY(st_json_doubles(st_json_member(&one, "size_m"), boxes[i].size_m, 3));
        ST_TRY(st_json_doubles(st_json_member(&one, "axes"), boxes[i].axes, 9));
    }
    proof->boxes = boxes;
    proof->box_count = (int)count;
    return st_ok();
}

static st_status read_record(void *rows, st_arena *arena, st_json root, size_t line)
{
    st_records *records = rows;
    ST_TRY(st_json_expect(root, ST_JSON_OBJECT));
    ST_TRY(ST_GROW(arena, &records->records, &records->capacity, records->count + 1));
    st_record *r = &records->records[records->count];
    *r = (st_record){.line = line};

    const st_json id = st_json_member(&root, "id");
    st_str text;
    ST_TRY(st_json_text(id, &text));
    if (text.size != sizeof r->id - 1)
        return st_json_fail(id, ST_ERR_FORMAT, "expected %zu characters, found %zu",
                            sizeof r->id - 1, text.size);
    memcpy(r->id, text.data, text.size);
    ST_TRY(sti_row_copy_text(&r->dataset, arena, &root, "dataset"));
    ST_TRY(sti_row_copy_text(&r->scene_id, arena, &root, "scene_id"));
    ST_TRY(sti_row_copy_text(&r->split, arena, &root, "split"));
    ST_TRY(sti_row_copy_text(&r->question_type, arena, &root, "question_type"));
    ST_TRY(sti_row_copy_text(&r->template_id, arena, &root, "template_id"));
    ST_TRY(sti_row_copy_text_or_none(&r->video, arena, &root, "video"));
    ST_TRY(sti_row_copy_text(&r->question, arena, &root, "question"));
    ST_TRY(sti_row_copy_texts(r->options, &r->option_count, ST_OPTIONS_MAX, arena, &root,
                              "options"));
    ST_TRY(sti_row_copy_text(&r->answer, arena, &root, "answer"));
    ST_TRY(sti_row_copy_text(&r->answer_value, arena, &root, "answer_value"));
    ST_TRY(read_referents(r, arena, &root));
    ST_TRY(read_frames(r, arena, &root));
    ST_TRY(read_proof(&r->proof, arena, &root));
    ST_TRY(sti_row_copy_texts(r->flags, &r->flag_count, ST_RECORD_FLAGS_MAX, arena, &root,
                              "flags"));
    records->count++;
    return st_ok();
}

static st_status read_turn(const char **value, st_arena *arena, const st_json *turns,
                           size_t index, const char *from)
{
    const st_json turn = st_json_element(turns, index);
    const st_json who = st_json_member(&turn, "from");
    st_str text;
    ST_TRY(st_json_text(who, &text));
    if (!st_str_is(text, from))
        return st_json_fail(who, ST_ERR_FORMAT, "expected \"%s\", found \"%.*s\"", from,
                            ST_STR_ARG(text));
    return sti_row_copy_text(value, arena, &turn, "value");
}

static st_status read_conversation(void *rows, st_arena *arena, st_json root, size_t line)
{
    (void)line;
    st_conversations *lines = rows;
    ST_TRY(st_json_expect(root, ST_JSON_OBJECT));
    ST_TRY(ST_GROW(arena, &lines->lines, &lines->capacity, lines->count + 1));
    st_conversation *c = &lines->lines[lines->count];
    *c = (st_conversation){0};

    const st_json turns = st_json_member(&root, "conversations");
    ST_TRY(st_json_expect(turns, ST_JSON_ARRAY));
    if (st_json_count(turns) != 2)
        return st_json_fail(turns, ST_ERR_FORMAT, "expected 2 turns, found %zu",
                            st_json_count(turns));
    ST_TRY(read_turn(&c->human, arena, &turns, 0, "human"));
    ST_TRY(read_turn(&c->gpt, arena, &turns, 1, "gpt"));
    if (strncmp(c->human, VIDEO_MARKER, strlen(VIDEO_MARKER)) != 0)
        return st_json_fail(turns, ST_ERR_FORMAT, "expected <video> and a line break in front");
    c->human += strlen(VIDEO_MARKER);
    ST_TRY(sti_row_copy_text(&c->id, arena, &root, "id"));
    ST_TRY(sti_row_copy_text(&c->video, arena, &root, "video"));
    ST_TRY(sti_row_copy_text(&c->data_source, arena, &root, "data_source"));
    ST_TRY(sti_row_copy_text(&c->scene_name, arena, &root, "scene_name"));
    ST_TRY(sti_row_copy_text(&c->question_type, arena, &root, "question_type"));
    ST_TRY(sti_row_copy_text(&c->split, arena, &root, "split"));
    ST_TRY(sti_row_copy_text(&c->task, arena, &root, "task"));
    ST_TRY(sti_row_copy_texts(c->options, &c->option_count, ST_OPTIONS_MAX, arena, &root,
                              "options"));
    ST_TRY(sti_row_copy_text_or_none(&c->answer, arena, &root, "answer"));
    ST_TRY(st_json_int(st_json_member(&root, "num_tokens"), &c->num_tokens));
    ST_TRY(sti_row_copy_text_or_none(&c->src, arena, &root, "src"));
    lines->count++;
    return st_ok();
}

static st_status parse_records(void *rows, st_arena *arena, st_str text)
{
    return sti_rows_parse_lines(rows, arena, text, read_record);
}

static st_status parse_conversations(void *rows, st_arena *arena, st_str text)
{
    return sti_rows_parse_lines(rows, arena, text, read_conversation);
}

st_status st_records_parse(st_records *records, st_arena *arena, st_str text)
{
    *records = (st_records){0};
    return parse_records(records, arena, text);
}

st_status st_records_read(st_records *records, st_arena *arena, const char *path)
{
    *records = (st_records){0};
    return sti_rows_read_file(records, arena, path, parse_records);
}

st_status st_conversations_read(st_conversations *lines, st_arena *arena, const char *path)
{
    *lines = (st_conversations){0};
    return sti_rows_read_file(lines, arena, path, parse_conversations);
}
