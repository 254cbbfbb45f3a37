/* catalogue.c - what a furniture library says of its models, and what we take them for. */
#include "datagen/synth/furniture.h"

#include <math.h>

/* Model file to class. Things that hang, that nobody keeps indoors or that no class of ours
 * describes are left out, and so are corner sofas: their box is mostly air. */
static const struct {
    const char *stem, *class_name;
} MODELS[] = {
    {"armchair", "office chair"},
    {"bed1", "bed"},
    {"bed2", "bed"},
    {"bed3", "bed"},
    {"bedWithTexture", "bed"},
    {"bedsideTable2", "nightstand"},
    {"bookcase", "bookshelf"},
    {"verticalShelves", "bookshelf"},
    {"shelves", "shelf"},
    {"desklamp", "lamp"},
    {"led_tv", "tv"},
    {"oakChair", "chair"},
    {"plasticChair", "chair"},
    {"sillaBlanca", "chair"},
    {"chair", "chair"},
    {"chair2", "chair"},
    {"antiqueChair", "chair"},
    {"chairWithCushion", "chair"},
    {"osakaChair", "chair"},
    {"thonet", "chair"},
    {"oakTable", "dining table"},
    {"table", "table"},
    {"silla2", "stool"},
    {"stool2", "stool"},
    {"toiletsUnit", "toilet"},
    {"washbasin", "sink"},
    {"wardrobeWithSlidingDoors", "wardrobe"},
    {"cupboard", "cabinet"},
    {"lbDesk", "desk"},
    {"armchair2", "armchair"},
    {"modernArmchair", "armchair"},
    {"winchesterArmchair", "armchair"},
    {"couch", "couch"},
    {"sofa2", "couch"},
    {"winchesterSofa", "couch"},
    {"pianoBench", "bench"},
    {"box", "box"},
    {"plant", "plant"},
    {"littlePlant", "plant"},
    {"orchids", "plant"},
    {"dustbin", "trash can"},
    {"refrigerator", "refrigerator"},
    {"largeFridge", "refrigerator"},
    {"coffeeBrewer", "coffee maker"},
};

const sti_class *sti_model_class(st_str stem)
{
    for (size_t i = 0; i < sizeof MODELS / sizeof MODELS[0]; i++)
        if (st_str_is(stem, MODELS[i].stem))
            return sti_class_find(MODELS[i].class_name);
    return NULL;
}

static st_status entry_of(sti_catalogue_entry **entry, sti_catalogue *c, st_arena *arena,
                          int number)
{
    if (c->count == 0 || c->entries[c->count - 1].number != number) {
        ST_TRY(ST_GROW(arena, &c->entries, &c->capacity, c->count + 1));
        c->entries[c->count++] = (sti_catalogue_entry){.number = number, .top_m = -1.0};
    }
    *entry = &c->entries[c->count - 1];
    return st_ok();
}

static st_status set_field(sti_catalogue_entry *entry, st_str key, st_str value, size_t line)
{
    double *measure = st_str_is(key, "width")                ? &entry->width_m
                      : st_str_is(key, "depth")              ? &entry->depth_m
                      : st_str_is(key, "height")             ? &entry->height_m
                      : st_str_is(key, "dropOnTopElevation") ? &entry->top_m
                                                             : NULL;
    if (st_str_is(key, "name"))
        entry->name = value;
    if (st_str_is(key, "model"))
        entry->model = value;
    if (!measure)
        return st_ok();
    double cm;
    if (!st_str_double(value, &cm) || !(fabs(cm) < 1e5))
        return ST_FAIL(ST_ERR_FORMAT, "line %zu: expected centimetres, found \"%.*s\"", line,
                       ST_STR_ARG(value));
    *measure = cm / 100.0;
    return st_ok();
}

st_status sti_catalogue_parse(sti_catalogue *catalogue, st_arena *arena, st_str text)
{
    sti_catalogue made = {0};
    st_str line, rest = text;
    for (size_t number = 1; st_str_next_line(&line, &rest); number++) {
        st_str key, value = st_str_trim(line);
        if (value.size == 0 || value.data[0] == '#' || value.data[0] == '!')
            continue;
        if (!st_str_next_field(&key, &value, '=') || !value.data)
            continue;
        value = st_str_trim(value);
        st_str word, index = key;
        int64_t item;
        if (st_str_is(st_str_trim(key), "license"))
            made.license = value;
        if (!st_str_next_field(&word, &index, '#') || !index.data || !st_str_int(index, &item) ||
            item < 0 || item > INT32_MAX)
            continue;
        sti_catalogue_entry *entry;
        ST_TRY(entry_of(&entry, &made, arena, (int)item));
        ST_TRY(set_field(entry, word, value, number));
    }
    *catalogue = made;
    return st_ok();
}
