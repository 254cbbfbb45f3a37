/* furniture.h - models of a Sweet Home 3D library, as pieces that recipes may take.
 *
 * A library (.sh3f) is a zip archive: PluginFurnitureCatalog.properties names each model, its
 * measures in centimetres and its OBJ file. Which models stand for which class is a table of ours.
 *
 * May include: internal.h of this room.
 */
#ifndef ST_SYNTH_FURNITURE_H
#define ST_SYNTH_FURNITURE_H

#include "datagen/synth/internal.h"

/* One entry of a catalogue; texts are views into the file. */
typedef struct sti_catalogue_entry {
    int    number;                  /* the 12 of "name#12"                            */
    st_str name, model;             /* "Oak chair", "/blendswap-cc-0/oakChair/oakChair.obj" */
    double width_m, depth_m, height_m;
    double top_m;                   /* where things may be put down; -1 nowhere       */
} sti_catalogue_entry;

typedef struct sti_catalogue {
    st_str license;
    sti_catalogue_entry *entries;   /* in the order of the file */
    size_t count, capacity;
} sti_catalogue;

/* Parse a catalogue: `key#number=value` lines in ISO 8859-1, comments with #.
 *
 * Fails   ST_ERR_FORMAT a measure is not a number, with its line; ST_ERR_MEMORY.
 */
ST_CHECKED st_status sti_catalogue_parse(sti_catalogue *catalogue, st_arena *arena, st_str text);

/* The class that a model file stands for, by its name without folder and ending; NULL: none. */
const sti_class *sti_model_class(st_str stem);

/* A model of the class that keeps to the wish within a quarter, drawn among all that do; NULL when
 * there is none. */
sti_piece *sti_furniture_pick(const st_furniture *furniture, const sti_class *class,
                              const sti_wish *wish, st_rng *rng);

#endif
