/* prove holds every row that was generated, and catches a thousand that were tampered with.
 *
 * A tamperer with a seed picks a row and changes one member of it: a value, a letter, a box, an
 * instance, a label, the order of options, a role, a margin, a character of the id, and so on. What
 * it makes differs from what was written, so not one may pass.
 */
#include "made_scenes.h"

#include "datagen/questions/prove.h"
#include "datagen/questions/prove_internal.h"
#include "datagen/questions/prove_plain.h"
#include "kernels/base/rng.h"

enum { HOUSE = 12, TAMPERED = 1000 };

static asked    a;
static made     rooms[HOUSE];
static st_scene scenes[HOUSE];

static st_witness witness(void)
{
    return (st_witness){&a.scenes, &a.pack, &st_thresholds_default};
}

static int set_up(void **state)
{
    (void)state;
    char name[32];
    asked_init(&a, 2);
    for (int i = 0; i < HOUSE; i++) {
        snprintf(name, sizeof name, "room%d", i);
        made_furnished(&rooms[i], name, i);
        if (i % 4 == 0)         /* walking takes time */
            made_walkable(&rooms[i], &a.arena);
        scenes[i] = rooms[i].scene;
    }
    asked_run(&a, scenes, HOUSE);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    asked_free(&a);
    return 0;
}

static void every_row_is_proven(void **state)
{
    (void)state;
    const st_witness w = witness();
    int of_type[ST_QUESTION_COUNT] = {0};
    for (size_t i = 0; i < a.result.record_count; i++) {
        const st_record *r = &a.result.records[i];
        st_finding f;
        st_vsi_row row;
        st_conversation line;
        st_question type = ST_QUESTION_COUNTING;
        must(st_prove_record(&f, NULL, &a.arena, &w, r));
        if (f.verdict != ST_VERDICT_PROVEN)
            fail_msg("%s %s: %s", r->question_type, r->scene_id, f.why);
        must(st_qa_vsi_row(&row, &a.arena, r));
        must(st_prove_vsi_row(&f, NULL, &a.arena, &w, &row));
        assert_int_equal(f.verdict, ST_VERDICT_PROVEN);
        must(st_qa_conversation(&line, &a.arena, r, &a.pack));
        must(st_prove_conversation(&f, NULL, &a.arena, &w, &line));
        assert_int_equal(f.verdict, ST_VERDICT_PROVEN);
        assert_true(st_question_find(&type, r->question_type));
        of_type[type]++;
    }
    for (int q = 0; q < ST_QUESTION_COUNT; q++)
        assert_true(of_type[q] > 0);
}

/* --- the tamperer ----------------------------------------------------------------------------- */

typedef enum tampering {
    RAW_VALUE, ANSWER, ANSWER_VALUE, LABEL, INSTANCE, INSTANCE_MORE, ROLE, REFERENTS_SWAPPED,
    REFERENT_LOST, OPTIONS_SWAPPED, OPTION_TEXT, BOX_CENTRE, BOX_SIZE, BOX_AXES, BOX_INSTANCE,
    MARGIN, MARGIN_NAME, INPUT, ID, QUESTION, TEMPLATE, TYPE, SCENE, DATASET, SPLIT, VIDEO, UNIT,
    RULE, FLAG, FRAMES, TAMPERINGS
} tampering;

static const char *const tampering_names[TAMPERINGS] = {
    "raw_value", "answer", "answer_value", "label", "instance", "one instance more", "role",
    "referents swapped", "referent lost", "options swapped", "option text", "box centre",
    "box size", "box axes", "box instance", "margin", "margin name", "input", "id", "question",
    "template", "type", "scene", "dataset", "split", "video", "unit", "rule", "flag",
    "frames"};

/* A hundredth of a micrometre to a metre, up or down. */
static double nudge(st_rng *rng)
{
    const double size = 1e-8 * pow(1e8, st_rng_unit(rng));
    return st_rng_below(rng, 2) ? size : -size;
}

static const char *other_text(const char *text, st_rng *rng)
{
    const char *copy;
    const size_t size = strlen(text);
    must(st_arena_copy_text(&a.arena, &copy, text, size));
    char *at = (char *)copy + st_rng_below(rng, size);
    *at = *at == 'x' ? 'y' : 'x';
    return copy;
}

