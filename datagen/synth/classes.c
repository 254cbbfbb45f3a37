/* classes.c - what can be made, and what each dataset calls it.
 *
 * The first column is a raw label of ScanNet's annotators, the second its NYU40 id, the third one
 * of the 17 labels of ARKitScenes (data.md 2.7, 2.9, 3.8).
 */
#include "datagen/synth/internal.h"

#include <string.h>

static const sti_class CLASSES[] = {
    {"wall", 1, NULL, false, NULL},
    {"floor", 2, NULL, false, NULL},
    {"ceiling", 22, NULL, false, NULL},
    {"door", 8, NULL, false, sti_build_door},
    {"window", 9, NULL, false, sti_build_window},
    {"chair", 5, "chair", true, sti_build_chair},
    {"office chair", 5, "chair", true, sti_build_office_chair},
    {"armchair", 5, "sofa", true, sti_build_armchair},
    {"stool", 40, "stool", false, sti_build_stool},
    {"bench", 39, NULL, false, sti_build_bench},
    {"ottoman", 39, "stool", false, sti_build_ottoman},
    {"couch", 6, "sofa", true, sti_build_sofa},
    {"dining table", 7, "table", false, sti_build_dining_table},
    {"table", 7, "table", false, sti_build_dining_table},
    {"coffee table", 7, "table", false, sti_build_coffee_table},
    {"end table", 7, "table", false, sti_build_end_table},
    {"desk", 14, "table", true, sti_build_desk},
    {"kitchen counter", 12, NULL, false, sti_build_counter},
    {"piano", 39, NULL, true, sti_build_piano},
    {"nightstand", 32, "cabinet", true, sti_build_nightstand},
    {"tv stand", 39, "cabinet", true, sti_build_tv_stand},
    {"cabinet", 3, "cabinet", true, sti_build_cabinet},
    {"file cabinet", 3, "cabinet", true, sti_build_file_cabinet},
    {"kitchen cabinet", 3, "cabinet", true, sti_build_kitchen_cabinet},
    {"dresser", 17, "cabinet", true, sti_build_dresser},
    {"wardrobe", 39, "cabinet", true, sti_build_wardrobe},
    {"bookshelf", 10, "shelf", true, sti_build_bookshelf},
    {"shelf", 15, "shelf", true, sti_build_shelf},
    {"books", 23, NULL, true, sti_build_books},
    {"box", 29, NULL, false, sti_build_box},
    {"suitcase", 40, NULL, true, sti_build_suitcase},
    {"backpack", 40, NULL, true, sti_build_backpack},
    {"laundry hamper", 40, NULL, false, sti_build_hamper},
    {"trash can", 39, NULL, false, sti_build_trash_can},
    {"bed", 4, "bed", true, sti_build_bed},
    {"pillow", 18, NULL, false, sti_build_pillow},
    {"towel", 27, NULL, true, sti_build_towel},
    {"curtain", 16, NULL, false, sti_build_curtain},
    {"mat", 20, NULL, false, sti_build_mat},
    {"plant", 40, NULL, false, sti_build_plant},
    {"toilet", 33, "toilet", true, sti_build_toilet},
    {"sink", 34, "sink", true, sti_build_sink},
    {"bathtub", 36, "bathtub", true, sti_build_bathtub},
    {"washing machine", 39, "washer", true, sti_build_washing_machine},
    {"dishwasher", 38, "dishwasher", true, sti_build_dishwasher},
    {"stove", 38, "stove", true, sti_build_stove},
    {"refrigerator", 24, "refrigerator", true, sti_build_refrigerator},
    {"microwave", 40, NULL, true, sti_build_microwave},
    {"coffee maker", 40, NULL, true, sti_build_coffee_maker},
    {"tv", 25, "tv_monitor", true, sti_build_tv},
    {"monitor", 40, "tv_monitor", true, sti_build_monitor},
    {"keyboard", 40, NULL, true, sti_build_keyboard},
    {"mouse", 40, NULL, true, sti_build_mouse},
    {"laptop", 40, NULL, true, sti_build_laptop},
    {"computer tower", 40, NULL, true, sti_build_computer_tower},
    {"printer", 40, NULL, true, sti_build_printer},
    {"telephone", 40, NULL, true, sti_build_telephone},
    {"lamp", 35, NULL, false, sti_build_lamp},
    {"fan", 40, NULL, true, sti_build_fan},
    {"picture", 11, NULL, true, sti_build_picture},
    {"mirror", 19, NULL, true, sti_build_mirror},
    {"whiteboard", 30, NULL, true, sti_build_whiteboard},
    {"radiator", 39, NULL, false, sti_build_radiator},
    {"object", 40, NULL, false, sti_build_clutter},
    {"clock", 40, NULL, true, sti_build_clock},
};

const sti_class *sti_class_at(size_t index)
{
    return index < sizeof CLASSES / sizeof CLASSES[0] ? &CLASSES[index] : NULL;
}

const sti_class *sti_class_find(const char *name)
{
    for (size_t i = 0; i < sizeof CLASSES / sizeof CLASSES[0]; i++)
        if (strcmp(CLASSES[i].name, name) == 0)
            return &CLASSES[i];
    return NULL;
}
