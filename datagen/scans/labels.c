/* labels.c - from the annotator's words to the names in questions. The words stand in
 * label_tables.c, the rules here.
 */
#include "datagen/scans/label_tables.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

const sti_label *sti_label_find(const char *name, size_t size)
{
    size_t low = 0, high = sti_label_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const char  *word = sti_labels[middle].name;
        const int    order = st_str_compare((st_str){name, size}, st_str_from(word));
        if (order == 0)
            return &sti_labels[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static const sti_label *find(const char *label)
{
    return sti_label_find(label, strlen(label));
}

bool st_label_known(const char *label)
{
    return find(label) != NULL;
}

unsigned st_label_uses(const char *label)
{
    const sti_label *entry = find(label);
    return entry ? entry->uses : 0;
}

uint32_t st_label_groups(const char *label)
{
    const sti_label *entry = find(label);
    return entry ? entry->groups : 0;
}

bool st_label_confusable(const char *a, const char *b)
{
    return strcmp(a, b) == 0 || (st_label_groups(a) & st_label_groups(b)) != 0;
}

bool st_label_hard_to_count(const char *label)
{
    static const char *const hard[] = {"blinds", "book",   "books", "clothes", "cup",
                                       "light",  "pillow", "shoes", "window"};
    for (size_t i = 0; i < sizeof hard / sizeof hard[0]; i++)
        if (strcmp(label, hard[i]) == 0)
            return true;
    return false;
}

const char *st_nyu40_name(int id)
{
    return id > 0 && id < STI_CLASS_COUNT ? sti_classes[id].name : NULL;
}

/* --- one instance, several things --- */

/* English plurals are an s on the last word of the head noun. These words end in one and are single
 * things all the same. */
static bool plural_in_form_only(st_str noun)
{
    static const char *const single[] = {"blinds", "clothes",  "crutches", "glasses",
                                         "headphones", "pants", "scissors", "shorts",
                                         "stairs", "sunglasses", "thermos"};
    st_str word = noun;
    for (size_t i = 0; i < noun.size; i++)
        if (noun.data[i] == ' ')
            word = (st_str){noun.data + i + 1, noun.size - i - 1};
    for (size_t i = 0; i < sizeof single / sizeof single[0]; i++)
        if (st_str_is(word, single[i]))
            return true;
    return st_str_ends(word, "ss") || st_str_ends(word, "us") || st_str_ends(word, "is");
}

/* True for "pillows", "stack of chairs", "boxes of paper"; false for "bag of coffee beans". */
static bool stands_for_several(st_str raw)
{
    static const char *const heaps[] = {"stack", "stacks", "pile", "piles", "row", "rows", "set"};

    st_str head = raw;
    for (size_t i = 0; i + 4 <= raw.size; i++)
        if (memcmp(raw.data + i, " of ", 4) == 0) {
            head.size = i;
            break;
        }
    if (head.size < raw.size)
        for (size_t i = 0; i < sizeof heaps / sizeof heaps[0]; i++)
            if (st_str_is(head, heaps[i]))
                return true;
    return head.size > 2 && head.data[head.size - 1] == 's' && !plural_in_form_only(head);
}

/* --- verdicts --- */

static st_label_verdict dropped(const char *reason, int nyu40)
{
    return (st_label_verdict){.reason = reason, .nyu40 = nyu40};
}

/* Look a raw label up in a list of renamings, also without a trailing s: "washing machines". */
static const char *fine_name(st_str raw)
{
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < sti_fine_count; i++)
            if (st_str_is(raw, sti_fine[i].raw))
                return sti_fine[i].label;
        if (raw.size < 2 || raw.data[raw.size - 1] != 's')
            return NULL;
        raw.size--;
    }
    return NULL;
}

static const char *vsi_name(const st_label_table *table, st_str raw, int nyu40)
{
    for (size_t i = 0; i < sti_vsi_count; i++) {
        const sti_vsi_label *v = &sti_vsi[i];
        switch (v->source) {
        case STI_VSI_CLASS:
            if (v->nyu40 == nyu40)
                return v->label;
            break;
        case STI_VSI_ID: {
            /* "doors" shares the id of "door" and counts; "shower door" has its own. */
            const int64_t id = sti_label_table_id(table, st_str_from(v->raw));
            if (st_str_is(raw, v->raw) || (id > 0 && sti_label_table_id(table, raw) == id))
                return v->label;
            break;
        }
        case STI_VSI_RAW:
            if (st_str_is(raw, v->raw))
                return v->label;
            break;
        }
    }
    return NULL;
}