static int *other_ids(st_referent *r, int extra)
{
    int *ids;
    must(ST_ALLOC(&a.arena, &ids, (size_t)r->instance_count + 1));
    memcpy(ids, r->instance_ids, (size_t)r->instance_count * sizeof *ids);
    r->instance_ids = ids;
    r->instance_count += extra;
    return ids;
}

static st_proof_box *other_box(st_record *r, st_rng *rng)
{
    st_proof_box *boxes;
    must(ST_ALLOC(&a.arena, &boxes, (size_t)r->proof.box_count));
    memcpy(boxes, r->proof.boxes, (size_t)r->proof.box_count * sizeof *boxes);
    r->proof.boxes = boxes;
    return &boxes[st_rng_below(rng, (uint64_t)r->proof.box_count)];
}

static void tamper_referents(st_record *r, tampering kind, st_rng *rng)
{
    st_referent *one = &r->referents[st_rng_below(rng, (uint64_t)r->referent_count)];
    const int next = r->referent_count > 1 ? 1 : 0;
    st_referent swap = r->referents[0];
    switch (kind) {
    case LABEL:
        one->label = strcmp(one->label, "lamp") == 0 ? "oven" : "lamp";
        break;
    case INSTANCE:
        other_ids(one, 0)[0] += 1 + (int)st_rng_below(rng, 5);
        break;
    case INSTANCE_MORE:
        other_ids(one, 1)[one->instance_count - 1] = 40;
        break;
    case ROLE:
        one->role = "bystander";
        break;
    case REFERENTS_SWAPPED:
        r->referents[0] = r->referents[next];
        r->referents[next] = swap;
        break;
    default:
        r->referent_count--;
        break;
    }
}

static void tamper_proof(st_record *r, tampering kind, st_rng *rng)
{
    st_proof *p = &r->proof;
    switch (kind) {
    case RAW_VALUE:
        p->raw_value += nudge(rng);
        break;
    case BOX_CENTRE:
        other_box(r, rng)->center_m[st_rng_below(rng, 3)] += nudge(rng);
        break;
    case BOX_SIZE:
        other_box(r, rng)->size_m[st_rng_below(rng, 3)] += nudge(rng);
        break;
    case BOX_AXES:
        other_box(r, rng)->axes[st_rng_below(rng, 9)] += nudge(rng);
        break;
    case BOX_INSTANCE:
        other_box(r, rng)->instance_id += 1;
        break;
    case MARGIN:
        p->margins[st_rng_below(rng, (uint64_t)p->margin_count)].value += nudge(rng);
        break;
    case MARGIN_NAME:
        p->margins[0].name = "slack";
        break;
    case INPUT:
        p->inputs[st_rng_below(rng, (uint64_t)p->input_count)].value += nudge(rng);
        break;
    case UNIT:
        p->unit = strcmp(p->unit, "ft") == 0 ? "in" : "ft";
        break;
    default:
        p->rule = "st-qa/0 Q-99";
        break;
    }
}

static const st_record_frame seen_frame = {12, 0.5};

static void tamper_words(st_record *r, tampering kind, st_rng *rng)
{
    const int first = (int)st_rng_below(rng, (uint64_t)(r->option_count ? r->option_count : 1));
    const int second = r->option_count ? (first + 1) % r->option_count : 0;
    const char *swap = r->options[first];
    switch (kind) {
    case ANSWER:
        if (r->option_count)
            r->answer = r->answer[0] == 'A' ? "B" : "A";
        else
            must(st_arena_printf(&a.arena, &r->answer, "%s1", r->answer));
        break;
    case ANSWER_VALUE:
        r->answer_value = other_text(r->answer_value, rng);
        break;
    case OPTIONS_SWAPPED:       /* contents change places, letters stay */
        must(st_arena_printf(&a.arena, &r->options[first], "%c%s", 'A' + first,
                             r->options[second] + 1));
        must(st_arena_printf(&a.arena, &r->options[second], "%c%s", 'A' + second, swap + 1));
        break;
    case OPTION_TEXT:
        r->options[first] = other_text(r->options[first], rng);
        break;
    case ID:
        memcpy(r->id, other_text(r->id, rng), sizeof r->id);
        break;
    case QUESTION:
        r->question = other_text(r->question, rng);
        break;
    case TEMPLATE:
        r->template_id = strcmp(r->template_id, "count-1") == 0 ? "count-2" : "count-1";
        break;
    case TYPE:
        r->question_type = strcmp(r->question_type, "object_rel_direction_hard") == 0
                               ? "object_rel_direction_easy"
                               : "object_rel_direction_hard";
        break;
    case SCENE:
        r->scene_id = strcmp(r->scene_id, scenes[0].scene_id) == 0 ? scenes[1].scene_id
                                                                   : scenes[0].scene_id;
        break;
    case DATASET:
        r->dataset = "another";
        break;
    case SPLIT:
        r->split = strcmp(r->split, "val") == 0 ? "train" : "val";
        break;
    case VIDEO:
        r->video = other_text(r->video, rng);
        break;
    case FRAMES:
        r->frames = &seen_frame;
        r->frame_count = 1;
        break;
    default:
        r->flags[0] = "seen";
        break;
    }
}

