/* parity.c - finding stored vectors, comparing numbers, keeping the score. */
#include "model/parity.h"

#include "kernels/base/files.h"
#include "kernels/base/json.h"
#include "model/parity_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char *st_parity_metric_name(st_parity_metric metric)
{
    static const char *const names[] = {"exact", "relative", "absolute", "mean"};
    ST_ASSERT((unsigned)metric < sizeof names / sizeof names[0]);
    return names[metric];
}

void st_parity_init(st_parity *report)
{
    *report = (st_parity){.pass = true};
    st_arena_init(&report->arena, "parity");
}

void st_parity_free(st_parity *report)
{
    st_arena_free(&report->arena);
}

st_status st_parity_write(const st_parity *report, const char *path)
{
    return st_safetensors_save(path, report->computed, report->computed_count,
                               &(st_metadata_pair){"format", "pt"}, 1);
}

/* --- the score -------------------------------------------------------------------------------- */

static st_status add_entry(sti_parity *p, const char *name, st_parity_entry entry)
{
    st_parity *r = p->report;
    ST_TRY(ST_GROW(&r->arena, &r->entry, &r->capacity, r->count + 1));
    ST_TRY(st_arena_printf(&r->arena, &entry.name, "%s%s", p->prefix, name));
    r->entry[r->count++] = entry;
    r->pass = r->pass && entry.pass;
    return st_ok();
}

st_status sti_parity_fail(sti_parity *p, const char *name, const char *why)
{
    st_parity_entry entry = {.error = NAN};
    ST_TRY(st_arena_printf(&p->report->arena, &entry.note, "%s", why));
    return add_entry(p, name, entry);
}

st_status sti_parity_note(sti_parity *p, const char *what)
{
    st_parity *r = p->report;
    ST_TRY(ST_GROW(&r->arena, &r->note, &r->note_capacity, r->note_count + 1));
    return st_arena_printf(&r->arena, &r->note[r->note_count++], "%s%s", p->prefix, what);
}

static st_status keep(sti_parity *p, const char *name, const st_tensor *got)
{
    st_parity *r = p->report;
    ST_TRY(ST_GROW(&r->arena, &r->computed, &r->computed_capacity, r->computed_count + 1));
    st_named_tensor *to = &r->computed[r->computed_count];
    to->tensor = *got;
    unsigned char *copy;
    ST_TRY(ST_ALLOC(&r->arena, &copy, st_tensor_bytes(got)));
    memcpy(copy, got->data, st_tensor_bytes(got));
    to->tensor.data = copy;
    ST_TRY(st_arena_printf(&r->arena, &to->name, "%s%s", p->prefix, name));
    r->computed_count++;
    return st_ok();
}

static double number(const st_tensor *x, int64_t i)
{
    switch (x->dtype) {
    case ST_F32:  return ((const float *)x->data)[i];
    case ST_F64:  return ((const double *)x->data)[i];
    case ST_BF16: return st_f32_from_bf16(((const uint16_t *)x->data)[i]);
    case ST_F16:  return st_f32_from_f16(((const uint16_t *)x->data)[i]);
    case ST_I64:  return (double)((const int64_t *)x->data)[i];
    case ST_I32:  return ((const int32_t *)x->data)[i];
    default:      return ((const uint8_t *)x->data)[i];
    }
}

st_status sti_parity_compare(sti_parity *p, const char *name, const st_tensor *got,
                             const st_tensor *expected, st_parity_metric metric, double tolerance)
{
    ST_TRY(keep(p, name, got));
    const int64_t count = st_tensor_count(expected);
    if (st_tensor_count(got) != count) {
        char a[96], b[96], why[256];
        snprintf(why, sizeof why, "stored is %s, computed is %s",
                 st_tensor_describe(expected, a, sizeof a), st_tensor_describe(got, b, sizeof b));
        return sti_parity_fail(p, name, why);
    }
    double worst = 0.0, sum = 0.0, largest = 0.0;
    for (int64_t i = 0; i < count; i++) {
        const double want = number(expected, i), gap = fabs(number(got, i) - want);
        if (!(gap <= worst))
            worst = gap;                /* NaN sticks: nothing is below it */
        if (isnan(gap))
            worst = sum = NAN;
        sum += gap;
        largest = fmax(largest, fabs(want));
    }
    double error = metric == ST_PARITY_MEAN && count > 0 ? sum / (double)count : worst;
    if ((metric == ST_PARITY_RELATIVE || metric == ST_PARITY_MEAN) && largest > 0.0)
        error /= largest;
    /* A mean hides a single wild number: the largest may be ten times the bound, no more. */
    const bool wild = metric == ST_PARITY_MEAN && !(worst <= 10.0 * tolerance * largest);
    return add_entry(p, name, (st_parity_entry){.metric = metric, .error = error,
                                                .tolerance = tolerance,
                                                .pass = error <= tolerance && !wild});
}

