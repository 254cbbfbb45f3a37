/* labels_print.c - the label tables for people and for programs. */
#include "datagen/scans/label_tables.h"

#include "kernels/base/json.h"

#include <string.h>

static const char *uses_text(unsigned uses)
{
    static const char *const text[16] = {
        "-",          "ask",          "count",          "ask count",
        "mention",    "ask mention",  "count mention",  "ask count mention",
        "structure",  "structure",    "structure",      "structure",
        "structure",  "structure",    "structure",      "structure"};
    return text[uses & 15];
}

static const char *class_fate(int id)
{
    if (sti_classes[id].dropped)
        return sti_classes[id].dropped;
    return sti_classes[id].name ? uses_text(st_label_uses(sti_classes[id].name))
                                : "fine names only";
}

static void print_classes(st_text *out)
{
    st_text_add(out, "NYU40 classes: id, name in questions, uses\n");
    for (int id = 1; id < STI_CLASS_COUNT; id++)
        st_text_addf(out, "  %2d  %-16s  %s\n", id,
                     sti_classes[id].name ? sti_classes[id].name : "-", class_fate(id));
}

static void print_renames(st_text *out)
{
    st_text_add(out, "\nFine names for raw labels of classes 38 to 40: raw label, name, uses\n");
    for (size_t i = 0; i < sti_fine_count; i++)
        st_text_addf(out, "  %-18s  %-18s  %s\n", sti_fine[i].raw, sti_fine[i].label,
                     uses_text(st_label_uses(sti_fine[i].label)));
    st_text_add(out, "\nRaw labels that are never objects\n ");
    for (size_t i = 0; i < sti_dropped_raw_count; i++)
        st_text_addf(out, "%s %s", i ? "," : "", sti_dropped_raw[i]);
    st_text_add(out, "\n\nARKitScenes labels: label, NYU40 id, name in questions, benchmark's "
                     "name\n");
    for (size_t i = 0; i < sti_arkit_count; i++) {
        const st_label_verdict v =
            st_label_of_arkit(st_str_from(sti_arkit[i].raw), ST_VOCABULARY_MIXED);
        st_text_addf(out, "  %-18s  %2d  %-18s  %s\n", sti_arkit[i].raw, sti_arkit[i].nyu40,
                     v.label ? v.label : "-", sti_arkit[i].vsi ? sti_arkit[i].vsi : "-");
    }
}

static void print_groups(st_text *out)
{
    st_text_add(out, "\nGroups that a viewer confuses\n");
    for (int g = 0; g < STI_GROUP_COUNT; g++) {
        const char *between = "";
        st_text_addf(out, "  %-8s  ", sti_group_names[g]);
        for (size_t i = 0; i < sti_label_count; i++)
            if (sti_labels[i].groups >> g & 1) {
                st_text_addf(out, "%s%s", between, sti_labels[i].name);
                between = ", ";
            }
        st_text_add(out, "\n");
    }
}

void st_labels_print(st_text *out)
{
    print_classes(out);
    print_renames(out);
    print_groups(out);
    st_text_add(out, "\nThe benchmark's names for ScanNet: name, made from\n");
    for (size_t i = 0; i < sti_vsi_count; i++) {
        const sti_vsi_label *v = &sti_vsi[i];
        if (v->source == STI_VSI_CLASS)
            st_text_addf(out, "  %-16s  NYU40 class %d\n", v->label, v->nyu40);
        else
            st_text_addf(out, "  %-16s  %s \"%s\"\n", v->label,
                         v->source == STI_VSI_ID ? "raw labels with the id of" : "raw label",
                         v->raw);
    }
    st_text_addf(out, "\nRooms of the benchmark that are kept out of datasets: %zu\n",
                 st_benchmark_space_count());
}

static void write_uses(st_json_writer *w, unsigned uses)
{
    st_json_write_key(w, "uses");
    st_json_write_row(w);
    if (uses & ST_LABEL_REFERENT)
        st_json_write_text(w, "referent");
    if (uses & ST_LABEL_COUNTED)
        st_json_write_text(w, "counted");
    if (uses & ST_LABEL_MENTIONED)
        st_json_write_text(w, "mentioned");
    if (uses & ST_LABEL_STRUCTURE)
        st_json_write_text(w, "structure");
    st_json_write_end(w);
}

static void write_classes(st_json_writer *w)
{
    st_json_write_key(w, "nyu40");
    st_json_write_array(w);
    for (int id = 1; id < STI_CLASS_COUNT; id++) {
        st_json_write_object(w);
        st_json_put_int(w, "id", id);
        st_json_put_text(w, "label", sti_classes[id].name);
        st_json_put_text(w, "dropped", sti_classes[id].dropped);
        write_uses(w, sti_classes[id].name ? st_label_uses(sti_classes[id].name) : 0);
        st_json_write_end(w);
    }
    st_json_write_end(w);
}

static void write_renames(st_json_writer *w)
{
    st_json_write_key(w, "fine");
    st_json_write_object(w);
    for (size_t i = 0; i < sti_fine_count; i++)
        st_json_put_text(w, sti_fine[i].raw, sti_fine[i].label);
    st_json_write_end(w);
    st_json_write_key(w, "never_objects");
    st_json_write_row(w);
    for (size_t i = 0; i < sti_dropped_raw_count; i++)
        st_json_write_text(w, sti_dropped_raw[i]);
    st_json_write_end(w);
    st_json_write_key(w, "arkit");
    st_json_write_array(w);
    for (size_t i = 0; i < sti_arkit_count; i++) {
        const st_label_verdict v =
            st_label_of_arkit(st_str_from(sti_arkit[i].raw), ST_VOCABULARY_MIXED);
        st_json_write_object(w);
        st_json_put_text(w, "raw", sti_arkit[i].raw);
        st_json_put_int(w, "nyu40", sti_arkit[i].nyu40);
        st_json_put_text(w, "label", v.label);
        st_json_put_text(w, "vsi", sti_arkit[i].vsi);
        st_json_write_end(w);
    }
    st_json_write_end(w);
}

static void write_groups_and_words(st_json_writer *w)
{
    st_json_write_key(w, "groups");
    st_json_write_object(w);
    for (int g = 0; g < STI_GROUP_COUNT; g++) {
        st_json_write_key(w, sti_group_names[g]);
        st_json_write_row(w);
        for (size_t i = 0; i < sti_label_count; i++)
            if (sti_labels[i].groups >> g & 1)
                st_json_write_text(w, sti_labels[i].name);
        st_json_write_end(w);
    }
    st_json_write_end(w);
    st_json_write_key(w, "labels");
    st_json_write_array(w);
    for (size_t i = 0; i < sti_label_count; i++) {
        st_json_write_object(w);
        st_json_put_text(w, "label", sti_labels[i].name);
        write_uses(w, sti_labels[i].uses);
        st_json_write_end(w);
    }
    st_json_write_end(w);
}

void st_labels_print_json(st_text *out)
{
    st_json_writer w;
    st_json_write_start(&w, out, ST_JSON_COMPACT);
    st_json_write_object(&w);
    write_classes(&w);
    write_renames(&w);
    write_groups_and_words(&w);
    st_json_put_int(&w, "benchmark_spaces", (int64_t)st_benchmark_space_count());
    st_json_write_end(&w);
    st_text_add(out, "\n");
}