/* Change a copy of a record; false when there is nothing of the kind to change. */
static bool tamper(st_record *r, tampering kind, st_rng *rng)
{
    switch (kind) {
    case LABEL: case INSTANCE: case INSTANCE_MORE: case ROLE: case REFERENT_LOST:
        if (r->referent_count == 0)
            return false;
        tamper_referents(r, kind, rng);
        return true;
    case REFERENTS_SWAPPED:
        if (r->referent_count < 2)
            return false;
        tamper_referents(r, kind, rng);
        return true;
    case BOX_CENTRE: case BOX_SIZE: case BOX_AXES: case BOX_INSTANCE:
        if (r->proof.box_count == 0)
            return false;
        tamper_proof(r, kind, rng);
        return true;
    case INPUT:
        if (r->proof.input_count == 0)
            return false;
        tamper_proof(r, kind, rng);
        return true;
    case RAW_VALUE: case MARGIN: case MARGIN_NAME: case UNIT: case RULE:
        tamper_proof(r, kind, rng);
        return true;
    case OPTIONS_SWAPPED: case OPTION_TEXT:
        if (r->option_count == 0)
            return false;
        tamper_words(r, kind, rng);
        return true;
    default:
        tamper_words(r, kind, rng);
        return true;
    }
}

/* Tamper with the rows at hand until a thousand were changed; none may pass. */
static void drill(uint64_t seed)
{
    const st_witness w = witness();
    st_rng rng = st_rng_from(seed);
    int caught[TAMPERINGS] = {0};
    for (int n = 0; n < TAMPERED;) {
        st_record r = a.result.records[st_rng_below(&rng, a.result.record_count)];
        const tampering kind = (tampering)st_rng_below(&rng, TAMPERINGS);
        if (!tamper(&r, kind, &rng))
            continue;
        n++;
        st_finding f;
        must(st_prove_record(&f, NULL, &a.arena, &w, &r));
        if (f.verdict == ST_VERDICT_PROVEN)
            fail_msg("row %s, %s: %s passed", r.id, r.question_type, tampering_names[kind]);
        assert_non_null(f.why);
        caught[kind]++;
    }
    for (int k = 0; k < TAMPERINGS; k++)
        assert_true(caught[k] > 0);
}

static void a_thousand_tampered_rows_are_caught(void **state)
{
    (void)state;
    drill(20);
}