/* --- finding ---------------------------------------------------------------------------------- */

/* Whether a file opens as safetensors. Text and other files are passed by; a file that carries the
 * name of the format and is damaged is a failure. */
static st_status open_if_tensors(st_safetensors **file, const char *path)
{
    *file = NULL;
    const size_t length = strlen(path);
    const bool named = length > 12 && strcmp(path + length - 12, ".safetensors") == 0;
    const st_status s = st_safetensors_open(file, path);
    if (s.code == ST_OK || named)
        return s;
    *file = NULL;
    return st_ok();
}

static bool is_prompts(const char *path)
{
    st_json_doc *doc;
    const size_t length = strlen(path);
    if (length < 5 || strcmp(path + length - 5, ".json") != 0)
        return false;
    if (st_json_load(&doc, path).code != ST_OK)
        return false;
    const st_json root = st_json_root(doc);
    bool is = st_json_kind_of(root) == ST_JSON_ARRAY && st_json_count(root) > 0;
    if (is) {
        const st_json first = st_json_element(&root, 0);
        is = st_json_kind_of(st_json_member(&first, "text")) == ST_JSON_TEXT &&
             st_json_kind_of(st_json_member(&first, "ids")) == ST_JSON_ARRAY;
    }
    st_json_free(doc);
    return is;
}

/* u8 pairs in.X and out.X. */
static bool is_resizes(const st_safetensors *file)
{
    for (size_t i = 0; i < st_safetensors_count(file); i++) {
        const st_named_tensor *t = st_safetensors_at(file, i);
        if (strncmp(t->name, "in.", 3) == 0 && t->tensor.dtype == ST_U8 && t->tensor.rank == 4)
            return true;
    }
    return false;
}

/* One file; `found` counts those that held vectors. */
static st_status visit_file(sti_parity *p, const char *path, const char *stem, size_t *found)
{
    if (is_prompts(path)) {
        (*found)++;
        return sti_parity_prompts(p, path);
    }
    st_safetensors *file;
    ST_TRY(open_if_tensors(&file, path));
    if (!file)
        return st_ok();

    sti_parity inner = *p;
    st_status s = st_arena_printf(&p->report->arena, &inner.prefix, "%s%s/", p->prefix, stem);
    if (s.code == ST_OK && st_safetensors_find(file, "input_ids")) {
        (*found)++;
        s = sti_parity_model(p, file);
    } else if (s.code == ST_OK && st_safetensors_find(file, "in.q") &&
               st_safetensors_find(file, "in.w0")) {
        (*found)++;
        s = sti_parity_operator(&inner, file);
    } else if (s.code == ST_OK && (st_safetensors_find(file, "frames") || is_resizes(file))) {
        (*found)++;
        s = sti_parity_pixels(&inner, file);
    }
    st_safetensors_close(file);
    return st_within(s, "%s", path);
}

/* Whether a failure tells of the vectors, and not of this machine. */
static bool is_of_the_files(st_code code)
{
    return code == ST_ERR_DATA || code == ST_ERR_FORMAT || code == ST_ERR_UNSUPPORTED ||
           code == ST_ERR_LIMIT || code == ST_ERR_IO;
}

static st_status visit_folder(sti_parity *p, int depth, size_t *found)
{
    enum { DEPTH_MAX = 8 };
    const char **names;
    size_t count;
    st_arena *arena = &p->report->arena;
    ST_TRY(st_folder_list(arena, &names, &count, p->folder));
    for (size_t i = 0; i < count; i++) {
        const char *path;
        ST_TRY(st_path_join(arena, &path, p->folder, names[i]));
        if (st_folder_exists(path) && depth < DEPTH_MAX) {
            sti_parity inner = *p;
            inner.folder = path;
            ST_TRY(st_arena_printf(arena, &inner.prefix, "%s%s/", p->prefix, names[i]));
            st_status s = visit_folder(&inner, depth + 1, found);
            if (is_of_the_files(s.code))        /* the other folders have something to say too */
                s = sti_parity_fail(&inner, "vectors", s.text);
            ST_TRY(s);
        } else if (st_file_exists(path)) {
            const char *stem;
            const st_str s = st_path_stem(path);
            ST_TRY(st_arena_copy_text(arena, &stem, s.data, s.size));
            ST_TRY(visit_file(p, path, stem, found));
        }
    }
    return st_ok();
}

st_status st_parity_run(st_parity *report, const char *folder, const st_parity_options *options)
{
    sti_parity p = {.report = report, .options = options, .folder = folder, .prefix = ""};
    size_t found = 0;
    ST_TRY(visit_folder(&p, 0, &found));
    if (found == 0 && report->count == 0)
        return ST_FAIL(ST_ERR_DATA, "%s holds no stored vectors", folder);
    report->pass = report->pass && report->count > 0;
    return st_ok();
}