/* Lower case, ASCII only: labels are English. False when it does not fit. */
static bool lower_into(char *out, size_t size, st_str s)
{
    if (s.size >= size)
        return false;
    for (size_t i = 0; i < s.size; i++)
        out[i] = (char)tolower((unsigned char)s.data[i]);
    out[s.size] = '\0';
    return true;
}

st_label_verdict st_label_of_scannet(const st_label_table *table, st_str raw_label,
                                     st_vocabulary vocabulary)
{
    char         lower[201];
    const st_str trimmed = st_str_trim(raw_label);
    if (trimmed.size == 0)
        return dropped("not_an_object", 0);
    if (!lower_into(lower, sizeof lower, trimmed))
        return dropped("unknown_label", 0);
    const st_str raw = st_str_from(lower);

    for (size_t i = 0; i < sti_dropped_raw_count; i++)
        if (st_str_is(raw, sti_dropped_raw[i]))
            return dropped("not_an_object", st_label_table_find(table, trimmed));

    const int nyu40 = st_label_table_find(table, trimmed);
    if (nyu40 == 0)
        return dropped("unknown_label", 0);
    if (sti_classes[nyu40].dropped)
        return dropped(sti_classes[nyu40].dropped, nyu40);

    st_label_verdict v = {.nyu40 = nyu40, .plural = stands_for_several(raw)};
    if (vocabulary == ST_VOCABULARY_VSI)
        v.label = vsi_name(table, raw, nyu40);
    else if (sti_classes[nyu40].name)
        v.label = sti_classes[nyu40].name;
    else if (vocabulary == ST_VOCABULARY_MIXED)
        v.label = fine_name(raw);
    if (!v.label)
        v.reason = "other_class";
    return v;
}

st_label_verdict st_label_of_arkit(st_str raw_label, st_vocabulary vocabulary)
{
    char name[201];
    if (!lower_into(name, sizeof name, st_str_trim(raw_label)))
        return dropped("unknown_label", 0);
    for (char *c = name; *c; c++)
        if (*c == ' ' || *c == '-' || *c == '/')
            *c = '_';

    for (size_t i = 0; i < sti_arkit_count; i++) {
        const sti_arkit_label *a = &sti_arkit[i];
        if (strcmp(a->raw, name) != 0)
            continue;
        if (a->nyu40 == 0)
            return dropped("not_an_object", 0);
        st_label_verdict v = {.nyu40 = a->nyu40};
        if (vocabulary == ST_VOCABULARY_VSI)
            v.label = a->vsi;
        else if (sti_classes[a->nyu40].name)
            v.label = sti_classes[a->nyu40].name;
        else if (vocabulary == ST_VOCABULARY_MIXED)
            v.label = a->fine;
        if (!v.label)
            v.reason = "other_class";
        return v;
    }
    return dropped("unknown_label", 0);
}

/* --- the benchmark's rooms --- */

enum { SCANNET_SPACE_BYTES = 9 };       /* "scene0011" of "scene0011_01" */

size_t st_benchmark_space_count(void)
{
    return sti_benchmark_space_count;
}

bool st_benchmark_has_space(const char *dataset, const char *space_id)
{
    const size_t size = strlen(space_id);
    for (size_t i = 0; i < sti_benchmark_space_count; i++) {
        const sti_space *space = &sti_benchmark_spaces[i];
        if (strcmp(space->dataset, dataset) != 0)
            continue;
        const bool   scannet = strcmp(dataset, "scannet") == 0;
        const size_t compared = scannet && size > SCANNET_SPACE_BYTES ? SCANNET_SPACE_BYTES : size;
        if (strlen(space->space_id) == compared && memcmp(space->space_id, space_id, compared) == 0)
            return true;
    }
    return false;
}