/* A scene whose route does not fit its boxes proves nothing, whatever the record says. */
static void bent_routes_are_refuted(void **state)
{
    (void)state;
    const st_witness w = witness();
    st_rng rng = st_rng_from(27);
    int tried = 0;
    for (size_t i = 0; i < a.result.record_count; i++) {
        const st_record *r = &a.result.records[i];
        if (strcmp(r->question_type, "route_planning") != 0)
            continue;
        st_scene *scene = &scenes[0];
        while (strcmp(scene->scene_id, r->scene_id) != 0)
            scene++;
        for (size_t k = 0; k < scene->route_count; k++) {
            const st_route kept = scene->routes[k];
            st_route *route = &scene->routes[k];
            st_route_leg *leg = &route->legs[route->leg_count - 1];
            for (int way = 0; way < 7; way++) {
                st_finding before, after;
                must(st_prove_record(&before, NULL, &a.arena, &w, r));
                assert_int_equal(before.verdict, ST_VERDICT_PROVEN);
                switch (way) {
                case 0: leg->turn = leg->turn == ST_TURN_LEFT ? ST_TURN_RIGHT : ST_TURN_LEFT; break;
                case 1: leg->turn_deg += st_rng_below(&rng, 2) ? 0.01 : -0.01; break;
                case 2: leg->aim_m[0] += 0.01; break;
                case 3: leg->stop_m[1] += 0.4; break;
                case 4: leg->reach_m += 0.01; break;
                case 5: route->from_m[0] += 2.0; break;
                default: route->robust_kept = 1; break;
                }
                must(st_prove_record(&after, NULL, &a.arena, &w, r));
                const bool asked_here = strcmp(r->referents[0].label,
                                               scene->objects[kept.start].label) == 0 &&
                                        r->referent_count == 2 + kept.leg_count &&
                                        strcmp(r->referents[r->referent_count - 1].label,
                                               scene->objects[leg->object].label) == 0;
                if (asked_here) {
                    assert_int_equal(after.verdict, ST_VERDICT_REFUTED);
                    tried++;
                }
                *route = kept;
            }
        }
    }
    assert_true(tried > 20);
}

/* Benchmark rows and training lines have no proof, but an id, words, options and an answer. */
static void tampered_words_are_caught(void **state)
{
    (void)state;
    const st_witness w = witness();
    st_rng rng = st_rng_from(22);
    for (int n = 0; n < 300; n++) {
        const st_record *r = &a.result.records[st_rng_below(&rng, a.result.record_count)];
        st_vsi_row row;
        st_conversation line;
        st_finding f;
        must(st_qa_vsi_row(&row, &a.arena, r));
        must(st_qa_conversation(&line, &a.arena, r, &a.pack));
        const char **texts[] = {&row.id, &row.dataset, &row.scene_name, &row.question_type,
                                &row.question, &row.ground_truth, &row.options[0]};
        const char **words[] = {&line.id, &line.data_source, &line.scene_name,
                                &line.question_type, &line.human, &line.gpt, &line.options[0],
                                &line.video, &line.split, &line.answer, &line.src, &line.task};
        const size_t of_row = st_rng_below(&rng, COUNT(texts));
        const size_t of_line = st_rng_below(&rng, COUNT(words));
        if (!*texts[of_row] || !*words[of_line])
            continue;                               /* a number has no options */
        *texts[of_row] = other_text(*texts[of_row], &rng);
        *words[of_line] = other_text(*words[of_line], &rng);
        must(st_prove_vsi_row(&f, NULL, &a.arena, &w, &row));
        assert_int_not_equal(f.verdict, ST_VERDICT_PROVEN);
        must(st_prove_conversation(&f, NULL, &a.arena, &w, &line));
        if (f.verdict == ST_VERDICT_PROVEN)
            fail_msg("a line passed with \"%s\"", *words[of_line]);
    }
}

/* A distance that the sampled rule would give does not pass under the id of the exact one. */
static void the_other_distance_is_caught(void **state)
{
    (void)state;
    const st_witness w = witness();
    const size_t count = a.result.record_count;
    st_vsi_row *rows;
    must(ST_ALLOC(&a.arena, &rows, count));
    for (size_t i = 0; i < count; i++)
        must(st_qa_vsi_row(&rows[i], &a.arena, &a.result.records[i]));
    asked b;
    asked_init(&b, 1);
    b.settings.distance = ST_DISTANCE_VSI;
    asked_run(&b, scenes, HOUSE);
    int differ = 0;
    for (size_t i = 0; i < b.result.record_count; i++) {
        const st_record *r = &b.result.records[i];
        st_finding f;
        must(st_prove_record(&f, NULL, &a.arena, &w, r));
        assert_int_equal(f.verdict, ST_VERDICT_PROVEN);
        for (size_t k = 0; k < count; k++) {
            if (strcmp(rows[k].question, r->question) != 0 || r->option_count > 0 ||
                strcmp(rows[k].scene_name, r->scene_id) != 0 ||
                strcmp(rows[k].ground_truth, r->answer) == 0)
                continue;
            st_vsi_row row = rows[k];
            row.ground_truth = r->answer;
            must(st_prove_vsi_row(&f, NULL, &a.arena, &w, &row));
            assert_int_equal(f.verdict, ST_VERDICT_REFUTED);
            differ++;
        }
    }
    assert_true(differ > 0);
    asked_free(&b);
}

