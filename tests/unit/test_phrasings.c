/* test_phrasings.c - questions read backwards, by the benchmark's wordings and by ours. */
#include "check.h"

#include "datagen/questions/phrasings.h"

typedef struct fixture {
    st_arena         arena;
    st_template_pack published, ours;
} fixture;

static int make(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    st_arena_init(&f->arena, "test");
    must(st_template_pack_published(&f->published, &f->arena));
    must(st_template_pack_default(&f->ours, &f->arena));
    *state = f;
    return 0;
}

static int unmake(void **state)
{
    fixture *f = *state;
    st_arena_free(&f->arena);
    free(f);
    return 0;
}

static void slot_is(const st_reading *r, const char *name, const char *value)
{
    const char *found = st_reading_slot(r, name);
    assert_non_null(found);
    assert_string_equal(found, value);
}

static void published_questions_read(void **state)
{
    fixture   *f = *state;
    st_reading r;
    bool       found;
#define READS(type, question)                                                                     \
    must(st_phrasing_read(&r, &found, &f->arena, &f->published, ST_QUESTION_##type, question));   \
    assert_true(found)
    READS(COUNTING, "How many ceiling light(s) are in this room?");
    slot_is(&r, "label", "ceiling light");
    READS(ABS_DISTANCE, "Measuring from the closest point of each object, what is the distance "
                        "between the trash bin and the TV (in meters)?");
    slot_is(&r, "a", "trash bin");
    slot_is(&r, "b", "tv");
    READS(REL_DISTANCE, "Measuring from the closest point of each object, which of these objects "
                        "(chair, stool, stove, sofa) is the closest to the tv?");
    slot_is(&r, "options", "chair, stool, stove, sofa");
    slot_is(&r, "anchor", "tv");
    READS(ROOM_SIZE, "What is the size of this room (in square meters)? \nIf multiple rooms are "
                     "shown, estimate the size of the combined space.");
    assert_int_equal(r.slot_count, 0);
    READS(DIRECTION_EASY, " If I am standing by the stove\n and facing the bed, is the table to "
                          "the left or the right of the bed? ");
    slot_is(&r, "o", "bed");
#undef READS
}

static void other_words_are_not_read(void **state)
{
    fixture   *f = *state;
    st_reading r;
    bool       found;
#define IS_NOT(type, question)                                                                    \
    must(st_phrasing_read(&r, &found, &f->arena, &f->published, ST_QUESTION_##type, question));   \
    assert_false(found)
    IS_NOT(COUNTING, "");
    IS_NOT(COUNTING, "How many (s) are in this room?");
    IS_NOT(COUNTING, "How many chair(s) are in this room? Guess.");
    IS_NOT(SIZE, "How many chair(s) are in this room?");
    /* The thing looked at must be the same both times. */
    IS_NOT(DIRECTION_EASY, "If I am standing by the stove and facing the bed, is the table to the "
                           "left or the right of the sofa?");
#undef IS_NOT
}

/* Whatever our templates write, they read. */
static void our_own_templates_read_back(void **state)
{
    fixture *f = *state;
    static const st_slot slots[] = {
        {"label", "night stand"}, {"a", "bed"}, {"b", "trash bin"}, {"p", "sofa"}, {"o", "tv"},
        {"q", "floor lamp"}, {"anchor", "desk"}, {"o1", "chair"}, {"o2", "table lamp"},
        {"o3", "tv"}, {"o4", "bed"}, {"options", "chair, table lamp, tv, bed"},
        {"start", "bed"}, {"facing", "tv"}, {"goal", "night stand"},
        {"steps", "1. [fill in], 2. walk ahead until the sofa, 3. [fill in], 4. walk ahead until "
                  "the night stand"}};
    for (size_t i = 0; i < f->ours.count; i++) {
        const st_template *t = &f->ours.templates[i];
        st_text            question;
        st_reading         r;
        bool               found;
        st_text_init(&question);
        st_template_fill(&question, t, slots, COUNT(slots));
        must(st_phrasing_read(&r, &found, &f->arena, &f->ours, t->type, question.data));
        if (!found)
            fail_msg("%s does not read back: %s", t->id, question.data);
        for (int k = 0; k < r.slot_count; k++)
            for (size_t s = 0; s < COUNT(slots); s++)
                if (strcmp(slots[s].name, r.slots[k].name) == 0)
                    assert_string_equal(r.slots[k].value, slots[s].value);
        st_text_free(&question);
    }
}

/* A text made to be tried in every way is given up on, soon. */
static void hostile_texts_end(void **state)
{
    fixture   *f = *state;
    st_reading r;
    bool       found;
    char       text[8000] = "If I am standing by the ";
    while (strlen(text) + 20 < sizeof text)
        strcat(text, " and facing the , is");
    must(st_phrasing_read(&r, &found, &f->arena, &f->published, ST_QUESTION_DIRECTION_HARD, text));
    assert_false(found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(published_questions_read, make, unmake),
        cmocka_unit_test_setup_teardown(other_words_are_not_read, make, unmake),
        cmocka_unit_test_setup_teardown(our_own_templates_read_back, make, unmake),
        cmocka_unit_test_setup_teardown(hostile_texts_end, make, unmake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
