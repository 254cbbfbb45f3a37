/* prove.c - read a row as a claim, derive what it should say, and name the first difference. */
#include "datagen/questions/prove.h"

#include "datagen/questions/internal.h"
#include "datagen/questions/phrasings.h"
#include "datagen/questions/prove_internal.h"

#include <math.h>
#include <string.h>

const char *st_verdict_name(st_verdict verdict)
{
    static const char *const names[] = {"proven", "refuted", "no scene"};
    return names[verdict];
}

/* --- comparing -------------------------------------------------------------------------------- */

/* Proofs hold nine decimals, and two ways to the same number differ far below: by at most one in
 * the last of them. */
static bool same_number(double a, double b)
{
    return fabs(a - b) <= 1.5e-9;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static st_status compare_texts(const char **why, st_arena *arena, const st_record *said,
                               const st_record *expected)
{
    const struct {
        const char *name, *said, *expected;
    } texts[] = {
        {"dataset", said->dataset, expected->dataset},
        {"scene_id", said->scene_id, expected->scene_id},
        {"split", said->split, expected->split},
        {"question_type", said->question_type, expected->question_type},
        {"template_id", said->template_id, expected->template_id},
        {"video", said->video, expected->video},
        {"answer_value", said->answer_value, expected->answer_value},
        {"answer", said->answer, expected->answer},
        {"question", said->question, expected->question},
        {"unit", said->proof.unit, expected->proof.unit},
        {"rule", said->proof.rule, expected->proof.rule},
        {"id", said->id, expected->id},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (!same_text(texts[i].said, texts[i].expected))
            return st_arena_printf(arena, why, "%s: expected \"%s\", found \"%s\"", texts[i].name,
                                   texts[i].expected ? texts[i].expected : "",
                                   texts[i].said ? texts[i].said : "");
    return st_ok();
}

static st_status compare_referents(const char **why, st_arena *arena, const st_record *said,
                                   const st_record *expected)
{
    if (said->referent_count != expected->referent_count)
        return st_arena_printf(arena, why, "referents: expected %d, found %d",
                               expected->referent_count, said->referent_count);
    for (int i = 0; i < said->referent_count; i++) {
        const st_referent *s = &said->referents[i], *e = &expected->referents[i];
        if (!same_text(s->role, e->role) || !same_text(s->label, e->label))
            return st_arena_printf(arena, why,
                                   "referents[%d]: expected %s \"%s\", found %s \"%s\"", i, e->role,
                                   e->label, s->role, s->label);
        if (s->instance_count != e->instance_count)
            return st_arena_printf(arena, why, "referents[%d]: \"%s\" has %d objects, found %d", i,
                                   e->label, e->instance_count, s->instance_count);
        for (int k = 0; k < s->instance_count; k++)
            if (s->instance_ids[k] != e->instance_ids[k])
                return st_arena_printf(arena, why, "referents[%d]: expected object %d, found %d",
                                       i, e->instance_ids[k], s->instance_ids[k]);
    }
    return st_ok();
}

static st_status compare_options(const char **why, st_arena *arena, const st_record *said,
                                 const st_record *expected)
{
    if (said->option_count != expected->option_count)
        return st_arena_printf(arena, why, "options: expected %d, found %d",
                               expected->option_count, said->option_count);
    for (int i = 0; i < said->option_count; i++)
        if (!same_text(said->options[i], expected->options[i]))
            return st_arena_printf(arena, why, "options[%d]: expected \"%s\", found \"%s\"", i,
                                   expected->options[i], said->options[i]);
    return st_ok();
}

static st_status compare_numbers(const char **why, st_arena *arena, const char *what,
                                 const st_proof_number *said, int said_count,
                                 const st_proof_number *expected, int expected_count)
{
    if (said_count != expected_count)
        return st_arena_printf(arena, why, "%s: expected %d, found %d", what, expected_count,
                               said_count);
    for (int i = 0; i < said_count; i++) {
        if (!same_text(said[i].name, expected[i].name))
            return st_arena_printf(arena, why, "%s: expected \"%s\", found \"%s\"", what,
                                   expected[i].name, said[i].name);
        if (!same_number(said[i].value, expected[i].value))
            return st_arena_printf(arena, why, "%s.%s: expected %.9g, found %.9g", what,
                                   said[i].name, expected[i].value, said[i].value);
    }
    return st_ok();
}

static st_status compare_boxes(const char **why, st_arena *arena, const st_proof *said,
                               const st_proof *expected)
{
    if (said->box_count != expected->box_count)
        return st_arena_printf(arena, why, "boxes: expected %d, found %d", expected->box_count,
                               said->box_count);
    for (int i = 0; i < said->box_count; i++) {
        const st_proof_box *s = &said->boxes[i], *e = &expected->boxes[i];
        if (s->instance_id != e->instance_id)
            return st_arena_printf(arena, why, "boxes[%d]: expected object %d, found %d", i,
                                   e->instance_id, s->instance_id);
        bool same = true;
        for (int k = 0; k < 3; k++)         /* copied, not computed: equal to the last bit */
            same = same && s->center_m[k] == e->center_m[k] && s->size_m[k] == e->size_m[k];
        for (int k = 0; k < 9; k++)
            same = same && s->axes[k] == e->axes[k];
        if (!same)
            return st_arena_printf(arena, why, "boxes[%d]: not the box of object %d", i,
                                   e->instance_id);
    }
    return st_ok();
}

static st_status compare_flags(const char **why, st_arena *arena, const st_record *said,
                               const st_record *expected)
{
    bool same = said->flag_count == expected->flag_count;
    for (int i = 0; same && i < said->flag_count; i++)
        same = same_text(said->flags[i], expected->flags[i]);
    return same ? st_ok() : st_arena_printf(arena, why, "flags: not those of the scene");
}

st_status sti_compare(const char **why, st_arena *arena, const st_record *said,
                      const st_record *expected)
{
    const st_proof *s = &said->proof, *e = &expected->proof;
    *why = NULL;
    ST_TRY(compare_referents(why, arena, said, expected));
    if (!*why)
        ST_TRY(compare_boxes(why, arena, s, e));
    if (!*why && !same_number(s->raw_value, e->raw_value))
        ST_TRY(st_arena_printf(arena, why, "raw_value: expected %.9g, found %.9g", e->raw_value,
                               s->raw_value));
    if (!*why)
        ST_TRY(compare_numbers(why, arena, "inputs", s->inputs, s->input_count, e->inputs,
                               e->input_count));
    if (!*why)
        ST_TRY(compare_numbers(why, arena, "margins", s->margins, s->margin_count, e->margins,
                               e->margin_count));
    if (!*why)
        ST_TRY(compare_options(why, arena, said, expected));
    if (!*why)
        ST_TRY(compare_texts(why, arena, said, expected));
    if (!*why && said->frame_count != expected->frame_count)
        ST_TRY(st_arena_printf(arena, why, "frames: expected %d, found %d", expected->frame_count,
                               said->frame_count));
    if (!*why)
        ST_TRY(compare_flags(why, arena, said, expected));
    return st_ok();
}

/* --- steps ------------------------------------------------------------------------------------ */

st_status sti_print_steps(st_text *steps, const st_record *r)
{
    for (int i = 0; i < r->referent_count; i++) {
        const st_referent *one = &r->referents[i];
        st_text_addf(steps, "  %-11s \"%s\": object", one->role, one->label);
        for (int k = 0; k < one->instance_count; k++)
            st_text_addf(steps, "%s %d", k ? "," : "", one->instance_ids[k]);
        st_text_add(steps, "\n");
    }
    for (int i = 0; i < r->proof.box_count; i++) {
        const st_proof_box *b = &r->proof.boxes[i];
        st_text_addf(steps,
                     "  box %-7d centre (%.3f, %.3f, %.3f) m, sides (%.3f, %.3f, %.3f) m, "
                     "axes (%.3f %.3f %.3f | %.3f %.3f %.3f | %.3f %.3f %.3f)\n",
                     b->instance_id, b->center_m[0], b->center_m[1], b->center_m[2], b->size_m[0],
                     b->size_m[1], b->size_m[2], b->axes[0], b->axes[1], b->axes[2], b->axes[3],
                     b->axes[4], b->axes[5], b->axes[6], b->axes[7], b->axes[8]);
    }
    for (int i = 0; i < r->proof.input_count; i++)
        st_text_addf(steps, "  input       %s = %.6f\n", r->proof.inputs[i].name,
                     r->proof.inputs[i].value);
    st_text_addf(steps, "  value       %.9g %s by %s\n", r->proof.raw_value, r->proof.unit,
                 r->proof.rule);
    st_text_addf(steps, "  %s%s\n", r->option_count ? "so it is    " : "rounds to   ",
                 r->answer_value);
    for (int i = 0; i < r->proof.margin_count; i++)
        st_text_addf(steps, "  margin      %s: %.6f to spare\n", r->proof.margins[i].name,
                     r->proof.margins[i].value);
    for (int i = 0; i < r->option_count; i++)
        st_text_addf(steps, "  option      %s%s\n", r->options[i],
                     r->options[i][0] == r->answer[0] ? "   <- the answer" : "");
    return st_text_check(steps);
}

/* --- claims ----------------------------------------------------------------------------------- */

static const st_scene *find_scene(const st_scene_list *scenes, const char *dataset,
                                  const char *scene_id)
{
    for (size_t i = 0; i < scenes->count; i++)
        if (strcmp(scenes->scenes[i].scene_id, scene_id) == 0 &&
            strcmp(scenes->scenes[i].dataset, dataset) == 0)
            return &scenes->scenes[i];
    return NULL;
}

static int letter_of(const char *answer)
{
    return answer[0] >= 'A' && answer[0] <= 'H' && answer[1] == '\0' ? answer[0] - 'A' : -1;
}

static st_status refute(st_finding *finding, const char *why)
{
    *finding = (st_finding){ST_VERDICT_REFUTED, why};
    return st_ok();
}

/* Start a claim: scene and type, or a finding that ends it (then *go is false). */
static st_status begin(sti_claim *claim, bool *go, st_finding *finding, st_arena *arena,
                       const st_witness *witness, const char *dataset, const char *scene_id,
                       const char *type)
{
    *finding = (st_finding){ST_VERDICT_PROVEN, NULL};
    *claim = (sti_claim){.scene = find_scene(witness->scenes, dataset, scene_id), .letter = -1};
    *go = false;
    if (!claim->scene) {
        finding->verdict = ST_VERDICT_NO_SCENE;
        return st_arena_printf(arena, &finding->why, "no scene %s of %s was given", scene_id,
                               dataset);
    }
    if (!st_question_find(&claim->type, type)) {
        finding->verdict = ST_VERDICT_REFUTED;
        return st_arena_printf(arena, &finding->why, "\"%s\" is no type that metadata answers",
                               type);
    }
    *go = true;
    return st_ok();
}

st_status st_prove_record(st_finding *finding, st_text *steps, st_arena *arena,
                          const st_witness *witness, const st_record *record)
{
    sti_claim claim;
    bool go;
    ST_TRY(begin(&claim, &go, finding, arena, witness, record->dataset, record->scene_id,
                 record->question_type));
    if (!go)
        return st_ok();
    const size_t rule = strlen(record->proof.rule);
    if (rule > 4 && strcmp(record->proof.rule + rule - 4, " vsi") == 0)
        claim.distance = ST_DISTANCE_VSI;
    for (int i = 0; i < record->referent_count; i++)
        claim.labels[claim.label_count++] = record->referents[i].label;
    claim.template_id = record->template_id;
    claim.letter = letter_of(record->answer);

    st_record expected;
    const char *why;
    ST_TRY(sti_expect(&expected, &why, arena, &claim, witness->pack, witness->thresholds));
    if (why)
        return refute(finding, why);
    if (steps)
        ST_TRY(sti_print_steps(steps, &expected));
    ST_TRY(sti_compare(&why, arena, record, &expected));
    return why ? refute(finding, why) : st_ok();
}

/* The waypoints of the scene's route whose steps these are; none when there is no such route. */
static st_status read_waypoints(sti_claim *claim, const char *steps)
{
    const st_scene *scene = claim->scene;
    st_text text;
    st_text_init(&text);
    for (size_t r = 0; r < scene->route_count && claim->label_count == 2; r++) {
        const st_route *route = &scene->routes[r];
        const char *labels[ST_ROUTE_LEGS_MAX];
        for (int i = 0; i < route->leg_count; i++)
            labels[i] = scene->objects[route->legs[i].object].label;
        st_text_clear(&text);
        sti_route_steps(&text, claim->labels[1], labels, route->leg_count);
        if (!st_str_is(st_text_view(&text), steps))
            continue;
        memcpy(claim->labels + 2, labels, (size_t)route->leg_count * sizeof *labels);
        claim->label_count += route->leg_count;
    }
    const st_status s = st_text_check(&text);
    st_text_free(&text);
    return s;
}

/* The labels of a question's words, in the order of a claim. */
static st_status read_labels(sti_claim *claim, bool *found, st_arena *arena,
                             const st_template_pack *pack, const char *question,
                             const char *const *options, int option_count)
{
    static const char *const slots[ST_QUESTION_COUNT][4] = {
        {"label"}, {"label"}, {NULL}, {"a", "b"}, {"anchor"},
        {"p", "o", "q"}, {"p", "o", "q"}, {"p", "o", "q"}, {"start", "facing"},
    };
    st_reading reading;
    ST_TRY(st_phrasing_read(&reading, found, arena, pack, claim->type, question));
    if (!*found)
        return st_ok();
    for (int i = 0; i < 4 && slots[claim->type][i]; i++) {
        const char *label = st_reading_slot(&reading, slots[claim->type][i]);
        claim->labels[claim->label_count++] = label ? label : "";
    }
    for (int i = 0; claim->type == ST_QUESTION_REL_DISTANCE && i < option_count; i++) {
        const bool lettered = strlen(options[i]) > 3 && options[i][1] == '.';
        if (claim->label_count < ST_REFERENTS_MAX)
            claim->labels[claim->label_count++] = options[i] + (lettered ? 3 : 0);
    }
    claim->template_id = reading.template->id;
    if (claim->type == ST_QUESTION_ROUTE)
        return read_waypoints(claim, st_reading_slot(&reading, "steps"));
    return st_ok();
}

/* A row without proof: its words and its answer against what the scene gives. Distances may be of
 * either kind, and only the id tells which: the exact one is tried first. */
static st_status prove_words(st_finding *finding, st_text *steps, st_arena *arena,
                             const st_witness *witness, const st_record *said)
{
    sti_claim claim;
    bool go, found;
    ST_TRY(begin(&claim, &go, finding, arena, witness, said->dataset, said->scene_id,
                 said->question_type));
    if (!go)
        return st_ok();
    ST_TRY(read_labels(&claim, &found, arena, witness->pack, said->question, said->options,
                       said->option_count));
    if (!found)
        return refute(finding, "the question is in no wording of the pack; "
                               "spatial lint judges the benchmark's own rows");
    claim.letter = letter_of(said->answer);

    const char *first = NULL;
    for (int kind = ST_DISTANCE_EXACT; kind <= ST_DISTANCE_VSI; kind++) {
        st_record expected;
        const char *why;
        claim.distance = (st_distance)kind;
        ST_TRY(sti_expect(&expected, &why, arena, &claim, witness->pack, witness->thresholds));
        if (!why) {
            const bool same = same_text(said->answer, expected.answer) &&
                              same_text(said->question, expected.question) &&
                              same_text(said->id, expected.id) &&
                              (!said->split || same_text(said->split, expected.split)) &&
                              (!said->video || same_text(said->video, expected.video));
            ST_TRY(compare_options(&why, arena, said, &expected));
            if (!why && !same)
                ST_TRY(st_arena_printf(arena, &why, "expected \"%s\" (id %s, %s), found \"%s\"",
                                       expected.answer, expected.id, expected.split,
                                       said->answer));
            if (steps && (!why || kind == ST_DISTANCE_EXACT))
                ST_TRY(sti_print_steps(steps, &expected));
        }
        if (!why)
            return st_ok();
        first = first ? first : why;
        if (claim.type != ST_QUESTION_ABS_DISTANCE && claim.type != ST_QUESTION_REL_DISTANCE)
            break;
    }
    return refute(finding, first);
}

static void copy_id(st_record *said, const char *id)
{
    if (strlen(id) < sizeof said->id)
        memcpy(said->id, id, strlen(id) + 1);
}

st_status st_prove_vsi_row(st_finding *finding, st_text *steps, st_arena *arena,
                           const st_witness *witness, const st_vsi_row *row)
{
    st_record said = {.dataset = row->dataset,
                      .scene_id = row->scene_name,
                      .question_type = row->question_type,
                      .question = row->question,
                      .answer = row->ground_truth,
                      .option_count = row->option_count};
    memcpy(said.options, row->options, sizeof said.options);
    copy_id(&said, row->id);
    return prove_words(finding, steps, arena, witness, &said);
}

st_status st_prove_conversation(st_finding *finding, st_text *steps, st_arena *arena,
                                const st_witness *witness, const st_conversation *line)
{
    const char *end = strchr(line->human, '\n');
    st_record said = {.dataset = line->data_source,
                      .scene_id = line->scene_name,
                      .question_type = line->question_type,
                      .answer = line->gpt,
                      .split = line->split,
                      .video = line->video,
                      .option_count = line->option_count};
    ST_TRY(st_arena_copy_text(arena, &said.question, line->human,
                              end ? (size_t)(end - line->human) : strlen(line->human)));
    memcpy(said.options, line->options, sizeof said.options);
    copy_id(&said, line->id);
    ST_TRY(prove_words(finding, steps, arena, witness, &said));
    if (finding->verdict != ST_VERDICT_PROVEN)
        return st_ok();

    /* The rest of a line is made from what has just been proven: it must be made the same way. */
    st_conversation again;
    ST_TRY(st_qa_conversation(&again, arena, &said, witness->pack));
    if (!same_text(again.human, line->human) || !same_text(again.answer, line->answer) ||
        again.num_tokens != line->num_tokens || !same_text(again.src, line->src) ||
        !same_text(again.task, line->task))
        return refute(finding, "the turns are not those of the question");
    return st_ok();
}