/* The same with published metadata, where it is at hand. */
static void a_thousand_real_rows_are_caught(void **state)
{
    (void)state;
    static const char *const files[] = {"arkitscenes", "scannet", "scannetpp"};
    st_scene_list read = {0};
    st_failure_list failures = {0};
    for (size_t i = 0; i < COUNT(files); i++) {
        char name[80], path[300];
        snprintf(name, sizeof name, "data/vsibench/%s_meta_info.json", files[i]);
        if (!shared_path(path, sizeof path, name))
            return;
        must(st_scene_read(&read, &failures, &a.arena, path));
    }
    a.settings.allow_benchmark = true;
    asked_run(&a, read.scenes, read.count);
    assert_true(a.result.record_count > 2000);
    drill(21);
}

/* A row whose proof is intact, and whose scene has changed. */
static void a_changed_scene_refutes(void **state)
{
    (void)state;
    const st_witness w = witness();
    size_t refuted = 0, looked = 0;
    for (int i = 0; i < HOUSE; i++)
        for (size_t k = 0; k < rooms[i].scene.object_count; k++)
            rooms[i].objects[k].box.center_m[0] += 0.01 * (double)k;
    for (size_t i = 0; i < a.result.record_count; i++) {
        st_finding f;
        if (a.result.records[i].proof.box_count < 2)
            continue;
        must(st_prove_record(&f, NULL, &a.arena, &w, &a.result.records[i]));
        refuted += f.verdict == ST_VERDICT_REFUTED;
        looked++;
    }
    assert_int_equal(refuted, looked);
}

/* A distance between boxes whose surfaces turn out to be elsewhere. */
static void a_surface_elsewhere_refutes(void **state)
{
    (void)state;
    const st_witness w = witness();
    size_t looked = 0;
    for (size_t i = 0; i < a.result.record_count; i++) {
        const st_record *r = &a.result.records[i];
        if (strcmp(r->question_type, "object_abs_distance") != 0)
            continue;
        int room = 0;
        while (strcmp(rooms[room].scene.scene_id, r->scene_id) != 0)
            room++;
        st_scene *scene = &scenes[room];
        int of[2] = {0, 0};
        for (int k = 0; k < 2; k++)
            while (scene->objects[of[k]].instance_id != r->referents[k].instance_ids[0])
                of[k]++;
        st_surface_gap gap = {of[1], of[0], 1.2 * r->proof.raw_value};
        st_finding     f;
        scene->surfaces = &gap;
        scene->surface_count = 1;
        must(st_prove_record(&f, NULL, &a.arena, &w, r));
        scene->surface_count = 0;
        assert_int_equal(f.verdict, ST_VERDICT_REFUTED);
        looked += strstr(f.why, "distance_gap_m is short by ") != NULL;
    }
    assert_true(looked > 0);
}

static void the_reason_is_named(void **state)
{
    (void)state;
    const st_witness w = witness();
    st_finding f;
    st_record r = a.result.records[0];
    r.scene_id = "elsewhere";
    must(st_prove_record(&f, NULL, &a.arena, &w, &r));
    assert_int_equal(f.verdict, ST_VERDICT_NO_SCENE);
    assert_string_equal(f.why, "no scene elsewhere of made was given");

    const st_record *distance = asked_find(&a, ST_QUESTION_ABS_DISTANCE, "bed", "sofa", NULL);
    for (size_t i = 0; !distance && i < a.result.record_count; i++)
        if (strcmp(a.result.records[i].question_type, "object_abs_distance") == 0)
            distance = &a.result.records[i];
    r = *distance;
    r.referents[0].label = "chair";
    must(st_prove_record(&f, NULL, &a.arena, &w, &r));
    assert_int_equal(f.verdict, ST_VERDICT_REFUTED);
    assert_non_null(strstr(f.why, "\"chair\" names"));
}

static void steps_say_it_all(void **state)
{
    (void)state;
    const st_witness w = witness();
    st_text steps;
    st_text_init(&steps);
    st_finding f;
    for (size_t i = 0; i < a.result.record_count; i++) {
        const st_record *r = &a.result.records[i];
        if (strcmp(r->question_type, "object_rel_distance") != 0)
            continue;
        must(st_prove_record(&f, &steps, &a.arena, &w, r));
        break;
    }
    static const char *const parts[] = {"anchor", "option1", "box ", "input", "value", "margin",
                                        "nearest_gap_m", "<- the answer", "Q-24"};
    for (size_t i = 0; i < COUNT(parts); i++)
        assert_non_null(strstr(steps.data, parts[i]));
    st_text_free(&steps);
}

/* --- the plain geometry ----------------------------------------------------------------------- */

/* Two ways to measure boxes that share no line agree on random ones, tilted and touching too. */
static void plain_geometry_agrees(void **state)
{
    (void)state;
    st_rng rng = st_rng_from(5);
    int apart = 0;
    for (int n = 0; n < 3000; n++) {
        st_obb box[2];
        for (int b = 0; b < 2; b++) {
            double centre[3], size[3], axes[9], x[3], y[3];
            for (int j = 0; j < 3; j++) {
                centre[j] = st_rng_between(&rng, -1.5, 1.5);
                size[j] = st_rng_between(&rng, 0.01, 1.5);
                x[j] = n % 3 == 0 ? j == 0 : st_rng_normal(&rng);
                y[j] = n % 3 == 0 ? j == 1 : st_rng_normal(&rng);
            }
            const double lx = sqrt(x[0] * x[0] + x[1] * x[1] + x[2] * x[2]);
            for (int j = 0; j < 3; j++)
                axes[j] = x[j] / lx;
            const double d = axes[0] * y[0] + axes[1] * y[1] + axes[2] * y[2];
            for (int j = 0; j < 3; j++)
                y[j] -= d * axes[j];
            const double ly = sqrt(y[0] * y[0] + y[1] * y[1] + y[2] * y[2]);
            for (int j = 0; j < 3; j++)
                axes[3 + j] = y[j] / ly;
            for (int j = 0; j < 3; j++)
                axes[6 + j] = axes[(j + 1) % 3] * axes[3 + (j + 2) % 3] -
                              axes[(j + 2) % 3] * axes[3 + (j + 1) % 3];
            must(st_obb_from_parts(&box[b], centre, size, axes));
        }
        double on[2][3], outline[8][2];
        const double d_m = sti_plain_distance(on[0], on[1], &box[0], &box[1]);
        assert_near(d_m, st_obb_distance(&box[0], &box[1]), 1e-9);
        apart += d_m > 0.0;
        for (int b = 0; b < 2; b++) {
            assert_true(st_obb_contains(&box[b], on[b], 1e-9));
            const st_footprint f = st_obb_footprint(&box[b]);
            const int corners = sti_plain_outline(outline, &box[b]);
            assert_int_equal(corners, f.count);
            assert_near(sti_plain_rectangle_side((const double(*)[2])outline, corners),
                        st_footprint_longest_side(&f), 1e-9);
            assert_near(sti_plain_longest_side(&box[b]), st_obb_longest_side(&box[b]), 1e-12);
        }
        double turn_deg;
        must(st_bearing_deg(&turn_deg, box[0].center_m, box[1].center_m, box[1].axis[0]));
        assert_near(turn_deg, sti_plain_turn_deg(box[0].center_m, box[1].center_m, box[1].axis[0]),
                    1e-9);
    }
    assert_true(apart > 500 && apart < 2900);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_row_is_proven),
        TEST(a_thousand_tampered_rows_are_caught),
        TEST(bent_routes_are_refuted),
        TEST(tampered_words_are_caught),
        TEST(the_other_distance_is_caught),
        TEST(a_thousand_real_rows_are_caught),
        TEST(a_changed_scene_refutes),
        TEST(a_surface_elsewhere_refutes),
        TEST(the_reason_is_named),
        TEST(steps_say_it_all),
        TEST(plain_geometry_agrees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
